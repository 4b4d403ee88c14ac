import numpy as np
import torch
from monai.transforms import Compose, RandGaussianNoised

from covid_monai.data.epochs import EpochDataset, EpochSampler, derived_seed

DATA = [{"case": f"case{number}", "image": torch.zeros(1, 4, 4)} for number in range(5)]


def noisy_dataset(seed=0):
    return EpochDataset(DATA, Compose([RandGaussianNoised("image", prob=1.0)]), seed=seed)


def test_an_item_is_a_function_of_seed_epoch_and_case():
    first, second = noisy_dataset(), noisy_dataset()
    _ = [second[(1, position)] for position in range(5)]
    assert torch.equal(first[(3, 2)]["image"], second[(3, 2)]["image"])
    assert not torch.equal(first[(3, 2)]["image"], first[(4, 2)]["image"])
    assert not torch.equal(first[(3, 2)]["image"], first[(3, 1)]["image"])
    assert not torch.equal(first[(3, 2)]["image"], noisy_dataset(seed=1)[(3, 2)]["image"])


def test_each_epoch_has_every_position_once_in_an_order_of_its_own():
    sampler = EpochSampler(length=20, seed=0)
    orders = []
    for epoch in (1, 2):
        sampler.set_epoch(epoch)
        pairs = list(sampler)
        assert {pair[0] for pair in pairs} == {epoch}
        orders.append([position for _, position in pairs])
        assert sorted(orders[-1]) == list(range(20))
    assert orders[0] != orders[1]
    sampler.set_epoch(1)
    assert [position for _, position in sampler] == orders[0]


def test_uneven_shards_are_equally_long_and_leave_no_case_out():
    shards = [list(EpochSampler(length=7, seed=0, rank=rank, replicas=3)) for rank in range(3)]
    assert {len(shard) for shard in shards} == {3}
    assert {position for shard in shards for _, position in shard} == set(range(7))


def test_more_processes_than_cases_all_have_work():
    shards = [list(EpochSampler(length=2, seed=0, rank=rank, replicas=5)) for rank in range(5)]
    assert [len(shard) for shard in shards] == [1] * 5


def test_derived_seeds_differ_and_fit_numpys_generators():
    seeds = {derived_seed(0, epoch, case) for epoch in range(50) for case in "abc"}
    assert len(seeds) == 150
    np.random.RandomState(max(seeds))
