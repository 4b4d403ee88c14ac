import re

import nibabel
import numpy as np
import pytest

from covid_monai.data.sources.labels import map_labels, parse_label_map
from covid_monai.data.sources.mask_values import read_nifti_mask, whole_labels
from covid_monai.errors import InputError

LABELS = np.random.default_rng(0).integers(0, 4, (5, 4, 3)).astype(np.uint8)
LESION = (LABELS > 1).astype(np.uint8)

STORED = {
    "0.999999": LESION * np.float32(0.999999),
    "1.0000001": LESION * 255 * np.float64(np.float32(1 / 255)),
    "half precision": LABELS.astype(np.float16),
    "noise of an interpolation": LABELS + np.random.default_rng(1).normal(0, 1e-5, LABELS.shape),
    "minus zero": np.where(LABELS == 0, -0.0, LABELS.astype(np.float32)),
    "big endian": LABELS.astype(">f4"),
}


@pytest.mark.parametrize("kind", STORED)
def test_floats_that_stand_for_whole_numbers_are_labels(kind):
    expected = LESION if kind in ("0.999999", "1.0000001") else LABELS
    found = whole_labels(STORED[kind], "m")
    assert found.dtype.kind in "iu"
    np.testing.assert_array_equal(found, expected)


def test_the_slope_of_a_header_may_be_rounded(tmp_path):
    image = nibabel.Nifti1Image(LESION * 255, np.eye(4))
    image.header.set_slope_inter(1 / 255, 0)
    nibabel.save(image, tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(read_nifti_mask(tmp_path / "m.nii.gz")[0], LESION)


NO_LABELS = {
    "one value of 0.9": (LESION * 0.9, r"such as 0\.9 in \d+ of 60 voxels and 0 elsewhere.*\(values > 0\)"),
    "a tiny value": (LESION * 1e-4, r"such as 0\.0001 .*\(values > 0\)"),
    "probabilities": (LABELS / 3, r"between 0 and 1.*\(values >= 0\.5\)"),
    "a resampled label map": (LABELS * 0.7, "nearest neighbour"),
    "NaN": (np.where(LESION, 1, np.nan), r"NaN or infinity in \d+ of 60 voxels.*write 0 there.*nan_to_num"),
    "infinity": (np.where(LESION, np.inf, 0), "NaN or infinity"),
    "numbers too large": (LESION * 1e12, "which are no labels"),
    "complex numbers": (LESION.astype(np.complex64), "complex64"),
}
REMEDIES = {
    "one value of 0.9": lambda values: (values > 0).astype(np.uint8),
    "a tiny value": lambda values: (values > 0).astype(np.uint8),
    "probabilities": lambda values: (values >= 0.5).astype(np.uint8),
    "NaN": np.nan_to_num,
}


@pytest.mark.parametrize("kind", NO_LABELS)
def test_other_values_are_refused_with_what_they_are_and_a_remedy_that_works(kind):
    values, message = NO_LABELS[kind]
    with pytest.raises(InputError, match=f"^m holds .*{message}") as caught:
        whole_labels(values, "m")
    assert "HU" not in str(caught.value)
    if kind in REMEDIES:
        assert set(np.unique(whole_labels(REMEDIES[kind](values), "m"))) == {0, 1}


def advised(message: str) -> str:
    """The label map that an error asks for."""
    return re.search(r"`label_map` (\S+)", message)[1]


@pytest.mark.parametrize(
    ("mask", "label_map", "named"),
    [
        (np.array([0, 1, 2]), {1: 4}, "1=lesion,2=LABEL"),
        (np.array([0, 3, 9]), {3: 3}, "3=pleural-effusion,9=LABEL"),
        (np.array([0, 1, -1]), {1: 1}, "1=ground-glass,-1=LABEL"),
        (np.array([0, 5, 6, -100]), {5: 0}, "5=background,-100=LABEL,6=LABEL"),
    ],
)
def test_the_label_map_that_an_error_asks_for_works(mask, label_map, named):
    with pytest.raises(InputError) as caught:
        map_labels(mask, label_map, "m")
    assert advised(str(caught.value)) == named
    ours = map_labels(mask, parse_label_map(named.replace("LABEL", "background")), "m")
    assert set(np.unique(ours)) == {0, *label_map.values()}


def test_what_minus_one_may_be_is_told():
    with pytest.raises(InputError, match=r"label -1 in 2 pixels.*may be 255 saved as a signed 8-bit number"):
        map_labels(np.array([0, -1, -1], np.int8), {255: 4}, "m")
    with pytest.raises(InputError, match="-1 often marks what is to be ignored"):
        map_labels(np.array([0, -1, 1], np.int8), {1: 4}, "m")


def test_the_shades_of_edges_are_told_as_such():
    with pytest.raises(InputError, match=r"holds 18 labels \(1, 2, 3, ...\).*edges of a mask"):
        map_labels(np.arange(20), {19: 4}, "m")
