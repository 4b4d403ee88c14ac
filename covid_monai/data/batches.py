"""Training data in memory as arrays, from which whole batches are gathered."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Compose, RandomizableTrait
from monai.utils import convert_to_tensor
from torch import Tensor
from torch.utils.data import Dataset

from covid_monai.errors import InputError
from covid_monai.transforms.counter_random import mixed

SEED = "seed"
"""The key of a batch's seeds, (N) int64."""

Position = tuple[int, int] | int
"""``(epoch, position)``, as :class:`covid_monai.data.EpochSampler` has them; a plain position stands for epoch 0."""


class BatchDataset(Dataset[dict[str, Tensor]]):
    """A data set whose transforms run once, when it is made, and whose batches are gathered in one operation.

    An item is the slice's image and label map and, under ``seed``, 64 bits that depend on seed, epoch and case and on
    nothing else; random transforms draw by them, see :class:`covid_monai.handlers.PrepareBatchAugmented`. torch's data
    loader asks for a batch as a whole; its ``collate_fn`` is :func:`as_gathered`.

    Args:
        data: MONAI's datalist; every item has a ``"case"``.
        transform: the deterministic chain; images and label maps come out of it in one size.
        seed: of the random transforms.

    Raises:
        InputError: there is a random transform in the chain, or the slices differ in size.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Compose, seed: int) -> None:
        self.data = list(data)
        self.transform = transform
        for step in transform.flatten().transforms:
            if isinstance(step, RandomizableTrait):
                raise InputError(
                    f"{type(step).__name__} among the transforms that run once would draw once; random transforms of "
                    "batches are given as random_transforms"
                )
        self.cases = torch.tensor([_bits(f"{seed}/{item['case']}") for item in self.data], dtype=torch.int64)
        self.arrays: dict[str, Tensor] = {}
        for place, item in enumerate(self.data):
            done = transform(dict(item))
            image, label = (convert_to_tensor(done[key], track_meta=False) for key in ("image", "label"))
            self._keep(place, image=image.float(), label=label.byte())

    def _keep(self, place: int, **slices: Tensor) -> None:
        for key, values in slices.items():
            if key not in self.arrays:
                self.arrays[key] = values.new_empty(len(self), *values.shape)
            size, other = tuple(values.shape), tuple(self.arrays[key].shape[1:])
            if size != other:
                raise InputError(
                    f"the {key} of {self.data[place]['case']} is {size}, that of {self.data[0]['case']} {other}; "
                    "bring all to one size"
                )
            self.arrays[key][place] = values

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Position) -> dict[str, Tensor]:
        return {key: values[0] for key, values in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[Position]) -> dict[str, Tensor]:
        """A batch: ``image`` (N, C, H, W) float32, ``label`` (N, 1, H, W) uint8, ``seed`` (N) int64."""
        pairs = [index if isinstance(index, tuple) else (0, index) for index in indices]
        epochs, positions = torch.tensor(pairs, dtype=torch.int64).unbind(1)
        batch = {key: values[positions] for key, values in self.arrays.items()}
        return {**batch, SEED: mixed(self.cases[positions] ^ mixed(epochs))}


def as_gathered(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A ``collate_fn`` for batches that were gathered already."""
    return batch


def _bits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
