"""The tokens of one round of hashing: sorted by bucket and cut into chunks, which loops take by blocks."""

import torch
from torch import Tensor
from torch.nn import functional

CPU_BLOCK = 2**19
"""Numbers in the largest tensor of a block: 2 MiB of float32. From 2^18 to 2^20 the time is the same."""

ACCELERATOR_BLOCK = 2**26
"""The same elsewhere, 256 MiB of float32: small blocks would leave a GPU waiting for the next one."""


def blocks(length: int, numbers_each: int, device: torch.device) -> list[slice]:
    """Cut ``range(length)`` into slices, each with about as many numbers as a block has on ``device``.

    Args:
        length: things to go through, at least one.
        numbers_each: numbers that one of them makes in the largest tensor of the loop.
        device: where they are computed.

    Returns:
        Slices in ascending order that cover ``range(length)`` once. A single one while a graph is traced or
        exported, as a loop would tie the graph to the size that it was traced with, and on the meta device, where
        nothing is computed.
    """
    if torch.compiler.is_exporting() or torch.jit.is_tracing() or device.type == "meta":
        return [slice(0, length)]
    step = max(1, (CPU_BLOCK if device.type == "cpu" else ACCELERATOR_BLOCK) // numbers_each)
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


class Chunks:
    """The order of one round, and the chunks that it makes of the tokens' rows.

    Chunks of all ``B`` sequences stand in one axis, first the first chunk of each sequence, then the second ones, so
    that the chunk before is always ``B`` further in front, and any run of chunks is a plain slice. In front of all
    stand ``B`` chunks of zeros, for the first ones have none before them; the last ones are filled up with zeros.
    Neither are tokens: ``no_token`` keeps them from being attended to.

    Args:
        order: ``(B, n)``, int64: the tokens' positions, sorted.
        chunk: tokens in a chunk.

    Attributes:
        count: chunks of tokens, of all sequences together.
        numbers: ``(B, n)``, int64: which chunk of its sequence, from 0, each token lies in.
        no_token: ``(B + count, chunk, 1)``, to be added to the scores of keys: 0, or -inf for the zeros.
    """

    def __init__(self, order: Tensor, chunk: int) -> None:
        self.batch, tokens = order.shape
        self.chunk = chunk
        each = (tokens + chunk - 1) // chunk
        self.count = self.batch * each
        missing = each * chunk - tokens
        sequences = torch.arange(self.batch, device=order.device)[:, None]
        # row 0 of a sequence is the one of zeros, see with_zeros
        rows = functional.pad(order + 1, (chunk, missing)) + sequences * (tokens + 1)
        self._rows = rows.unflatten(1, (1 + each, chunk)).transpose(0, 1).flatten()
        places = torch.arange(tokens, device=order.device).expand_as(order)
        places = torch.empty_like(order).scatter(1, order, places)
        self.numbers = places // chunk
        self._places = ((self.numbers * self.batch + sequences) * chunk + places % chunk).flatten()
        self.no_token = self.cut(with_zeros(torch.ones(*order.shape, 1, device=order.device))).log()

    def cut(self, rows: Tensor) -> Tensor:
        """Rows of :func:`with_zeros`, ``(B, n + 1, d)``, as ``(B + count, chunk, d)``."""
        return rows.flatten(0, 1).index_select(0, self._rows).unflatten(0, (self.batch + self.count, self.chunk))

    def joined(self, chunks: Tensor) -> Tensor:
        """``(count, chunk, d)`` as ``(B, n, d)`` in the tokens' own order, without the zeros."""
        return chunks.flatten(0, 1).index_select(0, self._places).unflatten(0, self.numbers.shape)

    def own(self, chunks: Tensor, part: slice) -> Tensor:
        """The chunks of ``part`` of 0..count out of ``(B + count, chunk, d)``: a view ``(part, chunk, d)``."""
        return chunks[part.start + self.batch : part.stop + self.batch]

    def windows(self, chunks: Tensor, part: slice) -> Tensor:
        """The chunks of ``part``, each behind the one before it: ``(part, 2 chunk, d)``."""
        return torch.cat([chunks[part], self.own(chunks, part)], dim=1)

    def add_windows(self, chunks: Tensor, part: slice, rows: Tensor) -> None:
        """Add what stands in windows ``(part, 2 chunk, d)`` to the ``chunks`` ``(B + count, chunk, d)`` they show."""
        chunks[part] += rows[:, : self.chunk]
        self.own(chunks, part).add_(rows[:, self.chunk :])


def with_zeros(rows: Tensor) -> Tensor:
    """``(B, n, d)`` behind a row of zeros, ``(B, n + 1, d)``."""
    return functional.pad(rows, (0, 0, 1, 0))
