"""Transforms of batches against MONAI's of single slices, which release 0.1 used, with the settings of every bundle."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import (
    AdjustContrastd,
    GaussianSmooth,
    GaussianSmoothd,
    RandAffined,
    RandFlipd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from scipy import stats
from torch import Tensor

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import build_workflow
from covid_monai.errors import InputError
from covid_monai.transforms import (
    BatchRandAdjustContrastd,
    BatchRandAffined,
    BatchRandFlipd,
    BatchRandGaussianSmoothd,
)
from covid_monai.transforms.counter_random import CounterRandom, mixed
from covid_monai.transforms.label_resizing import TIE, by_largest_share
from covid_monai.transforms.random_batches import RandomBatchTransform

SLICES = 6
SIZES = [(48, 48), (40, 57)]
NAMES = ["flip", "affine", "intensity scaling", "intensity shift", "noise", "gamma", "blur"]
# what most bundles do without
LATER = {"adjust_contrast": [0.6, 1.6], "smoothing": [0.3, 1.2]}


def transforms_of(bundle: str, **settings: Any) -> dict[str, RandomBatchTransform]:
    parser = build_workflow(bundle_folder(bundle), "train", {**LATER, **settings}).parser
    return dict(zip(NAMES, parser.get_parsed_content("random_transforms"), strict=True))


def smooth_batch(size: tuple[int, int], classes: int = 4) -> dict[str, Tensor]:
    """Images without edges, and label maps of blobs."""
    generator = torch.Generator().manual_seed(0)
    smooth = GaussianSmooth(sigma=3.0)
    image = torch.stack([10 * smooth(torch.randn(1, *size, generator=generator)) for _ in range(SLICES)])
    shares = torch.stack([smooth(torch.randn(classes, *size, generator=generator)) for _ in range(SLICES)])
    return {"image": image, "label": shares.argmax(1, keepdim=True).byte()}


def drawn(transform: RandomBatchTransform, seeds: Tensor) -> list[list[float]]:
    """The parameters of each slice."""
    draws = CounterRandom(seeds)
    draws.uniform()
    return torch.stack([parameter.double() for parameter in transform.draw(draws)], dim=1).tolist()


SEEDS = mixed(torch.arange(100, 100 + SLICES))


@pytest.fixture(scope="module", params=bundle_names())
def always(request) -> dict[str, RandomBatchTransform]:
    """A bundle's transforms, each of which happens to every slice."""
    return transforms_of(request.param, augmentation=1.0)


@pytest.mark.parametrize("size", SIZES)
def test_rotation_and_scaling_are_monais_at_the_same_parameters(always, size):
    transform, batch = always["affine"], smooth_batch(size)
    done = transform(batch, CounterRandom(SEEDS))
    for index, (angle, *factors) in enumerate(drawn(transform, SEEDS)):
        assert abs(angle) <= 0.26
        assert all(0.85 <= factor <= 1.15 for factor in factors)
        image, label = batch["image"][index], batch["label"][index].float()

        def monais(values: Tensor, mode: str, angle=angle, factors=factors) -> Tensor:
            fixed = RandAffined(
                "key",
                prob=1.0,
                rotate_range=((angle, angle),),
                scale_range=[(factor - 1, factor - 1) for factor in factors],
                mode=mode,
                padding_mode=transform.padding_mode,
            )
            return fixed({"key": values})["key"].as_tensor()

        # MONAI samples in float64
        torch.testing.assert_close(done["image"][index], monais(image, "bilinear"), atol=2e-4, rtol=0)
        shares = torch.stack([monais((label == kind).float(), "bilinear") for kind in range(4)])
        first, second = shares.topk(2, dim=0).values
        # where no label has a share, outside of the slice, it is background
        clear = (first - second > 10 * TIE) | (first == 0)
        assert clear.float().mean() > 0.95
        expected = by_largest_share(label, lambda part: monais(part, "bilinear"))
        found = done["label"][index].float()
        assert torch.equal(found[clear], expected[clear])
        # the nearest pixel has a quarter of the weight at least
        certain = first > 0.75 + 10 * TIE
        assert torch.equal(found[certain], monais(label, "nearest")[certain])
        assert certain.float().mean() > 0.7


