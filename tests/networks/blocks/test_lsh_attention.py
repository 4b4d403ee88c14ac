"""LSH attention against the equations, and at the edges of its chunks."""

import math

import pytest
import torch
from torch.nn import functional

from covid_monai.networks.blocks.lsh.attention import lsh_attention
from covid_monai.networks.blocks.lsh.hashing import bucket_factors, draw_rotations, hash_tokens
from tests.networks.blocks.lsh_reference import attention_by_equations, chunk_numbers


def random_tokens(batch: int, tokens: int, width: int = 6, value_width: int = 5, seed: int = 0):
    """Queries/keys longer than one, so that attention is far from even, and values; float64."""
    generator = torch.Generator().manual_seed(seed)
    shared = 4 * torch.randn(batch, tokens, width, dtype=torch.float64, generator=generator)
    values = torch.randn(batch, tokens, value_width, dtype=torch.float64, generator=generator)
    return shared.requires_grad_(), values.requires_grad_()


def output_and_gradients(attention, shared, values):
    """The output, and the gradients of a sum that weighs every number of it differently."""
    output = attention(shared, values)
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    return output.detach(), *torch.autograd.grad((output * weights).sum(), (shared, values))


def assert_same(first, second, tolerance=1e-10):
    for entry, other in zip(first, second, strict=True):
        torch.testing.assert_close(entry, other, rtol=0, atol=tolerance)


def full_attention(shared, values):
    scores = shared @ functional.normalize(shared, dim=2).mT / math.sqrt(shared.shape[2])
    own = torch.eye(shared.shape[1], dtype=torch.bool)
    return scores.masked_fill(own, -1e5).softmax(-1) @ values


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize(("tokens", "chunk"), [(24, 24), (24, 64), (2, 2), (1, 4)])
def test_one_chunk_over_everything_is_full_attention(tokens, chunk, rounds):
    shared, values = random_tokens(3, tokens)
    rotations = draw_rotations(0, 0, rounds, width=6)
    expected = output_and_gradients(full_attention, shared, values)
    assert_same(output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, chunk), shared, values), expected)


@pytest.mark.parametrize("rounds", [1, 2, 4])
@pytest.mark.parametrize(("tokens", "chunk"), [(32, 8), (37, 8), (9, 8), (8, 9), (5, 1), (40, 3)])
def test_rounds_follow_reformers_equations(tokens, chunk, rounds):
    shared, values = random_tokens(2, tokens, seed=tokens)
    rotations = draw_rotations(1, 0, rounds, width=6)

    def by_equations(shared, values):
        pairs = zip(shared, values, strict=True)
        return torch.stack([attention_by_equations(s, v, rotations, chunk) for s, v in pairs])

    expected = output_and_gradients(by_equations, shared, values)
    assert_same(output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, chunk), shared, values), expected)


@pytest.mark.parametrize("rounds", [1, 2, 4])
@pytest.mark.parametrize(("tokens", "chunk"), [(32, 8), (37, 8), (9, 8), (8, 9), (5, 1), (140, 2)])
def test_within_buckets_the_equations_are_the_papers(tokens, chunk, rounds):
    shared, values = random_tokens(2, tokens, seed=tokens)
    rotations = draw_rotations(1, 0, rounds, width=6)

    def by_equations(shared, values):
        pairs = zip(shared, values, strict=True)
        return torch.stack([attention_by_equations(s, v, rotations, chunk, within_bucket=True) for s, v in pairs])

    def ours(shared, values):
        return lsh_attention(shared, values, rotations, chunk, within_bucket=True)

    assert_same(output_and_gradients(ours, shared, values), output_and_gradients(by_equations, shared, values))


@pytest.mark.parametrize(("tokens", "chunk"), [(1, 8), (5, 8), (9, 8), (8, 8), (31, 8)])
def test_within_buckets_everything_is_finite_however_much_padding_there_is(tokens, chunk):
    shared, values = random_tokens(2, tokens)
    rotations = draw_rotations(0, 0, 3, width=6)

    def ours(shared, values):
        return lsh_attention(shared, values, rotations, chunk, within_bucket=True)

    for numbers in output_and_gradients(ours, shared, values):
        assert torch.isfinite(numbers).all()


def test_within_buckets_blocks_of_any_length_and_no_gradients_give_the_same(monkeypatch):
    shared, values = random_tokens(3, 30)
    rotations = draw_rotations(0, 0, 2, width=6)
    expected = lsh_attention(shared, values, rotations, 8, within_bucket=True)
    assert not torch.allclose(expected, lsh_attention(shared, values, rotations, 8))
    monkeypatch.setattr("covid_monai.networks.blocks.lsh.chunks.CPU_BLOCK", 100)
    with torch.no_grad():
        torch.testing.assert_close(lsh_attention(shared, values, rotations, 8, within_bucket=True), expected)


def test_many_buckets_of_two_rotations_follow_the_equations_too():
    # 70 chunks: more than one rotation yields
    shared, values = random_tokens(1, 140)
    rotations = draw_rotations(2, 0, 2, width=6)
    expected = attention_by_equations(shared[0], values[0], rotations, chunk=2)
    torch.testing.assert_close(lsh_attention(shared, values, rotations, chunk=2)[0], expected, rtol=0, atol=1e-10)


