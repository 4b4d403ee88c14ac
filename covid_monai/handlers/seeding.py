"""Seeds at the start of a run and of each of its epochs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from ignite.engine import Engine, Events
from monai.utils import set_determinism

from covid_monai.data.epochs import EpochSampler, derived_seed


def start_from_seed(seed: int, deterministic: bool) -> None:
    """Seed torch, NumPy and MONAI; ``deterministic`` also forbids algorithms whose result can vary.

    On a GPU such algorithms are slower; on the CPU they cost nothing that could be measured.
    """
    set_determinism(seed=seed)
    # MONAI's seeding asks cuDNN for them whatever was asked for here
    torch.backends.cudnn.deterministic = deterministic
    torch.use_deterministic_algorithms(deterministic)
    # torch would also write to all memory before its use, which finds bugs in operators, at a sixth of the time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


@contextmanager
def determinism_restored() -> Iterator[None]:
    """Put torch's choice of algorithms back afterwards: it is global, and the caller's program goes on."""
    enabled = torch.are_deterministic_algorithms_enabled()
    of_cudnn, tried_out = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = of_cudnn, tried_out
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


class SeedEpoch:
    """Make an epoch's order, and all that draws from torch's generator, a function of seed and epoch."""

    def __init__(self, seed: int, sampler: EpochSampler) -> None:
        self.seed = seed
        self.sampler = sampler

    def attach(self, engine: Engine) -> None:
        """Seed whenever ``engine`` starts an epoch."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._seed)

    def _seed(self, engine: Engine) -> None:
        self.sampler.set_epoch(engine.state.epoch)
        torch.manual_seed(derived_seed(self.seed, engine.state.epoch, "network"))
