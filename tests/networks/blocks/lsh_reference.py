"""LSH attention as the equations have it (Chen et al. 2020, section II-C), to hold the fast one against."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from covid_monai.networks.blocks.lsh.hashing import bucket_factors, hash_tokens


def bucket_numbers(shared: Tensor, rotations: Tensor, chunk: int) -> list[list[int]]:
    """For each round, the bucket of each of the tokens ``(n, d)``."""
    factors = bucket_factors(torch.tensor(shared.shape[0]), chunk)
    return [hash_tokens(shared[None], rotation, factors)[0].tolist() for rotation in rotations]


def chunk_numbers(shared: Tensor, rotations: Tensor, chunk: int) -> list[list[int]]:
    """For each round, the chunk of each of the tokens ``(n, d)``: sorted by bucket, then position."""
    tokens = shared.shape[0]
    rounds = []
    for buckets in bucket_numbers(shared, rotations, chunk):
        order = sorted(range(tokens), key=lambda position: (buckets[position], position))
        place = {position: index for index, position in enumerate(order)}
        rounds.append([place[position] // chunk for position in range(tokens)])
    return rounds


def attention_by_equations(
    shared: Tensor, values: Tensor, rotations: Tensor, chunk: int, within_bucket: bool = False
) -> Tensor:
    """One sequence ``(n, d)``, with the sets P_i and the counts N_ij written out."""
    tokens, width = shared.shape
    numbers = chunk_numbers(shared.detach(), rotations, chunk)
    sets = [
        [{j for j in range(tokens) if number[j] in (number[i] - 1, number[i])} for number in numbers]
        for i in range(tokens)
    ]
    if within_bucket:
        buckets = bucket_numbers(shared.detach(), rotations, chunk)
        sets = [
            [{j for j in attended if of[j] == of[i]} for attended, of in zip(sets[i], buckets, strict=True)]
            for i in range(tokens)
        ]
    keys = functional.normalize(shared, dim=1)
    outputs = []
    for i in range(tokens):
        parts, logs = [], []
        for attended in sets[i]:
            scores = []
            for j in sorted(attended):
                met = sum(j in other for other in sets[i])
                penalty = 1e5 if i == j else math.log(met)
                scores.append(shared[i] @ keys[j] / math.sqrt(width) - penalty)
            partition = torch.logsumexp(torch.stack(scores), 0)
            weights = torch.exp(torch.stack(scores) - partition)
            parts.append(weights @ values[sorted(attended)])
            logs.append(partition)
        total = torch.logsumexp(torch.stack(logs), 0)
        outputs.append(sum(torch.exp(log - total) * part for log, part in zip(logs, parts, strict=True)))
    return torch.stack(outputs)
