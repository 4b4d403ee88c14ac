"""What one series UID can hold: copies, phases, several sizes and orientations."""

import shutil

import numpy as np
import pytest

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import find_studies, read_study
from tests.studies.series_files import ORIGIN, SLICES, SeriesPlan, draw_chest, write_series

CHEST = draw_chest()
OTHER = draw_chest(seed=1)


def series_of(folder):
    (study,) = find_studies(folder).studies
    return study, study.series


@pytest.mark.parametrize("empty_uids", [False, True], ids=["with UIDs", "without UIDs"])
def test_copies_of_images_are_left_out_and_told(empty_uids, tmp_path):
    def change(_, dataset):
        if empty_uids:
            dataset.SOPInstanceUID = ""

    files = write_series(tmp_path / "a", SeriesPlan(CHEST), change)
    (tmp_path / "b").mkdir()
    for file in files[:3]:
        shutil.copy(file, tmp_path / "b" / f"copy of {file.name}")
    with pytest.warns(InputWarning, match="3 images repeat others, pixel for pixel"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, CHEST.transpose(2, 1, 0))


@pytest.mark.parametrize(
    ("keyword", "values", "name"),
    [
        ("AcquisitionNumber", (1, 2), "acquisition"),
        ("TemporalPositionIdentifier", (1, 2), "time point"),
        ("EchoNumbers", (1, 2), "echo"),
        ("ConvolutionKernel", ("B31f", "B70f"), "kernel"),
        ("NominalPercentageOfCardiacPhase", (30, 70), "cardiac phase"),
        ("AcquisitionTime", ("101500", "101900"), "acquisition time"),
        ("InstanceNumber", (None, None), "instance number"),
    ],
)
def test_several_images_at_one_position_become_stacks_of_their_own(keyword, values, name, tmp_path):
    uid = SeriesPlan(CHEST).series_uid
    for number, chest in enumerate((CHEST, OTHER)):
        plan = SeriesPlan(chest, series_uid=uid, study_uid="1.2.3")

        def change(index, dataset, number=number):
            if keyword == "InstanceNumber":
                dataset.InstanceNumber = 2 * index + number
            else:
                setattr(dataset, keyword, values[number])

        write_series(tmp_path, plan, change, prefix=f"set{number}_")
    study, (first, second) = series_of(tmp_path)
    assert (first.name, second.name) == (f"{uid}#1", f"{uid}#2")
    assert f"several images at one position, distinguished by {name}: 2 stacks" in first.oddities
    read = {series: read_study(tmp_path, series=series).hu.transpose(2, 1, 0) for series in (first.name, second.name)}
    for chest in (CHEST, OTHER):
        assert sum(np.array_equal(chest, each) for each in read.values()) == 1
    with pytest.warns(InputWarning, match="several images at one position"):
        by_uid = read_study(tmp_path, series=uid)
    assert study.taken is not None
    np.testing.assert_array_equal(by_uid.hu.transpose(2, 1, 0), read[study.taken.name])


def test_an_attribute_that_varies_along_one_volume_splits_nothing(tmp_path):
    write_series(
        tmp_path, SeriesPlan(CHEST), lambda index, dataset: setattr(dataset, "AcquisitionNumber", 1 + index // 4)
    )
    _, (series,) = series_of(tmp_path)
    assert series.shape == (32, 24, SLICES)
    assert series.oddities == ()


def test_two_fields_of_view_at_the_same_heights_are_two_stacks(tmp_path):
    uid = SeriesPlan(CHEST).series_uid
    for number, chest in enumerate((CHEST, OTHER)):
        origin = (ORIGIN[0] + 40 * number, *ORIGIN[1:])
        plan = SeriesPlan(chest, series_uid=uid, study_uid="1.2.3", origin=origin)
        write_series(tmp_path, plan, prefix=f"set{number}_")
    _, (first, second) = series_of(tmp_path)
    assert {first.slices[0].position[0], second.slices[0].position[0]} == {-31.0, 9.0}


def test_other_sizes_and_orientations_in_a_series_are_split_off(tmp_path):
    uid = SeriesPlan(CHEST).series_uid
    common = {"series_uid": uid, "study_uid": "1.2.3"}
    write_series(tmp_path, SeriesPlan(CHEST, **common), prefix="axial")
    write_series(tmp_path, SeriesPlan(draw_chest(3, 20, 30), **common), prefix="small")
    coronal = SeriesPlan(draw_chest(2), orientation=(1, 0, 0, 0, 0, -1), step=(0, 3, 0), **common)
    write_series(tmp_path, coronal, prefix="coronal")

    def as_localizer(_, dataset):
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    write_series(tmp_path, SeriesPlan(draw_chest(1), **common), as_localizer, prefix="scout")
    study, series = series_of(tmp_path)
    assert [(len(each.slices), each.refused) for each in series] == [
        (8, None),
        (3, None),
        (2, "a coronal series, where axial slices are needed"),
        (1, "a localizer"),
    ]
    assert study.taken is series[0]
    np.testing.assert_array_equal(read_study(tmp_path).hu, CHEST.transpose(2, 1, 0))
    np.testing.assert_array_equal(read_study(tmp_path, series=f"{uid}#2").hu, draw_chest(3, 20, 30).transpose(2, 1, 0))
    with pytest.raises(InputError, match="is a localizer"):
        read_study(tmp_path, series=f"{uid}#4")


def test_an_orientation_that_is_rounded_differently_is_the_same(tmp_path):
    def change(index, dataset):
        dataset.ImageOrientationPatient = [1, 1e-4 * index, 0, -1e-4 * index, 1, 0]

    write_series(tmp_path, SeriesPlan(CHEST), change)
    _, (series,) = series_of(tmp_path)
    assert series.shape == (32, 24, SLICES)


def test_swapped_rows_and_columns_are_told_and_read_as_they_lie(tmp_path):
    swapped = CHEST.transpose(0, 2, 1)
    plan = SeriesPlan(swapped, orientation=(0, 1, 0, 1, 0, 0), spacing=(2.0, 2.5))
    write_series(tmp_path, plan)
    with pytest.warns(InputWarning, match="rows and columns are swapped"):
        study = read_study(tmp_path)
    # the normal points to the feet, so the slices ascend downwards
    np.testing.assert_array_equal(study.hu, swapped[::-1].transpose(2, 1, 0))
    assert study.positions[0, 2] > study.positions[-1, 2]
    np.testing.assert_allclose(study.affine[:3, :2], [[0, -2.0], [-2.5, 0], [0, 0]])


def test_prone_and_feet_first_series_lie_as_the_header_says(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST, orientation=(-1, 0, 0, 0, -1, 0), origin=(31, 28, 0)))
    study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, CHEST.transpose(2, 1, 0))
    np.testing.assert_allclose(np.diag(study.affine)[:3], [2.0, 2.5, 3])
    assert study.warnings == ()
