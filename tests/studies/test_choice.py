"""Which series of a study is taken."""

import numpy as np
import pytest

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import find_studies, read_study
from covid_monai.studies.choice import lung_length
from tests.studies.series_files import SeriesPlan, draw_chest, write_series

STUDY = "1.2.3.4.5"
# pixels so large that lungs of a drawn chest have the area of real ones
LARGE = {"study_uid": STUDY, "spacing": (12.0, 11.0)}


def abdomen(slices: int) -> np.ndarray:
    chest = draw_chest(slices)
    chest[chest < -500] = 30
    chest[:, :2] = chest[:, -2:] = -1000
    return chest


def write(folder, plan, number, **values):
    def change(_, dataset):
        dataset.SeriesNumber = number
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    write_series(folder, plan, change, prefix=f"s{number}_")
    return plan.series_uid


def choice_of(folder):
    (study,) = find_studies(folder).studies
    assert study.taken is not None
    return study.taken.name, study.why


def test_the_only_axial_ct_is_taken(tmp_path):
    uid = write(tmp_path, SeriesPlan(draw_chest(), **LARGE), 2)
    write(tmp_path, SeriesPlan(draw_chest(1), **LARGE), 1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert choice_of(tmp_path) == (uid, "the only axial CT of 2 series")


def test_the_most_of_the_lungs_is_taken_however_long_another_series_is(tmp_path):
    chest = write(tmp_path, SeriesPlan(draw_chest(8), **LARGE), 3)
    write(tmp_path, SeriesPlan(abdomen(12), **LARGE), 2)
    write(tmp_path, SeriesPlan(draw_chest(4), **LARGE), 1)
    assert choice_of(tmp_path) == (chest, "shows about 24 mm of lung, the most of 3 axial CT")


def test_lung_is_air_that_the_body_encloses(tmp_path):
    write(tmp_path, SeriesPlan(draw_chest(8), **LARGE), 1)
    write(tmp_path, SeriesPlan(abdomen(8), **LARGE), 2)
    (study,) = find_studies(tmp_path).studies
    assert {series.number: lung_length(series) for series in study.series} == {1: 24.0, 2: 0.0}


def test_the_kernel_does_not_count(tmp_path):
    first = write(tmp_path, SeriesPlan(draw_chest(), **LARGE), 1, ConvolutionKernel="B70f")
    write(tmp_path, SeriesPlan(draw_chest(), **LARGE), 2, ConvolutionKernel="B31f")
    assert choice_of(tmp_path) == (first, "shows about 24 mm of lung, as others do, and has the lowest series number")


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "is original, not derived"),
        ({"step": (0, 0, 2)}, {"step": (0, 0, 5)}, "has slices 1 to 3 mm apart, or nearest to that"),
        ({"step": (0, 0, 1.5)}, {"step": (0, 0, 0.5)}, "has slices 1 to 3 mm apart, or nearest to that"),
        ({"step": (0, 0, 1)}, {"step": (0, 0, 2)}, "has the thinner slices"),
    ],
)
def test_series_that_show_the_same_are_told_apart_by_the_stated_rule(better, worse, why, tmp_path):
    uids = []
    for number, given in ((2, better), (1, worse)):
        values = dict(given)
        step = values.pop("step", (0, 0, 3))
        plan = SeriesPlan(draw_chest(round(24 / step[2])), step=step, **LARGE)
        uids.append(write(tmp_path, plan, number, **values))
    assert choice_of(tmp_path) == (uids[0], f"shows about 24 mm of lung, as others do, and {why}")


def test_a_series_without_gaps_is_taken_before_one_with_a_gap(tmp_path):
    heights = [0, 3, 6, 12, 15, 18, 21, 24]
    whole = write(tmp_path, SeriesPlan(draw_chest(), **LARGE), 2)
    positions = [(-31, -28, height - 120) for height in heights]
    write(tmp_path, SeriesPlan(draw_chest(), positions=positions, **LARGE), 1)
    name, why = choice_of(tmp_path)
    assert name == whole
    assert why.endswith("and has no gaps")


def test_a_series_is_chosen_by_its_uid(tmp_path):
    write(tmp_path, SeriesPlan(draw_chest(), **LARGE), 1)
    other = draw_chest(4, seed=3)
    uid = write(tmp_path, SeriesPlan(other, **LARGE), 2)
    np.testing.assert_array_equal(read_study(tmp_path, series=uid).hu, other.transpose(2, 1, 0))
    with pytest.raises(InputError, match=r"holds no series 9\.9; it has 2"):
        read_study(tmp_path, series="9.9")


def test_several_studies_are_not_chosen_from_but_by_name(tmp_path):
    uids = [write(tmp_path / name, SeriesPlan(draw_chest(seed=k)), 1) for k, name in enumerate("ab")]
    with pytest.raises(InputError, match="holds 2 studies: give one at a time"):
        read_study(tmp_path)
    np.testing.assert_array_equal(read_study(tmp_path, series=uids[1]).hu, draw_chest(seed=1).transpose(2, 1, 0))
    found = find_studies(tmp_path).studies
    read = [read_study(study).hu for study in found]
    np.testing.assert_array_equal(read[0], draw_chest(seed=0).transpose(2, 1, 0))
    assert len(read) == 2


def test_a_study_without_axial_ct_says_what_it_has(tmp_path):
    write(tmp_path, SeriesPlan(draw_chest(1), **LARGE), 1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write(tmp_path, SeriesPlan(draw_chest(2), **LARGE), 2, Modality="PT")
    (study,) = find_studies(tmp_path).studies
    assert study.taken is None
    assert study.why == "no axial CT: a localizer; a PET image"
    with pytest.raises(InputError, match="holds no CT that can be read: no axial CT: a localizer; a PET image"):
        read_study(tmp_path)


def test_slices_at_thick_intervals_say_what_is_not_seen(tmp_path):
    write(tmp_path, SeriesPlan(draw_chest(), step=(0, 0, 10), **LARGE), 1, SliceThickness=1)
    with pytest.warns(InputWarning, match="slices of 1 mm are 10 mm apart: what lies between them is not seen"):
        read_study(tmp_path)
