"""Several processes as one: batch normalisation over all their batches, and uneven shares of an epoch."""

from collections.abc import Callable
from typing import Any, Protocol

import ignite.distributed as idist
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.utils import CommonKeys
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from covid_monai.data.epochs import EpochSampler


class Counted(Protocol):
    """What says how many images of a batch count; see :class:`covid_monai.handlers.distributed.CountedImages`."""

    images: int | None


class SynchronisedBatchNorm(_BatchNorm):
    """``torch.nn.BatchNorm`` in one to three dimensions whose mean and variance are those of all processes' batches.

    Outputs, running statistics and gradients of the input are those of one process with the batches joined, up to
    float rounding, whatever the batches' sizes. As with ``torch.nn.SyncBatchNorm``, the gradients of weight and bias
    are each process's own part; ``DistributedDataParallel`` averages them. Statistics are float32 at least, also for
    bfloat16 inputs. Outside of training, or with one process, it is the plain batch normalisation.

    Args:
        num_features, eps, momentum, affine, track_running_stats: as torch's.
        counted: of how many images of each batch, its first ones, mean and variance are taken; the others are
            normalised by them, but do not enter. All images where it, or its number, is None.

    Raises (from the call):
        ValueError: the input is no ``(N, C, ...)``, or all processes together have one value a channel.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        counted: Counted | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)
        self.counted = counted

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(N, C, ...)``; in training every process has to call this, with an empty batch if need be."""
        self._check_input_dim(input)
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        images = self.counted.images if self.counted is not None else None
        mean, variance, count = _joint_statistics(values[:images])
        if count < 2:
            raise ValueError(f"{count:g} value a channel in all processes together; give larger batches or images")
        self._update_running_statistics(mean, variance, count)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        shift = self.bias - mean * scale if self.affine else -mean * scale
        shape = (1, -1, *(1,) * (input.dim() - 2))
        # statistics are float64: what meets the values is brought to their type
        return torch.addcmul(shift.to(values).view(shape), values, scale.to(values).view(shape)).to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2 or input.shape[1] != self.num_features:
            raise ValueError(f"input is {tuple(input.shape)}; it must be (N, {self.num_features}, ...)")

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: float) -> None:
        if not self.track_running_stats:
            return
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        # without momentum torch keeps the mean of all batches
        weight = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean), weight)
        self.running_var.lerp_((variance * (count / (count - 1))).to(self.running_var), weight)


def synchronise_batch_norm(module: nn.Module, counted: Counted | None = None) -> nn.Module:
    """Turn every ``torch.nn.BatchNorm1d``, ``2d`` and ``3d`` in ``module`` into a :class:`SynchronisedBatchNorm`.

    Parameters and buffers stay the same objects under the same names, so that an optimizer made before, and weights
    saved before or after, fit.

    Args:
        module: changed in place, unless it is a batch normalisation itself.
        counted: for every one of them.

    Returns:
        ``module``, or what takes its place where it is a batch normalisation itself.
    """
    for name, child in module.named_children():
        setattr(module, name, synchronise_batch_norm(child, counted))
    if not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return module
    synchronised = SynchronisedBatchNorm(
        module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats, counted
    )
    synchronised.weight, synchronised.bias = module.weight, module.bias
    synchronised.running_mean, synchronised.running_var = module.running_mean, module.running_var
    synchronised.num_batches_tracked = module.num_batches_tracked
    return synchronised.train(module.training)


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of what each process has for it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def _joint_statistics(values: Tensor) -> tuple[Tensor, Tensor, float]:
    """Mean and biased variance of each channel over all processes, both (C) float64, and the number of values."""
    dimensions = [0, *range(2, values.dim())]
    count = values.numel() // values.shape[1]
    if count:
        own_variance, own_mean = torch.var_mean(values, dimensions, correction=0)
    else:
        # the mean of nothing is NaN; its sum is 0, and keeps this process's gradients in step with the others'
        own_variance = own_mean = values.sum(dimensions)
    # in float64, since a difference of squares would cost float32 all its digits where the mean is large
    mean, variance = own_mean.double(), own_variance.double()
    own = torch.cat([mean * count, (variance + mean**2) * count, mean.new_tensor([count])])
    channels = len(mean)
    total = _SumOverProcesses.apply(own)
    number = total[-1].item()
    mean = total[:channels] / max(number, 1)
    return mean, (total[channels:-1] / max(number, 1) - mean**2).clamp(min=0), number


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
