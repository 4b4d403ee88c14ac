"""Random changes of the values of whole batches, on the device that these are on; see :mod:`.random_batches`."""

from collections.abc import Sequence

import torch
from monai.config import KeysCollection
from monai.networks.layers import gaussian_1d
from torch import Tensor
from torch.nn import functional

from covid_monai.errors import InputError
from covid_monai.transforms.counter_random import CounterRandom, normal_fields
from covid_monai.transforms.random_batches import RandomBatchTransform


class BatchRandScaleIntensityd(RandomBatchTransform):
    """Multiply the values of slices by a factor of 1 - ``factors`` to 1 + ``factors``."""

    def __init__(self, keys: KeysCollection, prob: float, factors: float) -> None:
        super().__init__(keys, prob)
        self.factors = factors

    def draw(self, draws: CounterRandom) -> list[Tensor]:
        """The factor less 1."""
        return [draws.uniform(-self.factors, self.factors)]

    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """Multiply all."""
        return [part * (1 + _each(parameters[0], part)) for part in parts]


class BatchRandShiftIntensityd(RandomBatchTransform):
    """Add a number of -``offsets`` to ``offsets`` to the values of slices."""

    def __init__(self, keys: KeysCollection, prob: float, offsets: float) -> None:
        super().__init__(keys, prob)
        self.offsets = offsets

    def draw(self, draws: CounterRandom) -> list[Tensor]:
        """The number."""
        return [draws.uniform(-self.offsets, self.offsets)]

    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """Add to all."""
        return [part + _each(parameters[0], part) for part in parts]


class BatchRandGaussianNoised(RandomBatchTransform):
    """Add Gaussian noise with a standard deviation of 0 to ``std``; all keys of a slice get the same."""

    def __init__(self, keys: KeysCollection, prob: float, std: float) -> None:
        super().__init__(keys, prob)
        self.std = std

    def draw(self, draws: CounterRandom) -> list[Tensor]:
        """The standard deviation, and the seed of the noise."""
        return [draws.uniform(0, self.std), draws.words()]

    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """Add to all."""
        deviation, seeds = parameters
        noise = normal_fields(seeds, parts[0].shape[1:])
        return [torch.addcmul(part, _each(deviation, part), noise.to(part)) for part in parts]


class BatchRandAdjustContrastd(RandomBatchTransform):
    """Raise the values of slices, brought to 0..1 by their own extremes, to a power, and bring them back.

    Args:
        keys, prob: see :class:`RandomBatchTransform`.
        gamma: the lowest and the highest power.

    Raises:
        InputError: these are not two positive numbers in ascending order.
    """

    def __init__(self, keys: KeysCollection, prob: float, gamma: Sequence[float]) -> None:
        super().__init__(keys, prob)
        self.lowest, self.highest = _ends(gamma, "gamma")

    def draw(self, draws: CounterRandom) -> list[Tensor]:
        """The power."""
        return [draws.uniform(self.lowest, self.highest)]

    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """Bend all."""
        return [_bent(part, parameters[0]) for part in parts]


def _bent(part: Tensor, gamma: Tensor) -> Tensor:
    lowest = part.amin(dim=(1, 2, 3), keepdim=True)
    # as MONAI has it, so that a slice of one value stays as it is
    span = part.amax(dim=(1, 2, 3), keepdim=True) - lowest
    return ((part - lowest) / (span + 1e-7)).pow(_each(gamma, part)) * span + lowest


class BatchRandGaussianSmoothd(RandomBatchTransform):
    """Blur slices by a Gaussian, of its own width along each axis; what lies outside of a slice counts as 0.

    Args:
        keys, prob: see :class:`RandomBatchTransform`.
        sigma: the smallest and the largest standard deviation in pixels.

    Raises:
        InputError: these are not two positive numbers in ascending order.
    """

    def __init__(self, keys: KeysCollection, prob: float, sigma: Sequence[float]) -> None:
        super().__init__(keys, prob)
        self.lowest, self.highest = _ends(sigma, "sigma")

    def draw(self, draws: CounterRandom) -> list[Tensor]:
        """The standard deviations along both axes."""
        return [draws.uniform(self.lowest, self.highest) for _ in range(2)]

    def change(self, parts: list[Tensor], parameters: list[Tensor]) -> list[Tensor]:
        """Blur all, one axis after the other."""
        return [_blurred(_blurred(part, parameters[0], axis=0), parameters[1], axis=1) for part in parts]


def _blurred(part: Tensor, sigmas: Tensor, axis: int) -> Tensor:
    """``(N, C, H, W)`` blurred along H (axis 0) or W (1), each slice by its own sigma.

    It is a sum of shifted slices: torch's convolutions round otherwise in batches of another size.
    """
    kernels = [gaussian_1d(sigma, truncated=4.0, approx="erf") for sigma in sigmas.cpu()]
    radius = max(map(len, kernels)) // 2
    weights = torch.stack([functional.pad(kernel, (radius - len(kernel) // 2,) * 2) for kernel in kernels]).to(part)
    margins = (0, 0, radius, radius) if axis == 0 else (radius, radius, 0, 0)
    padded, length = functional.pad(part, margins), part.shape[2 + axis]
    blurred = torch.zeros_like(part)
    for place, weight in enumerate(weights.unbind(dim=1)):
        blurred = blurred + _each(weight, part) * padded.narrow(2 + axis, place, length)
    return blurred


def _ends(values: Sequence[float], name: str) -> tuple[float, float]:
    if len(values) != 2 or not 0 < values[0] <= values[1]:
        raise InputError(f"{name} is {list(values)}; give the lowest and the highest value, both above 0")
    return values[0], values[1]


def _each(parameter: Tensor, part: Tensor) -> Tensor:
    """A slice's number each as something that multiplies or is added to ``(N, C, H, W)``."""
    return parameter.to(part).view(-1, 1, 1, 1)
