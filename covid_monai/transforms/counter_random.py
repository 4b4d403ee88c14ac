"""Random numbers of all slices of a batch at once, each a function of its slice's seed and a counter.

A generator has a state, so each slice would need one of its own, in Python. Here number i of a slice is a hash of its
seed and i: the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"),
whose stream it is. A slice draws the same in every batch, process and worker, and on every device up to the rounding of
logarithm and cosine.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def _signed(word: int) -> int:
    """The lowest 64 bits of ``word`` as torch's int64 holds them."""
    word %= 1 << 64
    return word - (1 << 64) if word >= 1 << 63 else word


_STEP = _signed(0x9E3779B97F4A7C15)
_ROUNDS = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))


def mixed(words: Tensor) -> Tensor:
    """64 bits whose every one depends on all of a word's; ``words`` are int64 of any shape, products wrap around."""
    for shift, factor in _ROUNDS:
        words = (words ^ _shifted(words, shift)) * factor
    return words ^ _shifted(words, 31)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """A logical shift to the right; torch's repeats the sign."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


class CounterRandom:
    """What the slices of a batch draw, one number after another.

    Args:
        seeds: (N) int64, a slice's each, whose bits are mixed already.
    """

    def __init__(self, seeds: Tensor) -> None:
        self.seeds = seeds
        self.drawn = 0

    def words(self) -> Tensor:
        """The next 64 random bits of each slice, (N) int64."""
        self.drawn += 1
        return mixed(self.seeds + _signed(self.drawn * _STEP))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """The next number of each slice, (N) float64, from ``low`` to ``high``, which itself is not drawn."""
        return low + (high - low) * (_shifted(self.words(), 11).double() / (1 << 53))


def normal_fields(seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers, independent ones at all places, by Box and Muller's transform.

    Args:
        seeds: (N) int64, such as :meth:`CounterRandom.words` of the slices; a field each, on this device.
        shape: of a field.

    Returns:
        (N, \\*shape) float32, up to 5.9 standard deviations from 0.
    """
    size = math.prod(shape)
    pairs = torch.arange(1, (size + 1) // 2 + 1, device=seeds.device) * _STEP
    words = mixed(seeds[:, None] + pairs)
    # 24 bits each, which float32 holds without rounding; half a step keeps the logarithm finite
    first, second = (_shifted(words, shift).bitwise_and((1 << 24) - 1).float() for shift in (40, 16))
    radius = torch.sqrt(-2 * torch.log((first + 0.5) / (1 << 24)))
    angle = second * (2 * math.pi / (1 << 24))
    both = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
    return both[:, :size].reshape(len(seeds), *shape)