def test_blocks_of_any_length_give_the_same(monkeypatch):
    shared, values = random_tokens(3, 30)
    rotations = draw_rotations(0, 0, 2, width=6)
    results = []
    for numbers in (100, 400, 2**30):
        monkeypatch.setattr("covid_monai.networks.blocks.lsh.chunks.CPU_BLOCK", numbers)
        results.append(output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, 8), shared, values))
    for other in results[1:]:
        assert_same(results[0], other, tolerance=1e-13)


def test_gradients_are_those_of_finite_differences():
    shared, values = random_tokens(2, 11, width=3, value_width=2)
    rotations = draw_rotations(0, 0, 2, width=3)
    assert torch.autograd.gradcheck(lambda s, v: lsh_attention(s, v, rotations, 4), (shared, values))


SEED_THAT_SEPARATES_CLUSTERS = 332
"""Of the first 400 the only one whose two rounds give four clusters four buckets."""


def clusters(sizes, width=8):
    """Tokens around orthogonal directions, ``sizes`` of them each: a rotation keeps such a cluster in one bucket."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.eye(width, dtype=torch.float64)[: len(sizes)].repeat_interleave(torch.tensor(sizes), 0)
    return directions + 0.02 * torch.randn(sum(sizes), width, dtype=torch.float64, generator=generator)


def test_permuted_tokens_give_the_permuted_output_where_every_bucket_lies_within_a_chunk():
    shared = 3 * clusters([8, 8, 8, 8])[None]
    values = torch.randn(1, 32, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rotations = draw_rotations(SEED_THAT_SEPARATES_CLUSTERS, 0, 2, width=8)
    factors = bucket_factors(torch.tensor(32), 8)
    for rotation, numbers in zip(rotations, chunk_numbers(shared[0], rotations, 8), strict=True):
        chunks_of_bucket = {}
        for bucket, number in zip(hash_tokens(shared, rotation, factors)[0].tolist(), numbers, strict=True):
            chunks_of_bucket.setdefault(bucket, set()).add(number)
        assert all(len(chunks) == 1 for chunks in chunks_of_bucket.values())
    permutation = torch.randperm(32, generator=torch.Generator().manual_seed(2))
    output = lsh_attention(shared, values, rotations, 8)
    permuted = lsh_attention(shared[:, permutation], values[:, permutation], rotations, 8)
    torch.testing.assert_close(permuted, output[:, permutation], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("tokens", "chunk"), [(1, 8), (5, 8), (9, 8), (8, 8), (31, 8)])
def test_values_and_gradients_are_finite_however_much_padding_there_is(tokens, chunk):
    shared, values = random_tokens(2, tokens)
    rotations = draw_rotations(0, 0, 3, width=6)
    for numbers in output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, chunk), shared, values):
        assert torch.isfinite(numbers).all()


def test_padding_has_no_influence():
    shared, values = random_tokens(2, 7)
    rotations = draw_rotations(0, 0, 2, width=6)
    without = output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, 7), shared, values)
    assert_same(output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, 50), shared, values), without, 1e-13)


def test_a_single_token_attends_to_itself():
    shared, values = random_tokens(2, 1)
    assert torch.equal(lsh_attention(shared, values, draw_rotations(0, 0, 2, width=6), 8), values)


def test_equal_or_zero_tokens_and_huge_ones_give_finite_gradients():
    rotations = draw_rotations(0, 0, 2, width=6)
    for tokens in (torch.zeros(1, 20, 6), torch.ones(1, 20, 6), 1e4 * torch.randn(1, 20, 6)):
        shared, values = tokens.requires_grad_(), torch.randn(1, 20, 5, requires_grad=True)
        for numbers in output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, 8), shared, values):
            assert torch.isfinite(numbers).all()


def test_each_sequence_of_a_batch_is_attended_to_alone():
    shared, values = random_tokens(4, 21)
    rotations = draw_rotations(0, 0, 2, width=6)
    together = lsh_attention(shared, values, rotations, 4)
    alone = torch.cat([lsh_attention(shared[[b]], values[[b]], rotations, 4) for b in range(4)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-13)


def test_without_gradients_the_output_is_the_same_to_the_bit():
    shared, values = random_tokens(2, 50)
    rotations = draw_rotations(0, 0, 3, width=6)
    with torch.no_grad():
        without = lsh_attention(shared, values, rotations, 8)
    assert torch.equal(lsh_attention(shared, values, rotations, 8), without)


def test_float32_stays_near_float64():
    shared, values = random_tokens(2, 300)
    rotations = draw_rotations(0, 0, 3, width=6)

    def in_float32(shared, values):
        return lsh_attention(shared.float(), values.float(), rotations, 16).double()

    expected = output_and_gradients(lambda s, v: lsh_attention(s, v, rotations, 16), shared, values)
    assert_same(output_and_gradients(in_float32, shared, values), expected, tolerance=2e-5)
