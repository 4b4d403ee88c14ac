"""What the bundles' trainers do to a batch before the network sees it."""

import pytest
import torch
from monai.data import DataLoader
from monai.transforms import RandFlipd

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import build_workflow
from covid_monai.data import EpochSampler, as_gathered
from covid_monai.errors import InputError
from covid_monai.handlers import PrepareBatchAugmented
from covid_monai.transforms import BatchRandFlipd

CPU = torch.device("cpu")


def seen(dataset, prepare, batch_size, workers=0, **shard):
    """Image and label map of each training slice, by its seed, as two epochs of the network see them."""
    sampler = EpochSampler(len(dataset), seed=0, **shard)
    loader = DataLoader(dataset, sampler=sampler, batch_size=batch_size, num_workers=workers, collate_fn=as_gathered)
    slices = {}
    for epoch in (1, 2):
        sampler.set_epoch(epoch)
        for batch in loader:
            images, labels = prepare(batch, CPU)
            assert images.dtype == labels.dtype == torch.float32
            slices |= dict(zip(batch["seed"].tolist(), zip(images, labels, strict=True), strict=True))
    return slices


@pytest.mark.parametrize("bundle", bundle_names())
def test_a_slice_is_the_same_whatever_the_batch_the_process_and_the_worker(bundle, tiny_dataset):
    settings = {"image_size": [40, 40], "dataset_dir": str(tiny_dataset), "augmentation": 0.5, "device": "cpu"}
    part = build_workflow(bundle_folder(bundle), "train", settings).parser.get_parsed_content
    dataset, transforms = part("train#dataset"), part("random_transforms")
    assert part("train#dataloader").dataset is dataset
    prepare = PrepareBatchAugmented(transforms)
    alone = seen(dataset, prepare, batch_size=4)
    joint = seen(dataset, prepare, 1, rank=0, replicas=2) | seen(dataset, prepare, 2, 1, rank=1, replicas=2)
    assert joint.keys() == alone.keys()
    assert len(alone) == 2 * len(dataset)
    for seed, (image, label) in alone.items():
        assert torch.equal(joint[seed][0], image)
        assert torch.equal(joint[seed][1], label)
    plain = seen(dataset, PrepareBatchAugmented([]), batch_size=4)
    assert plain.keys() == alone.keys()
    changed = [not torch.equal(plain[seed][0], alone[seed][0]) for seed in alone]
    assert sum(changed) > len(changed) / 2


@pytest.mark.parametrize("bundle", bundle_names())
def test_no_augmentation_leaves_every_slice_as_it_is(bundle):
    parser = build_workflow(bundle_folder(bundle), "train", {"augmentation": 0.0}).parser
    prepare = PrepareBatchAugmented(parser.get_parsed_content("random_transforms"))
    batch = {"image": torch.rand(5, 1, 9, 9), "label": torch.ones(5, 1, 9, 9).byte(), "seed": torch.arange(5)}
    image, label = prepare(batch, CPU)
    assert torch.equal(image, batch["image"])
    assert torch.equal(label, batch["label"].float())


def test_a_batch_of_ones_own_is_not_changed_and_needs_no_gradient():
    batch = {"image": torch.rand(3, 1, 4, 4), "label": torch.ones(3, 1, 4, 4), "seed": torch.arange(3)}
    before = batch["image"].clone()
    image, _ = PrepareBatchAugmented([BatchRandFlipd(["image", "label"], 1.0, spatial_axis=0)])(batch, CPU)
    assert torch.equal(batch["image"], before)
    assert torch.equal(image, before.flip(2))
    assert not image.requires_grad


def test_a_transform_of_single_slices_is_refused():
    with pytest.raises(InputError, match="RandFlipd, which is no transform of batches; use those called Batch"):
        PrepareBatchAugmented([RandFlipd("image")])
