import numpy as np
import pytest
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.transforms.intensity import find_anchors, to_hu

TISSUES = {"air": (-1000, 0.03), "lung": (-850, 0.5), "fat": (-100, 0.12), "soft tissue": (40, 0.35)}


def chest_hu(seed: int = 0, noise: float = 15.0) -> np.ndarray:
    """Values of a chest slice's four tissues, without their places."""
    random = np.random.default_rng(seed)
    parts = [random.normal(hu, noise, int(share * 65536)) for hu, share in TISSUES.values()]
    values = np.concatenate([*parts, np.full(65536 - sum(map(len, parts)), 900.0)])
    return values.reshape(256, 256)


def as_8_bit(hu: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def test_hu_is_kept():
    hu = np.array([[-1024, 0], [40, 3071]], dtype=np.float32)
    values, kind = to_hu(hu, "auto", "file")
    assert kind == "hu"
    assert values.dtype == np.int16
    np.testing.assert_array_equal(values, hu)


def test_fractions_of_hu_are_kept_as_float32():
    values, kind = to_hu(np.array([-1000.0, 10.5]), "auto", "file")
    assert (values.dtype, kind) == (np.float32, "hu")
    np.testing.assert_array_equal(values, [-1000.0, 10.5])


def test_hu_beyond_int16_is_float32():
    assert to_hu(np.array([-1000, 40000]), "auto", "file")[0].dtype == np.float32


def test_8_bit_values_go_to_the_window():
    values, kind = to_hu(np.array([0, 255, 100], dtype=np.uint8), "auto", "file")
    assert kind == "window"
    np.testing.assert_array_equal(values, [-1024, 600, round(-1024 + 100 * 1624 / 255)])


def test_8_bit_values_in_a_float_array_are_not_taken_for_hu():
    assert to_hu(np.array([0.0, 255.0]), "auto", "file")[1] == "window"


@pytest.mark.parametrize(("low", "high"), [(-1200, 300), (-1150, 350), (-1100, 240)])
def test_anchors_restore_hu_whatever_the_window_was(low, high):
    hu = chest_hu()
    values, kind = to_hu(as_8_bit(hu, low, high), "auto", "file")
    assert kind == "anchored"
    inside = (hu > low) & (hu < high)
    assert np.abs(values - hu)[inside].mean() < 20


@pytest.mark.parametrize("missing", ["air", "fat"])
def test_without_a_peak_of_air_or_fat_there_is_no_anchor(missing):
    hu = chest_hu()
    low, _ = TISSUES[missing][0] - 60, TISSUES[missing][0] + 60
    hu[(hu > low) & (hu < low + 120)] = 40
    assert find_anchors(as_8_bit(hu, -1200, 300)) is None


def test_air_clipped_by_the_window_is_no_anchor():
    assert find_anchors(as_8_bit(chest_hu(), -1000, 300)) is None


def test_peaks_at_implausible_places_are_no_anchors():
    # lung is brighter than it can be between this air and this fat
    hu = chest_hu()
    hu[(hu > -900) & (hu < -800)] += 500
    assert find_anchors(as_8_bit(hu, -1200, 300)) is None


@pytest.mark.parametrize(
    ("values", "mode", "message"),
    [
        ([0.0, 0.5], "auto", "normalised"),
        ([40, 40], "auto", "the value 40 everywhere"),
        ([-1000, 0], "window", "is for 8-bit values"),
        ([-1000, 0], "anchors", "is for 8-bit values"),
        ([0, 255], "anchors", "no clear peaks"),
        ([0, 0, 0, 255], "auto", "no lung window"),
        ([5, 29], "auto", "no lung window"),
    ],
)
def test_values_of_unclear_scale_are_refused(values, mode, message):
    with pytest.raises(InputError, match=message):
        to_hu(np.array(values), mode, "scan.nii.gz")


def test_an_unclear_scale_is_taken_for_hu_only_when_told_so():
    assert to_hu(np.array([0, 255]), "hu", "file")[1] == "hu"


def test_anchors_of_real_slices_put_tissues_where_they_belong(shared_data):
    """Where anchors are found, lung and soft tissue, which are not the anchors, land at their known HU."""
    anchored = 0
    for path in sorted((shared_data / "radiopaedia_part2" / "images").glob("radiopaedia_36_86526_0_s0*.png")):
        grey = np.asarray(Image.open(path))
        values, kind = to_hu(grey, "auto", str(path))
        if kind == "anchored":
            anchored += 1
            soft_tissue = values[(values > -30) & (values < 150)]
            lung = values[values < -600]
            assert 20 < np.median(soft_tissue) < 80
            assert -950 < np.median(lung) < -800
    assert anchored > 20
