"""The scale of a drawn chest is told whatever the padding, and HU are never refused."""

import numpy as np
import pytest

from covid_monai.errors import InputError, InputWarning
from covid_monai.transforms.intensity import to_hu
from covid_monai.transforms.scale import HU, judge_scale, without_padding
from tests.data.checks.chest import draw_chest

CHEST = draw_chest(0.5).astype(np.float64)
X, Y = np.ogrid[: CHEST.shape[0], : CHEST.shape[1]]
OUTSIDE = (X - CHEST.shape[0] / 2) ** 2 + (Y - CHEST.shape[1] / 2) ** 2 > (CHEST.shape[0] / 2) ** 2


def filled(values: np.ndarray, padding: float) -> np.ndarray:
    return np.where(OUTSIDE, padding, values)


def spotted(values: np.ndarray, padding: float) -> np.ndarray:
    values = values.copy()
    values[0, 0] = padding
    return values


PADDED = {
    "none": lambda values: values,
    "ring of -2000": lambda values: filled(values, -2000),
    "ring of -3024": lambda values: filled(values, -3024),
    "ring of -1024": lambda values: filled(values, -1024),
    "one voxel of -2000": lambda values: spotted(values, -2000),
    "one voxel of -32768": lambda values: spotted(values, -32768),
}
STORED = {
    "HU + 1024": lambda hu: hu + 1024,
    "HU + 4096": lambda hu: hu + 4096,
    "HU + 32768": lambda hu: hu + 32768,
    "HU x 10": lambda hu: hu * 10,
    "HU x 2": lambda hu: hu * 2,
    "HU x 0.5": lambda hu: np.rint(hu / 2),
    "negated HU": lambda hu: -hu,
}


@pytest.mark.parametrize("padded", PADDED.values(), ids=PADDED)
def test_hu_are_hu_whatever_the_padding(padded):
    assert judge_scale(padded(CHEST)).scale is HU


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("padded", PADDED.values(), ids=PADDED)
def test_another_scale_is_named_whatever_the_padding(stored, padded):
    scale = judge_scale(padded(STORED[stored](CHEST))).scale
    assert scale is not None
    assert scale.name.startswith(stored)


@pytest.mark.parametrize("seed", range(10))
def test_hu_of_any_contrast_noise_and_crop_are_never_refused(seed):
    random = np.random.default_rng(seed)
    hu = draw_chest(random.uniform(0, 1), seed) + random.normal(0, random.uniform(0, 60), CHEST.shape)
    hu += random.uniform(-20, 20)
    x, y = random.integers(0, 40, 2)
    hu = hu[x : x + random.integers(20, 56), y : y + random.integers(20, 56)]
    assert judge_scale(hu).scale in (HU, None)


@pytest.mark.parametrize("mode", ["offset1024", "offset1000", "inverted"])
def test_a_mode_brings_values_back_to_hu(mode):
    stored = {"offset1024": CHEST + 1024, "offset1000": CHEST + 1000, "inverted": -CHEST}[mode]
    hu, kind = to_hu(stored, mode, "ct.nii.gz")
    assert kind == "hu"
    np.testing.assert_array_equal(hu, CHEST)


def test_a_mode_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="not HU"):
        to_hu(CHEST - 1024, "inverted", "ct.nii.gz")
    with pytest.raises(InputError, match="1024 subtracted, has values"):
        to_hu(CHEST * 10 + 1024, "offset1024", "ct.nii.gz")


@pytest.mark.parametrize("name", ["HU x 10", "HU x 2", "HU + 4096"])
def test_the_advice_of_a_refusal_works(name):
    stored = STORED[name](CHEST)
    with pytest.raises(InputError) as refused:
        to_hu(stored, "checked", "ct.nii.gz")
    advice = {"divide by 10": stored / 10, "divide by 2": stored / 2, "subtract 4096": stored - 4096}
    (followed,) = (values for words, values in advice.items() if words in str(refused.value))
    np.testing.assert_array_equal(to_hu(followed, "checked", "ct.nii.gz")[0], CHEST)


def test_soft_tissue_alone_is_taken_with_a_warning():
    tissue = np.random.default_rng(0).normal(40, 15, (32, 32))
    with pytest.warns(InputWarning, match="hardly any air or lung"):
        np.testing.assert_allclose(to_hu(tissue, "checked", "ct.nii.gz")[0], tissue, rtol=1e-6)


def test_soft_tissue_filled_up_with_air_is_hu():
    tissue = np.random.default_rng(0).normal(40, 15, CHEST.shape)
    assert judge_scale(filled(tissue, -1024)).scale is HU


def test_hu_on_the_users_word_are_warned_of_where_another_scale_fits():
    with pytest.warns(InputWarning, match=r"look like HU \+ 1024"):
        np.testing.assert_array_equal(to_hu(CHEST + 1024, "hu", "ct.nii.gz")[0], CHEST + 1024)


@pytest.mark.parametrize("mode", ["auto", "checked", "offset1024", "window", "inverted"])
def test_a_constant_image_is_refused(mode):
    with pytest.raises(InputError, match="the value -1000 everywhere"):
        to_hu(np.full((8, 8), -1000), mode, "ct.nii.gz")


def test_8_bit_values_in_padding_are_named():
    grey = np.rint((np.clip(CHEST, -1024, 600) + 1024) / 1624 * 255)
    with pytest.raises(InputError, match="8-bit grey values and padding"):
        to_hu(filled(grey, -2000), "checked", "ct.nii.gz")


@pytest.mark.parametrize("mode", ["auto", "anchors"])
def test_an_inverted_picture_is_refused_and_the_advice_works(mode):
    grey = np.rint((np.clip(CHEST, -1024, 600) + 1024) / 1624 * 255).astype(np.uint8)
    with pytest.raises(InputError, match="--intensity inverted"):
        to_hu(255 - grey, mode, "s1.png")
    expected, kind = to_hu(grey, "auto", "s1.png")
    turned, turned_kind = to_hu(255 - grey, "inverted", "s1.png")
    assert kind == turned_kind
    np.testing.assert_array_equal(turned, expected)
    with pytest.raises(InputError, match="inverted picture"):
        to_hu(grey, "inverted", "s1.png")


def test_padding_is_told_whatever_the_type_of_the_values():
    # 255 - -32768 is more than a 16-bit number holds
    values = np.append(np.arange(256), np.full(64, -32768))
    for kind in (np.int16, np.int32, np.float32):
        np.testing.assert_array_equal(without_padding(values.astype(kind)), np.arange(256))
