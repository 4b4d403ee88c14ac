"""Angular locality-sensitive hashing: tokens that point in similar directions fall into the same bucket."""

import hashlib

import torch
from torch import Tensor

from covid_monai.networks.blocks.lsh.chunks import blocks

LARGEST_FACTOR = 64
"""Buckets that one rotation yields at most. Two rotations together yield 64 * 64."""


def draw_rotations(seed: int, step: int | None, rounds: int, width: int) -> Tensor:
    """Random projections as a function of these arguments alone, whatever the number of tokens and the device.

    Args:
        seed: of the module that hashes.
        step: of training, or ``None`` for the one set of projections that evaluation uses.
        rounds: independent rounds of hashing.
        width: numbers in a token.

    Returns:
        ``(rounds, 2, width, 32)`` standard normal numbers, float32, on the CPU.
    """
    digest = hashlib.sha256(f"rotations of seed {seed} at step {step}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.randn(rounds, 2, width, LARGEST_FACTOR // 2, generator=generator, device="cpu")


def bucket_factors(tokens: Tensor, chunk: int) -> Tensor:
    """Two factors whose product, the number of buckets, is about ``tokens / chunk``.

    One rotation for that many buckets would make the hash quadratic: 136,161 tokens have 2,128 chunks. Two rotations
    of at most 64 buckets each are linear. More than 4,096 chunks still get 4,096 buckets.

    Args:
        tokens: how many there are; a tensor, so that an exported graph follows the size of its input.
        chunk: tokens in a chunk.

    Returns:
        ``(2,)``, int64, each even and at most 64, or 1: the second where one rotation suffices, both where one chunk
        holds all tokens.
    """

    def nearest_even(number: Tensor) -> Tensor:
        return ((number / 2 + 0.5).floor() * 2).clamp(2, LARGEST_FACTOR)

    chunks = tokens.double() / chunk
    two_rotations = chunks > LARGEST_FACTOR
    first = nearest_even(torch.where(two_rotations, chunks.sqrt(), chunks))
    second = torch.where(two_rotations, nearest_even(chunks / first), 1.0)
    return torch.stack([torch.where(chunks > 1, first, 1.0), second]).long()


def hash_tokens(tokens: Tensor, rotation: Tensor, factors: Tensor) -> Tensor:
    """The bucket of each token in one round: ``argmax([xR; -xR])`` (Reformer, section 2), a digit for each factor.

    Args:
        tokens: ``(B, n, width)``; only their directions matter.
        rotation: ``(2, width, 32)``, one round of :func:`draw_rotations`.
        factors: of :func:`bucket_factors`.

    Returns:
        ``(B, n)``, int64, below the product of the factors.
    """
    half = factors // 2
    columns = torch.arange(rotation.shape[-1], device=rotation.device)
    # a column of zeros is never the largest in magnitude: it takes a bucket and its opposite away
    projection = (rotation * (columns < half[:, None])[:, None]).to(tokens.dtype).transpose(0, 1).flatten(1)
    buckets = []
    for part in blocks(tokens.shape[1], tokens.shape[0] * projection.shape[1], tokens.device):
        projected = (tokens[:, part] @ projection).unflatten(-1, (2, -1))
        nearest = projected.abs().argmax(-1, keepdim=True)
        opposite = projected.gather(-1, nearest) < 0
        digits = (nearest + opposite * half[:, None]).squeeze(-1)
        buckets.append(digits[..., 0] * factors[1] + digits[..., 1])
    return torch.cat(buckets, dim=1)


def sort_by_bucket(buckets: Tensor) -> Tensor:
    """Positions ``(B, n)`` in the order of their buckets ``(B, n)``; within a bucket the lower position first."""
    tokens = buckets.shape[1]
    positions = torch.arange(tokens, device=buckets.device)
    # one integer for bucket and position: no two are equal, so every sorting algorithm gives this order
    return (buckets * tokens + positions).sort(dim=1).indices
