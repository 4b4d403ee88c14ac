"""Uneven shares: what makes a step of several processes the step of one process with their batches joined.

An epoch that does not divide by the processes is filled up by repeated images, as every process has to take part in
every step (:class:`~covid_monai.data.EpochSampler`). Repeated images must not count, and ``DistributedDataParallel``
averages the processes' gradients evenly, however many images each one has.
"""

from collections.abc import Callable

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.utils import CommonKeys
from torch import Tensor, nn

from covid_monai.data.epochs import EpochSampler


class CountedImages:
    """Know of each of a trainer's batches how many images count: its first ones, the repeated ones coming last.

    Attributes:
        images: of the batch at work; None, which stands for all, before the first.

    Args:
        sampler: which the trainer's batches come from.
    """

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler
        self.images: int | None = None

    def attach(self, engine: Engine) -> None:
        """Look at every batch before ``engine`` works on it."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_STARTED, self._count)

    def _start(self, engine: Engine) -> None:
        self.left = self.sampler.own

    def _count(self, engine: Engine) -> None:
        self.images = min(len(engine.state.batch[CommonKeys.IMAGE]), self.left)
        self.left -= self.images


class MeanOverProcesses(nn.Module):
    """A loss whose average over the processes is the mean over the counted images of all of them.

    Args:
        loss: of logits and targets, ``(N, ...)`` each: a mean over the N images. A loss that is no such mean, such as
            a ratio of sums over the whole batch, stays one of each process's own batch.
        counted: how many images of a batch count.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], counted: CountedImages) -> None:
        super().__init__()
        self.loss = loss
        self.counted = counted

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of this process's counted images, weighted by its share of them; 0 where it has none."""
        images = self.counted.images if self.counted.images is not None else len(input)
        share = images / float(idist.all_reduce(float(images)))
        if not images:
            # every parameter still needs a gradient, as the other processes wait for it
            return input.sum() * 0.0
        return self.loss(input[:images], target[:images]) * (share * idist.get_world_size())
