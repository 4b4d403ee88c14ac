import pytest
import torch
from torch.nn import functional

from covid_monai.networks.blocks.lsh.hashing import bucket_factors, draw_rotations, hash_tokens, sort_by_bucket


def factors(tokens: int, chunk: int) -> list[int]:
    return bucket_factors(torch.tensor(tokens), chunk).tolist()


def test_rotations_are_a_function_of_seed_and_step():
    assert torch.equal(draw_rotations(3, 5, 2, 8), draw_rotations(3, 5, 2, 8))
    different = [draw_rotations(seed, step, 2, 8) for seed, step in ((3, 5), (3, 6), (4, 5), (3, None), (4, None))]
    for index, rotations in enumerate(different):
        assert all(not torch.equal(rotations, other) for other in different[index + 1 :])


def test_drawing_rotations_leaves_torchs_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    draw_rotations(0, 0, 4, 16)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("chunk", [1, 16, 64])
@pytest.mark.parametrize("tokens", [1, 7, 64, 65, 128, 500, 2116, 4097, 8464, 33856, 136161, 262144])
def test_buckets_are_about_as_many_as_chunks(tokens, chunk):
    first, second = factors(tokens, chunk)
    chunks = min(tokens / chunk, 64 * 64)
    assert all(factor == 1 or (factor % 2 == 0 and factor <= 64) for factor in (first, second))
    assert (first == 1) == (tokens <= chunk)
    assert (second == 1) == (tokens / chunk <= 64)
    # the nearest even number to 1.01 chunks is 2
    assert tokens <= chunk or abs(first * second - chunks) <= max(1, 0.1 * chunks)


def test_hash_is_the_argmax_of_the_projections_and_their_opposites():
    tokens, rotation = torch.randn(2, 50, 6), draw_rotations(0, 0, 1, 6)[0]
    projected = tokens @ rotation[0][:, :5]
    expected = torch.cat([projected, -projected], dim=-1).argmax(-1)
    assert torch.equal(hash_tokens(tokens, rotation, torch.tensor([10, 1])), expected)


def test_two_rotations_are_the_digits_of_one_bucket():
    tokens, rotation = torch.randn(2, 50, 6), draw_rotations(0, 0, 1, 6)[0]
    first = hash_tokens(tokens, rotation, torch.tensor([8, 1]))
    second = hash_tokens(tokens, rotation.flip(0), torch.tensor([6, 1]))
    assert torch.equal(hash_tokens(tokens, rotation, torch.tensor([8, 6])), 6 * first + second)


def test_one_chunk_is_one_bucket():
    tokens, rotation = torch.randn(1, 50, 6), draw_rotations(0, 0, 1, 6)[0]
    assert hash_tokens(tokens, rotation, bucket_factors(torch.tensor(50), 64)).unique().tolist() == [0]


def test_only_directions_matter_and_opposite_ones_never_meet():
    tokens, rotation = torch.randn(1, 200, 8), draw_rotations(0, 0, 1, 8)[0]
    buckets = hash_tokens(tokens, rotation, torch.tensor([16, 1]))
    assert torch.equal(hash_tokens(4 * tokens, rotation, torch.tensor([16, 1])), buckets)
    assert (hash_tokens(-tokens, rotation, torch.tensor([16, 1])) != buckets).all()


def test_near_directions_share_a_bucket_far_more_often_than_chance():
    generator = torch.Generator().manual_seed(0)
    tokens = functional.normalize(torch.randn(1, 4000, 16, generator=generator), dim=2)
    near = functional.normalize(tokens + 0.05 * torch.randn(1, 4000, 16, generator=generator), dim=2)
    rotation, both = draw_rotations(0, 0, 1, 16)[0], torch.tensor([16, 16])
    buckets = hash_tokens(tokens, rotation, both)
    assert (hash_tokens(near, rotation, both) == buckets).double().mean() > 0.5
    assert (hash_tokens(tokens.flip(1), rotation, both) == buckets).double().mean() < 0.02


def test_every_bucket_is_used_by_directions_from_everywhere():
    tokens, rotation = torch.randn(1, 20000, 16), draw_rotations(0, 0, 1, 16)[0]
    assert hash_tokens(tokens, rotation, torch.tensor([6, 4])).unique().tolist() == list(range(24))


def test_sorting_is_by_bucket_then_position():
    buckets = torch.tensor([[2, 0, 1, 0, 2, 1], [0, 0, 0, 0, 0, 0]])
    assert sort_by_bucket(buckets).tolist() == [[1, 3, 2, 5, 0, 4], [0, 1, 2, 3, 4, 5]]