@pytest.mark.parametrize(
    ("name", "monais"),
    [
        ("flip", lambda: RandFlipd(["image", "label"], prob=1.0, spatial_axis=0)),
        ("intensity scaling", lambda factor: RandScaleIntensityd("image", prob=1.0, factors=(factor, factor))),
        ("intensity shift", lambda offset: RandShiftIntensityd("image", prob=1.0, offsets=(offset, offset))),
        ("gamma", lambda gamma: AdjustContrastd("image", gamma)),
        ("blur", lambda *sigma: GaussianSmoothd("image", sigma, approx="erf")),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_flips_and_intensities_are_monais_at_the_same_parameters(always, name, monais: Callable[..., Any], size):
    transform, batch = always[name], smooth_batch(size)
    done = transform(batch, CounterRandom(SEEDS))
    parameters = drawn(transform, SEEDS) if name != "flip" else [[]] * SLICES
    for index, given in enumerate(parameters):
        expected = monais(*given)({key: values[index] for key, values in batch.items()})
        # a power of float32 is not exact
        tolerance = 2e-5 if name == "gamma" else 1e-6
        image = torch.as_tensor(expected["image"])
        torch.testing.assert_close(done["image"][index], image, atol=tolerance, rtol=tolerance, check_dtype=False)
        assert torch.equal(done["label"][index], torch.as_tensor(expected["label"]).byte())


def test_noise_has_the_deviation_that_was_drawn(always):
    transform, batch = always["noise"], smooth_batch((128, 128))
    noise = (transform(batch, CounterRandom(SEEDS))["image"] - batch["image"]).double()
    for index, (deviation, _) in enumerate(drawn(transform, SEEDS)):
        assert 0 <= deviation <= transform.std
        assert noise[index].std().item() == pytest.approx(deviation, rel=0.03)
        assert abs(noise[index].mean().item()) < 5 * deviation / 128


def test_parameters_are_distributed_as_monais(always):
    many = mixed(torch.arange(4000))
    affine = always["affine"]
    ours = np.array(drawn(affine, many))
    transform = RandAffined("image", prob=1.0, rotate_range=affine.rotate_range, scale_range=affine.scale_range)
    grid = transform.set_random_state(0).rand_affine.rand_affine_grid
    theirs = []
    for _ in range(4000):
        grid.randomize()
        theirs.append([*grid.rotate_params, *np.array(grid.scale_params)])
    for column in range(3):
        assert stats.ks_2samp(ours[:, column], np.array(theirs)[:, column]).pvalue > 0.001
    assert np.abs(np.corrcoef(ours.T)[np.triu_indices(3, k=1)]).max() < 5 / np.sqrt(4000)
    for name, largest in (
        ("intensity scaling", always["intensity scaling"].factors),
        ("intensity shift", always["intensity shift"].offsets),
    ):
        values = np.array(drawn(always[name], many))[:, 0]
        assert stats.kstest(values, stats.uniform(-largest, 2 * largest).cdf).pvalue > 0.001
    for name, (lowest, highest) in (("gamma", LATER["adjust_contrast"]), ("blur", LATER["smoothing"])):
        for values in np.array(drawn(always[name], many)).T:
            assert stats.kstest(values, stats.uniform(lowest, highest - lowest).cdf).pvalue > 0.001
    deviations = np.array(drawn(always["noise"], many))[:, 0]
    assert stats.kstest(deviations, stats.uniform(0, always["noise"].std).cdf).pvalue > 0.001


@pytest.mark.parametrize("name", NAMES)
def test_a_slice_is_transformed_with_the_probability_of_the_setting_and_else_to_the_bit_the_same(name):
    transform = transforms_of("a_segnet", augmentation=0.3)[name]
    image = smooth_batch((12, 12))["image"][:1].repeat(2000, 1, 1, 1)
    batch = {"image": image, "label": torch.zeros(2000, 1, 12, 12, dtype=torch.uint8)}
    done = transform(batch, CounterRandom(mixed(torch.arange(2000))))
    changed = (done["image"] != image).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.04)


def all_done(batch: dict[str, Tensor], seeds: Tensor) -> dict[str, Tensor]:
    draws = CounterRandom(seeds)
    for transform in transforms_of("au_net", augmentation=0.5).values():
        batch = transform(batch, draws)
    return batch


def test_what_becomes_of_a_slice_does_not_depend_on_its_batch():
    batch = smooth_batch((33, 40))
    together = all_done(batch, SEEDS)
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    shuffled = all_done({key: values[order] for key, values in batch.items()}, SEEDS[order])
    for key in batch:
        assert torch.equal(shuffled[key], together[key][order])
        for begin, end in pairwise((0, 1, 3, 6)):
            part = all_done({name: values[begin:end] for name, values in batch.items()}, SEEDS[begin:end])
            assert torch.equal(part[key], together[key][begin:end])
    assert not torch.equal(together["image"], batch["image"])


def test_the_batch_that_is_given_stays_as_it_is():
    batch = smooth_batch((20, 20))
    before = {key: values.clone() for key, values in batch.items()}
    all_done(batch, SEEDS)
    assert all(torch.equal(batch[key], before[key]) for key in batch)


@pytest.mark.parametrize(("padding", "filled"), [("zeros", 0), ("border", 2), ("reflection", 2)])
def test_what_comes_in_from_outside_is_as_the_padding_says(padding, filled):
    batch = {"image": torch.full((1, 1, 30, 30), 2.0), "label": torch.full((1, 1, 30, 30), 2, dtype=torch.uint8)}
    transform = BatchRandAffined(
        ["image", "label"], 1.0, rotate_range=0.0, scale_range=[2.0, 2.0], mode=["bilinear", "largest_share"],
        padding_mode=padding,
    )  # fmt: skip
    seeds = mixed(torch.arange(50))
    factors = torch.tensor(drawn(transform, seeds))[:, 1:]
    smaller = factors.amin(1).argmax()
    assert factors[smaller].amin() > 2
    done = transform(batch, CounterRandom(seeds[smaller : smaller + 1]))
    assert done["label"].dtype == torch.uint8
    for key in batch:
        assert done[key][0, 0, 0, 0] == filled
        assert done[key][0, 0, 15, 15] == 2


def test_labels_are_nothing_but_labels_however_they_are_stored():
    batch = smooth_batch((25, 31))
    results = []
    for kind in (torch.uint8, torch.int64, torch.float32):
        transform = transforms_of("unet", augmentation=1.0)["affine"]
        done = transform({**batch, "label": batch["label"].to(kind)}, CounterRandom(SEEDS))["label"]
        assert done.dtype == kind
        results.append(done.byte())
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert set(results[0].unique().tolist()) <= {0, 1, 2, 3}


@pytest.mark.parametrize("ends", [[], [1.0], [0.0, 1.0], [1.5, 0.5], [0.5, 1.0, 1.5]])
@pytest.mark.parametrize("transform", [BatchRandAdjustContrastd, BatchRandGaussianSmoothd])
def test_ends_of_a_range_that_is_none_are_refused(transform, ends):
    with pytest.raises(InputError, match="give the lowest and the highest value"):
        transform("image", 0.5, ends)


def test_a_slice_of_one_value_keeps_it_whatever_its_gamma():
    transform = BatchRandAdjustContrastd("image", 1.0, [0.5, 2.0])
    batch = {"image": torch.full((4, 1, 5, 5), -3.0)}
    assert torch.equal(transform(batch, CounterRandom(SEEDS[:4]))["image"], batch["image"])


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(ValueError, match="mode is nearest; it can be bilinear or largest_share"):
        BatchRandAffined("label", 1.0, mode="nearest")


def test_the_axis_of_a_flip_is_the_patients_left_and_right():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    done = BatchRandFlipd("image", 1.0, spatial_axis=0)({"image": image}, CounterRandom(SEEDS[:1]))
    assert torch.equal(done["image"][0, 0], torch.tensor([[3.0, 4, 5], [0, 1, 2]]))
