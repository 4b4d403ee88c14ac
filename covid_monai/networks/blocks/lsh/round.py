"""One round of LSH attention, forwards and backwards, a block of chunks at a time.

Scores are powers of two instead of powers of e, ``2^(x log2(e)) = e^x``: processors compute them faster, and most of
the time goes into passes over the scores of all pairs.
"""

import math

import torch
from torch import Tensor

from covid_monai.networks.blocks.lsh.chunks import Chunks, blocks, with_zeros

OWN_KEY_SCORE = -1e5 * math.log2(math.e)
"""Added to the score of a position's own key, which so counts only where its window holds no other."""


class Round:
    """One round of hashing: its chunks, and which pairs of tokens the other rounds bring together too.

    All rows that go in are those of :func:`with_zeros`, ``(B, n + 1, d)``; all that come out are ``(B, n, d)``.

    Args:
        chunks: the tokens' order in this round.
        others: ``(B, n, rounds - 1)``, float, the numbers of the tokens' chunks in the other rounds.
        buckets: ``(B, n, rounds)``, float, the tokens' buckets in this round, then in the other ones, if a token
            attends to its own bucket alone; None if to all of its window.
    """

    def __init__(self, chunks: Chunks, others: Tensor, buckets: Tensor | None = None) -> None:
        self.chunks = chunks
        self.others = chunks.cut(with_zeros(others)) if others.shape[2] else None
        # buckets count from 1, so that the zeros that fill up the chunks have one of their own
        self.buckets = None if buckets is None else chunks.cut(with_zeros(buckets + 1))
        own = torch.eye(chunks.chunk, 2 * chunks.chunk, dtype=others.dtype, device=others.device)
        self.own_keys = own.roll(chunks.chunk, 1) * OWN_KEY_SCORE

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs ``(B, n, d)``, and ``log2(sum of 2^score)`` of each token's window, ``(B, n, 1)``."""
        queries, keys, values = (self.chunks.cut(rows) for rows in (queries, keys, values))
        outputs, totals = [], []
        for part in self._blocks():
            scores = self._scores(queries, keys, part)
            largest = scores.amax(-1, keepdim=True)
            weights = self._shared_among_rounds(scores.sub_(largest).exp2_(), part)
            total = weights.sum(-1, keepdim=True)
            outputs.append(torch.bmm(weights, self.chunks.windows(values, part)) / total)
            totals.append(largest + total.log2())
        return self.chunks.joined(torch.cat(outputs)), self.chunks.joined(torch.cat(totals))

    def gradients(
        self, queries: Tensor, keys: Tensor, values: Tensor, gradient: Tensor, total: Tensor, inner: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of queries, keys and values that come through this round.

        Args:
            queries, keys, values: as for :meth:`attend`.
            gradient: of the output of all rounds together.
            total: ``log2(sum of 2^score)`` over all rounds. With it a pair's weight in the output of all rounds is
                known at once, and no gradient of the rounds' own totals is needed.
            inner: ``sum(gradient * output)`` of each token.
        """
        own, windows = self.chunks.own, self.chunks.windows
        queries, keys, values = (self.chunks.cut(rows) for rows in (queries, keys, values))
        gradient, total, inner = (self.chunks.cut(rows) for rows in (gradient, total, inner))
        of_queries, of_keys, of_values = (torch.zeros_like(chunks) for chunks in (queries, keys, values))
        for part in self._blocks():
            scores = self._scores(queries, keys, part)
            weights = self._shared_among_rounds(scores.sub_(own(total, part)).exp2_(), part)
            self.chunks.add_windows(of_values, part, torch.bmm(weights.mT, own(gradient, part)))
            of_weights = torch.bmm(own(gradient, part), windows(values, part).mT)
            of_scores = of_weights.sub_(own(inner, part)).mul_(weights)
            own(of_queries, part).copy_(torch.bmm(of_scores, windows(keys, part)))
            self.chunks.add_windows(of_keys, part, torch.bmm(of_scores.mT, own(queries, part)))
        all_chunks = slice(0, self.chunks.count)
        of_queries, of_keys, of_values = (
            self.chunks.joined(own(gradients, all_chunks)) for gradients in (of_queries, of_keys, of_values)
        )
        # the derivative of 2^score is log(2) 2^score
        return of_queries * math.log(2), of_keys * math.log(2), of_values

    def _blocks(self) -> list[slice]:
        return blocks(self.chunks.count, self.own_keys.numel(), self.own_keys.device)

    def _scores(self, queries: Tensor, keys: Tensor, part: slice) -> Tensor:
        """Scores ``(part, chunk, 2 chunk)``, -inf where there is no key."""
        scores = torch.baddbmm(self.own_keys, self.chunks.own(queries, part), self.chunks.windows(keys, part).mT)
        scores.add_(self.chunks.windows(self.chunks.no_token, part).mT)
        if self.buckets is None:
            return scores
        own, keys_own = self.chunks.own(self.buckets, part)[..., :1], self.chunks.windows(self.buckets, part)[..., :1]
        # of what fills up the last chunk nothing is masked: without any key its weights would be no numbers
        return scores.masked_fill_((own != keys_own.mT) & (own > 0), -math.inf)

    def _shared_among_rounds(self, weights: Tensor, part: slice) -> Tensor:
        """Divide the weights of pairs by the number of rounds in which they meet, in place (Chen et al., end of II-C).

        They meet where the key's chunk is the query's or the one before: where ``2 (query - key) - 1``, which is odd,
        is 1 or -1. So counted there is no comparison, which would take many times as long as this arithmetic. Where
        a token attends to its own bucket alone, they have to be of one bucket there too.
        """
        if self.others is None:
            return weights
        of_queries = 2 * self.chunks.own(self.others, part) - 1
        of_keys = (2 * self.chunks.windows(self.others, part)).mT.contiguous()
        met = torch.full_like(weights, 2 * of_keys.shape[1] + 1)
        for other in range(of_keys.shape[1]):
            apart = of_queries[:, :, other, None] - of_keys[:, None, other]
            missed = apart.abs_().clamp_(max=2)
            if self.buckets is not None:
                of_bucket = self.chunks.own(self.buckets, part)[..., other + 1, None]
                of_other = self.chunks.windows(self.buckets, part)[..., other + 1]
                missed.masked_fill_(of_bucket != of_other[:, None], 2)
            met.sub_(missed)
        return weights.div_(met)
