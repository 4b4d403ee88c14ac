"""Attention among the pixels that locality-sensitive hashing brings together."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from covid_monai.networks.blocks.lsh.chunks import Chunks, blocks, with_zeros
from covid_monai.networks.blocks.lsh.hashing import bucket_factors, draw_rotations, hash_tokens, sort_by_bucket
from covid_monai.networks.blocks.lsh.round import Round


class LSHAttention(nn.Module):
    """LSH attention of Reformer (Kitaev et al. 2020) among the pixels of a feature map, in several heads.

    Chen et al. 2020, section II-C, put it into the decoder of their network; :func:`lsh_attention` has the equations.
    The 1x1 projections to the shared query and key, to the values and to the output are the multi-head attention's.

    In training every forward pass draws new rotations from ``seed`` and ``step``, and advances ``step``, a buffer
    that is saved with the weights: resumed training goes on with the rotations that it would have had. In evaluation
    the rotations are always the same. ``rounds`` and ``chunk`` are no part of the weights and can differ there.

    Args:
        channels: of the features, a multiple of ``heads``.
        heads: attention heads, each ``channels / heads`` wide.
        rounds: of hashing; more find more of the pairs that belong together, and cost in proportion.
        chunk: pixels in a chunk; a pixel attends to its chunk and to the one before.
        seed: of the rotations.
        within_bucket: whether a pixel attends to those of its own bucket alone, as Chen et al. print it
            (``P_i = {j : h(q_i) = h(k_j)}``); otherwise to all of its two chunks, as Reformer's own runs do.

    Raises:
        ValueError: a setting is not positive, or ``heads`` does not divide ``channels``.
    """

    step: Tensor
    evaluation_rotations: Tensor

    def __init__(
        self, channels: int, heads: int, rounds: int, chunk: int, seed: int = 0, within_bucket: bool = False
    ) -> None:
        super().__init__()
        if min(channels, heads, rounds, chunk) < 1 or channels % heads:
            raise ValueError(
                f"channels {channels}, heads {heads}, rounds {rounds}, chunk {chunk}: all must be positive, and "
                "channels a multiple of heads; change one of them"
            )
        self.heads, self.rounds, self.chunk, self.seed = heads, rounds, chunk, seed
        self.within_bucket = within_bucket
        self.shared = nn.Conv2d(channels, channels, kernel_size=1, bias=False)
        self.values = nn.Conv2d(channels, channels, kernel_size=1, bias=False)
        self.output = nn.Conv2d(channels, channels, kernel_size=1)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        rotations = draw_rotations(seed, None, rounds, channels // heads)
        self.register_buffer("evaluation_rotations", rotations, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """What ``features`` ``(N, C, H, W)`` attend to, of the same shape; the features themselves are not added."""
        height, width = features.shape[2:]
        shared, values = self._tokens(self.shared(features)), self._tokens(self.values(features))
        attended = lsh_attention(
            shared, values, self._rotations().to(features.device), self.chunk, within_bucket=self.within_bucket
        )
        return self.output(attended.to(values.dtype).mT.reshape(features.shape[0], -1, height, width))

    def _tokens(self, features: Tensor) -> Tensor:
        """``(N, C, H, W)`` as ``(N * heads, H * W, C / heads)``."""
        return features.unflatten(1, (self.heads, -1)).flatten(3).flatten(0, 1).mT.contiguous()

    def _rotations(self) -> Tensor:
        # a meta tensor has no value to draw from; there only shapes matter
        if not self.training or self.step.is_meta:
            return self.evaluation_rotations
        rotations = draw_rotations(self.seed, int(self.step), self.rounds, self.evaluation_rotations.shape[2])
        self.step += 1
        return rotations


def lsh_attention(
    shared: Tensor, values: Tensor, rotations: Tensor, chunk: int, *, within_bucket: bool = False
) -> Tensor:
    """Attention of each token to those that hashing brings near it: Reformer's multi-round LSH attention, not causal.

    Queries are the shared vectors, keys the same at unit length, scores ``q.k / sqrt(d)``. Each round hashes the
    tokens to about ``n / chunk`` buckets, sorts them by bucket, then position, and cuts them into chunks; a token
    attends to its chunk and to the one before (the first has none), whatever the buckets in it, or to those of its
    own bucket in them. Its own key scores -1e5. Rounds are weighted by their log-sum-exp; a pair that meets in several
    rounds is discounted by the log of their number. Memory is linear in ``n``: scores exist for one block of chunks at
    a time, in the backward pass too.

    Args:
        shared: ``(B, n, d)`` queries and keys; computed in float32 at least, under autocast too.
        values: ``(B, n, e)``.
        rotations: ``(rounds, 2, d, 32)`` of :func:`draw_rotations`.
        chunk: tokens in a chunk.
        within_bucket: whether tokens of other buckets are masked.

    Returns:
        ``(B, n, e)``, in float32 at least.
    """
    with _autocast_off(shared.device):
        at_least_float32 = torch.promote_types(shared.dtype, torch.float32)
        # a few sequences at a time, as rows that are picked in random order should come from the processor's cache
        parts = blocks(shared.shape[0], shared.shape[1] * shared.shape[2], shared.device)
        sizes = [part.stop - part.start for part in parts]
        outputs = [
            _attend(some_shared.to(at_least_float32), some_values.to(at_least_float32), rotations, chunk, within_bucket)
            for some_shared, some_values in zip(shared.split(sizes), values.split(sizes), strict=True)
        ]
        return torch.cat(outputs)


def _attend(shared: Tensor, values: Tensor, rotations: Tensor, chunk: int, within_bucket: bool) -> Tensor:
    """:func:`lsh_attention` for some of the sequences, in their own number format."""
    buckets = _buckets(shared.detach(), rotations, chunk)
    orders = torch.stack([sort_by_bucket(of_round) for of_round in buckets.unbind()])
    masked = buckets.to(shared.dtype) if within_bucket else None
    queries = shared * (math.log2(math.e) / math.sqrt(shared.shape[2]))
    keys = functional.normalize(shared, dim=2)
    if torch.is_grad_enabled() and not torch.compiler.is_exporting() and not torch.jit.is_tracing():
        output: Tensor = _AllRounds.apply(queries, keys, values, orders, chunk, masked)
        return output
    return _combined(_rounds(orders, chunk, shared.dtype, masked), queries, keys, values)[0]


def _autocast_off(device: torch.device) -> AbstractContextManager[Any]:
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def _buckets(tokens: Tensor, rotations: Tensor, chunk: int) -> Tensor:
    """``(rounds, B, n)``: the bucket of each of the ``tokens`` ``(B, n, d)`` in each round."""
    last = torch.arange(tokens.shape[1], device=tokens.device)[-1]
    factors = bucket_factors(last + 1, chunk)
    return torch.stack([hash_tokens(tokens, rotation, factors) for rotation in rotations.unbind()])


def _rounds(orders: Tensor, chunk: int, dtype: torch.dtype, buckets: Tensor | None) -> list[Round]:
    """The rounds; ``buckets`` ``(rounds, B, n)`` are in their own number format, None where they do not count."""
    chunks = [Chunks(order, chunk) for order in orders.unbind()]
    numbers = torch.stack([each.numbers for each in chunks], dim=2).to(dtype)
    others = [[other for other in range(len(chunks)) if other != this] for this in range(len(chunks))]
    return [
        Round(each, numbers[:, :, other], None if buckets is None else buckets[[this, *other]].movedim(0, 2))
        for this, (each, other) in enumerate(zip(chunks, others, strict=True))
    ]


def _combined(rounds: list[Round], queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The rounds' outputs ``(B, n, e)`` weighted by their totals, and the total ``(B, n, 1)`` of all."""
    rows = with_zeros(queries), with_zeros(keys), with_zeros(values)
    output, total = rounds[0].attend(*rows)
    for each in rounds[1:]:
        more, more_total = each.attend(*rows)
        before, total = total, torch.logaddexp2(total, more_total)
        output = output * (before - total).exp2() + more * (more_total - total).exp2()
    return output, total


class _AllRounds(torch.autograd.Function):
    """:func:`_combined`; keeps inputs, output and orders, and computes the scores again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        orders: Tensor,
        chunk: int,
        buckets: Tensor | None,
    ) -> Tensor:
        output, total = _combined(_rounds(orders, chunk, queries.dtype, buckets), queries, keys, values)
        ctx.save_for_backward(queries, keys, values, orders, output, total, buckets)
        ctx.chunk = chunk
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, values, orders, output, total, buckets = ctx.saved_tensors
        inner = (gradient * output).sum(2, keepdim=True)
        sums = [torch.zeros_like(each) for each in (queries, keys, values)]
        with _autocast_off(gradient.device):
            rows = [with_zeros(each) for each in (queries, keys, values, gradient, total, inner)]
            for each in _rounds(orders, ctx.chunk, queries.dtype, buckets):
                for total_gradient, more in zip(sums, each.gradients(*rows), strict=True):
                    total_gradient.add_(more)
        return *sums, None, None, None
