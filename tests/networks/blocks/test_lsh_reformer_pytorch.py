"""LSH attention against the package reformer-pytorch, where both can be set to the same.

That package lets the first chunk of a round look back at the last one of the round before, with pairs that it then
counts as met zero times; here the first chunk looks back at nothing. So tokens in the first chunk of any round are
left out of the comparison. Its own-key score is -5e4 and its count of meetings is raised by 1e-9, neither of which
shows at the tolerance. The number of tokens has to be a multiple of two chunks there.
"""

import torch
from reformer_pytorch import LSHAttention as ReformerAttention

from covid_monai.networks.blocks.lsh.attention import lsh_attention
from covid_monai.networks.blocks.lsh.hashing import bucket_factors, draw_rotations
from tests.networks.blocks.lsh_reference import chunk_numbers

CHUNK, TOKENS, WIDTH, ROUNDS = 4, 80, 6, 3


def inputs(seed: int):
    generator = torch.Generator().manual_seed(seed)
    shared, values = (torch.randn(1, TOKENS, WIDTH, dtype=torch.float64, generator=generator) for _ in range(2))
    return (4 * shared).requires_grad_(), values.requires_grad_()


def by_the_package(shared, values, rotations, monkeypatch):
    attention = ReformerAttention(
        bucket_size=CHUNK, n_hashes=len(rotations), causal=False, allow_duplicate_attention=False
    )
    half = TOKENS // CHUNK // 2
    assert bucket_factors(torch.tensor(TOKENS), CHUNK).tolist() == [2 * half, 1]
    # the package draws (1, width, rounds, half) numbers
    drawn = rotations[:, 0, :, :half].permute(1, 0, 2)[None].double()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", lambda shape, **_: drawn if shape == drawn.shape else None)
        return attention(shared, values)[0]


def never_in_a_first_chunk(shared, rotations) -> torch.Tensor:
    numbers = torch.tensor(chunk_numbers(shared[0].detach(), rotations, CHUNK))
    return (numbers > 0).all(0)


def test_output_and_gradients_are_those_of_reformer_pytorch(monkeypatch):
    compared = 0
    for seed in range(4):
        shared, values = inputs(seed)
        rotations = draw_rotations(seed, 0, ROUNDS, WIDTH)
        kept = never_in_a_first_chunk(shared, rotations)
        compared += int(kept.sum())
        results = []
        for output in (
            lsh_attention(shared, values, rotations, CHUNK),
            by_the_package(shared, values, rotations, monkeypatch),
        ):
            chosen = output[0, kept]
            weights = torch.linspace(-1, 2, chosen.numel(), dtype=torch.float64).view_as(chosen)
            results.append((chosen, *torch.autograd.grad((chosen * weights).sum(), (shared, values))))
        for ours, theirs in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)
    # with three rounds of 20 chunks about 14 % of the tokens are in a first chunk
    assert compared > 0.8 * 4 * TOKENS


def test_a_single_round_is_that_of_reformer_pytorch(monkeypatch):
    shared, values = inputs(0)
    rotations = draw_rotations(0, 0, 1, WIDTH)
    kept = never_in_a_first_chunk(shared, rotations)
    assert int(kept.sum()) == TOKENS - CHUNK
    ours = lsh_attention(shared, values, rotations, CHUNK)[0, kept]
    torch.testing.assert_close(ours, by_the_package(shared, values, rotations, monkeypatch)[0, kept], rtol=0, atol=1e-8)
