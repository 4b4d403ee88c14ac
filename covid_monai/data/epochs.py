"""Training data whose every random choice is a function of seed, epoch and case.

Order and augmentation then do not depend on how many workers load the data, nor on whether training was
interrupted: epoch 7 is the same epoch 7 after a resume.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from monai.data import CacheDataset
from monai.transforms import Compose
from torch.utils.data import Sampler


def derived_seed(*parts: object) -> int:
    """A seed in 0..2^32-1 that depends on all of ``parts`` and on nothing else."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields ``(epoch, position)`` pairs, shuffled by seed and epoch.

    Args:
        length: how many items the data set has.
        seed: of the shuffling.
        rank, replicas: which of how many processes this is; all get equally many items, for which the first
            ones of the epoch's order are repeated at the end.
    """

    def __init__(self, length: int, seed: int, rank: int = 0, replicas: int = 1) -> None:
        self.length = length
        self.seed = seed
        self.rank = rank
        self.replicas = replicas
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 1, that the next iteration yields."""
        self.epoch = epoch

    @property
    def own(self) -> int:
        """How many of this process's items are its own; those after them are repeated ones."""
        return len(range(self.rank, self.length, self.replicas))

    def __len__(self) -> int:
        return math.ceil(self.length / self.replicas)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch, "order"))
        order = torch.randperm(self.length, generator=generator).tolist()
        for place in range(self.rank, len(self) * self.replicas, self.replicas):
            yield self.epoch, order[place % self.length]


class EpochDataset(CacheDataset):
    """A ``CacheDataset`` whose random transforms are seeded anew for each ``(epoch, position)``.

    The deterministic transforms run once, when the data set is made. A plain integer index stands for epoch 0.

    Args:
        data: MONAI's datalist; every item has a ``"case"``.
        transform: the whole chain, deterministic transforms first.
        seed: of the random transforms.
        progress: whether to show a progress bar while the cache fills.
    """

    def __init__(
        self, data: Sequence[Mapping[str, Any]], transform: Compose, seed: int, progress: bool = False
    ) -> None:
        self.seed = seed
        super().__init__(data=data, transform=transform, progress=progress)

    def __getitem__(self, index: tuple[int, int] | int) -> Any:
        epoch, position = index if isinstance(index, tuple) else (0, index)
        self.transform.set_random_state(seed=derived_seed(self.seed, epoch, self.data[position]["case"]))
        return super().__getitem__(position)
