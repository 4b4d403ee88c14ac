"""What scanners write where they saw nothing becomes air."""

import nibabel
import numpy as np
import pytest

from covid_monai.studies import read_study
from tests.studies.series_files import COLUMNS, ROWS, SeriesPlan, draw_chest, write_series

CHEST = draw_chest()


def with_corners(chest: np.ndarray, value: int, kind: type = np.int32) -> tuple[np.ndarray, np.ndarray]:
    """The chest with padding outside of a round field of view, and where that is (slice, row, column)."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    outside = ((row - 11.5) / 12) ** 2 + ((column - 15.5) / 16) ** 2 > 1.05
    padded = chest.astype(kind)
    padded[:, outside] = value
    return padded, np.broadcast_to(outside, chest.shape)


@pytest.mark.parametrize("value", [-3024, -2000, -1500, -1100])
def test_constants_below_air_become_air(value, tmp_path):
    padded, outside = with_corners(CHEST, value)
    write_series(tmp_path, SeriesPlan(padded, signed=True, intercept=0))
    hu = read_study(tmp_path).hu.transpose(2, 1, 0)
    assert np.all(hu[outside] == -1024)
    np.testing.assert_array_equal(hu[~outside], CHEST[~outside])


def test_padding_that_the_header_names_becomes_air(tmp_path):
    padded, outside = with_corners(CHEST, 2976)
    write_series(tmp_path, SeriesPlan(padded), lambda _, dataset: setattr(dataset, "PixelPaddingValue", 4000))
    hu = read_study(tmp_path).hu.transpose(2, 1, 0)
    assert np.all(hu[outside] == -1024)
    np.testing.assert_array_equal(hu[~outside], CHEST[~outside])


def test_padding_by_a_value_of_tissue_is_air_in_the_corners_alone(tmp_path):
    padded, outside = with_corners(CHEST, 40)
    assert np.any(CHEST[~outside] == 40)
    write_series(tmp_path, SeriesPlan(padded), lambda _, dataset: setattr(dataset, "PixelPaddingValue", 1064))
    hu = read_study(tmp_path).hu.transpose(2, 1, 0)
    assert np.all(hu[outside] == -1024)
    np.testing.assert_array_equal(hu[~outside], CHEST[~outside])


def test_a_range_of_padding_becomes_air(tmp_path):
    padded, outside = with_corners(CHEST, 3000)
    padded[:, 0, 0] = 3010

    def change(_, dataset):
        dataset.PixelPaddingValue, dataset.PixelPaddingRangeLimit = 4024, 4034

    write_series(tmp_path, SeriesPlan(padded), change)
    hu = read_study(tmp_path).hu.transpose(2, 1, 0)
    assert np.all(hu[outside] == -1024)
    np.testing.assert_array_equal(hu[~outside], CHEST[~outside])


@pytest.mark.parametrize("named", [False, True], ids=["not named", "named"])
def test_minus_2000_without_its_sign_becomes_air(named, tmp_path):
    # stored as 63536, which the header of an unsigned series can name as -2000 or 63536
    padded, outside = with_corners(CHEST, 63536 - 1024)

    def change(_, dataset):
        if named:
            dataset.PixelPaddingValue = 63536

    write_series(tmp_path, SeriesPlan(padded), change)
    hu = read_study(tmp_path).hu.transpose(2, 1, 0)
    assert hu.dtype == np.int16
    assert np.all(hu[outside] == -1024)
    np.testing.assert_array_equal(hu[~outside], CHEST[~outside])


def test_padding_named_with_the_other_sign_becomes_air(tmp_path):
    padded, outside = with_corners(CHEST, -2000)

    def change(_, dataset):
        dataset.add_new("PixelPaddingValue", "US", 63536)

    write_series(tmp_path, SeriesPlan(padded, signed=True, intercept=0), change)
    hu = read_study(tmp_path).hu.transpose(2, 1, 0)
    assert np.all(hu[outside] == -1024)


@pytest.mark.parametrize(("value", "kind"), [(-3024, np.int16), (-2000, np.float32), (63536, np.int32)])
def test_padding_of_volumes_becomes_air(value, kind, tmp_path):
    padded, outside = with_corners(CHEST, value, kind)
    volume = nibabel.Nifti1Image(padded.transpose(2, 1, 0), np.diag([-2, -2.5, 3, 1]))
    nibabel.save(volume, tmp_path / "ct.nii.gz")
    hu = read_study(tmp_path / "ct.nii.gz").hu.transpose(2, 1, 0)
    assert np.all(hu[outside] == -1024)
    np.testing.assert_array_equal(hu[~outside], CHEST[~outside])
