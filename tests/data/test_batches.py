import numpy as np
import pytest
import torch
from monai.data import DataLoader, MetaTensor
from monai.transforms import Compose, RandFlipd, ScaleIntensityRanged
from torch.utils.data import BatchSampler

from covid_monai.data import BatchDataset, EpochSampler, as_gathered
from covid_monai.errors import InputError

DATA = [
    {
        "case": f"case{number}",
        "image": MetaTensor(torch.full((1, 6, 5), float(number))),
        "label": torch.full((1, 6, 5), number % 3),
    }
    for number in range(7)
]


class Counted(ScaleIntensityRanged):
    calls = 0

    def __call__(self, data):
        self.calls += 1
        return super().__call__(data)


def dataset_of(seed: int = 0) -> BatchDataset:
    return BatchDataset(DATA, Compose([Counted("image", 0, 10, 0, 1)]), seed=seed)


def test_the_chain_runs_once_for_each_slice():
    dataset = dataset_of()
    (step,) = dataset.transform.transforms
    assert step.calls == len(dataset) == 7
    for epoch in (1, 2):
        batch = dataset.__getitems__([(epoch, 5), (epoch, 2)])
        assert batch["image"].shape == batch["label"].shape == (2, 1, 6, 5)
        np.testing.assert_allclose(batch["image"][:, 0, 0, 0], [0.5, 0.2])
        assert batch["label"][:, 0, 0, 0].tolist() == [2, 2]
    assert step.calls == 7


def test_batches_are_plain_tensors_and_label_maps_take_a_byte_a_pixel():
    batch = dataset_of().__getitems__([(1, 0)])
    assert {key: (type(values), values.dtype) for key, values in batch.items()} == {
        "image": (torch.Tensor, torch.float32),
        "label": (torch.Tensor, torch.uint8),
        "seed": (torch.Tensor, torch.int64),
    }


def test_changing_a_batch_changes_no_other():
    dataset = dataset_of()
    dataset.__getitems__([(1, 3), (1, 4)])["image"].zero_()
    assert dataset[(1, 3)]["image"].mean().item() == pytest.approx(0.3)


def test_a_seed_is_a_function_of_seed_epoch_and_case():
    seeds = {
        (seed, epoch, position): value
        for seed in (0, 1)
        for epoch in (1, 2, 300)
        for position, value in enumerate(dataset_of(seed).__getitems__([(epoch, p) for p in range(7)])["seed"].tolist())
    }
    assert len(set(seeds.values())) == len(seeds) == 42
    # neither of what else is in the data set, nor of what else is in the batch
    reordered = BatchDataset(DATA[::-1], Compose([]), seed=1)
    assert reordered.__getitems__([(300, 0), (300, 6)])["seed"].tolist() == [seeds[1, 300, 6], seeds[1, 300, 0]]
    assert reordered[(300, 2)]["seed"].item() == seeds[1, 300, 4]
    assert reordered[2]["seed"].item() not in seeds.values()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_asks_for_whole_batches(workers, monkeypatch):
    dataset = dataset_of()
    monkeypatch.delattr(BatchDataset, "__getitem__")
    sampler = EpochSampler(7, seed=0)
    sampler.set_epoch(4)
    loader = DataLoader(dataset, sampler=sampler, batch_size=3, num_workers=workers, collate_fn=as_gathered)
    batches = list(loader)
    expected = [dataset.__getitems__(pairs) for pairs in BatchSampler(sampler, 3, drop_last=False)]
    assert [len(batch["image"]) for batch in batches] == [3, 3, 1]
    for batch, other in zip(batches, expected, strict=True):
        assert batch.keys() == other.keys()
        assert all(torch.equal(batch[key], other[key]) for key in batch)


def test_a_random_transform_in_the_chain_is_refused():
    with pytest.raises(InputError, match="RandFlipd among the transforms that run once would draw once"):
        BatchDataset(DATA, Compose([Compose([RandFlipd("image")])]), seed=0)


def test_slices_that_differ_in_size_are_refused():
    other = {"case": "odd one", "image": torch.zeros(1, 6, 1), "label": torch.zeros(1, 6, 1)}
    with pytest.raises(InputError, match=r"image of odd one is \(1, 6, 1\), that of case0 \(1, 6, 5\)"):
        BatchDataset([*DATA, other], Compose([]), seed=0)
