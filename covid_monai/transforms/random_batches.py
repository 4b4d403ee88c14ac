"""Random transforms of whole batches, on the device that these are on.

Each is the one of MONAI without ``Batch`` in its name: same arguments, same distribution, same geometry. MONAI's take a
slice at a time, in Python, which took a fifth of the training of a small network (docs/performance.md).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from monai.config import KeysCollection
from monai.utils import ensure_tuple, ensure_tuple_rep
from torch import Tensor
from torch.nn import functional

from covid_monai.transforms.counter_random import CounterRandom
from covid_monai.transforms.label_resizing import LARGEST_SHARE, of_largest_share


class RandomBatchTransform(ABC):
    """A transform that each slice of a batch undergoes with a probability.

    Args:
        keys: of the batch's tensors ``(N, C, H, W)`` that are transformed.
        prob: the probability.
    """

    def __init__(self, keys: KeysCollection, prob: float) -> None:
        self.keys = tuple(map(str, ensure_tuple(keys)))
        self.prob = prob

    def __call__(self, batch: Mapping[str, Tensor], draws: CounterRandom) -> dict[str, Tensor]:
        """Transform a batch; ``draws`` goes on by equally many numbers whatever is drawn."""
        chosen = draws.uniform() < self.prob
        parameters = self.draw(draws)
        changed = dict(batch)
        if chosen.any():
            device = changed[self.keys[0]].device
            rows = chosen.nonzero()[:, 0]
            parts = [changed[key][rows.to(device)] for key in self.keys]
            # not every device has float64
            own = [
                parameter[rows].float() if parameter.is_floating_point() else parameter[rows]
                for parameter in parameters
            ]
            parts = self.change(parts, [parameter.to(device) for parameter in own])
            for key, part in zip(self.keys, parts, strict=True):
                changed[key] = changed[key].index_copy(0, rows.to(device), part)
        return changed

    def draw(self, draws: CounterRandom) -> list[Tensor]:
        """The parameters of every slice, (N) each."""
        return []

    @abstractmethod
    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """The chosen slices of each key, transformed by their parameters."""


class BatchRandFlipd(RandomBatchTransform):
    """Flip slices along an axis.

    Args:
        keys, prob: see :class:`RandomBatchTransform`.
        spatial_axis: 0, the patient's left and right in LPS, or 1.
    """

    def __init__(self, keys: KeysCollection, prob: float, spatial_axis: int) -> None:
        super().__init__(keys, prob)
        self.spatial_axis = spatial_axis

    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """Flip all."""
        return [part.flip(2 + self.spatial_axis) for part in parts]


class BatchRandAffined(RandomBatchTransform):
    """Rotate slices about their centre and scale their axes, all keys and slices in one sampling.

    Args:
        keys, prob: see :class:`RandomBatchTransform`.
        rotate_range: the largest angle to either side, in radians.
        scale_range: the largest change of each axis' factor; the factors 1 - change to 1 + change are the sampled
            distances, so that a slice with a factor over 1 looks smaller.
        mode: ``bilinear`` or ``largest_share`` (:func:`covid_monai.transforms.label_resizing.by_largest_share`) of each
            key.
        padding_mode: what comes in from outside: ``zeros``, ``border`` or ``reflection``, as torch's ``grid_sample``
            has them.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float,
        *,
        rotate_range: float = 0.0,
        scale_range: Sequence[float] = (0.0, 0.0),
        mode: Sequence[str] | str = "bilinear",
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(keys, prob)
        self.rotate_range = rotate_range
        self.scale_range = tuple(scale_range)
        self.mode = ensure_tuple_rep(mode, len(self.keys))
        if unknown := {*self.mode} - {"bilinear", LARGEST_SHARE}:
            raise ValueError(f"mode is {', '.join(map(str, unknown))}; it can be bilinear or {LARGEST_SHARE}")
        self.padding_mode = padding_mode

    def draw(self, draws: CounterRandom) -> list[Tensor]:
        """Angle and the two axes' factors."""
        angle = draws.uniform(-self.rotate_range, self.rotate_range)
        return [angle, *(1 + draws.uniform(-change, change) for change in self.scale_range)]

    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """Sample all keys at once, a label map as the shares of its labels."""
        counts = [int(part.amax()) + 1 for part in parts]
        layers = [
            _shares(part, count) if mode == LARGEST_SHARE else part.float()
            for part, mode, count in zip(parts, self.mode, counts, strict=True)
        ]
        stacked = torch.cat(layers, dim=1)
        grid = functional.affine_grid(
            _matrices(parameters, stacked.shape[2:]), list(stacked.shape), align_corners=False
        )
        sampled = functional.grid_sample(stacked, grid, padding_mode=self.padding_mode, align_corners=False)
        split = sampled.split([layer.shape[1] for layer in layers], dim=1)
        return [
            _labels(layer, count).to(part) if mode == LARGEST_SHARE else layer.to(part)
            for part, layer, mode, count in zip(parts, split, self.mode, counts, strict=True)
        ]


def _shares(labels: Tensor, count: int) -> Tensor:
    """A label map ``(N, 1, H, W)`` of 0 to ``count`` - 1 as ``(N, count, H, W)``: 1 where the label is, else 0."""
    return (labels == torch.arange(count, device=labels.device).view(1, -1, 1, 1)).float()


def _labels(shares: Tensor, count: int) -> Tensor:
    every = torch.arange(count, device=shares.device)
    return of_largest_share((label, shares[:, index : index + 1]) for index, label in enumerate(every))


def _matrices(parameters: list[Tensor], size: Sequence[int]) -> Tensor:
    """Where each pixel is taken from, ``(N, 2, 3)`` as ``affine_grid`` wants them: width first, edges at -1 and 1."""
    angle, *factors = parameters
    height, width = size
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    along_width = torch.stack([cos * factors[1], sin * factors[0] * height / width, zero], dim=1)
    along_height = torch.stack([-sin * factors[1] * width / height, cos * factors[0], zero], dim=1)
    return torch.stack([along_width, along_height], dim=1)
