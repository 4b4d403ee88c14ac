"""Region, division of lesions, floors, scores and grades."""

from dataclasses import replace

import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.measurements import Unknown, classes_of, measure
from covid_monai.measurements.severity import ct_grade, zone_score
from tests.measurements.drawn import DENSE, OPACITY, DrawnLungs, lung_ml, straight


@pytest.fixture(scope="module")
def thorax():
    return straight()


def boxes(shape=(40, 20, 20), spacing=1.0):
    """Two lungs of 10 x 20 x 20 voxels with a gap between them, no airway, in LPS order."""
    labels = np.zeros(shape, np.uint8)
    labels[5:15], labels[25:35] = 1, 2
    return labels, np.diag([-spacing, -spacing, spacing, 1.0])


def measured(mask, *, spacing=1.0, hu=None, airways=None, **options):
    labels, affine = boxes(spacing=spacing)
    lungs = DrawnLungs(labels, np.zeros(labels.shape, bool) if airways is None else airways, np.array([0.0, 0, 10]))
    values = np.full(labels.shape, -850, np.int16) if hu is None else hu
    return measure(values, affine, mask, lungs, **options)


def empty():
    return np.zeros((40, 20, 20), np.uint8)


def test_an_empty_mask_is_no_disease():
    found = measured(empty())
    assert found.lungs["both"].infected_percent == 0
    assert found.severity.zone_score_sum == 0
    assert (found.severity.worse_lung_grade, found.severity.both_lungs_grade) == ("CT-0", "CT-0")
    assert found.lesions.count == 0
    assert isinstance(found.lesions.mean_ml, Unknown)
    assert isinstance(found.hu["lesion"].mean, Unknown)


def test_specks_are_left_out_everywhere_and_counted():
    mask = empty()
    mask[6, 5, 5] = 1
    mask[8:10, 5:10, 5:9] = 1
    found = measured(mask, floor_ml=0.03)
    assert (found.lesions.specks, found.lesions.specks_ml) == (1, pytest.approx(0.001))
    assert (found.lesions.count, found.lesions.largest_ml) == (1, pytest.approx(0.04))
    assert found.lungs["right"].lesion_ml == pytest.approx(0.04)
    assert measured(mask, floor_ml=0.05).severity.both_lungs_grade == "CT-0"
    assert measured(mask, floor_ml=0.0, floor_percent=0.0).lesions.count == 2


def test_a_lesion_exactly_at_the_floor_is_kept():
    mask = empty()
    mask[6:8, 5:10, 5:10] = 1
    assert measured(mask, floor_ml=0.05).lesions.count == 1


def test_voxels_that_touch_by_a_corner_are_one_lesion():
    mask = empty()
    mask[6:8, 5:10, 5:10] = 1
    mask[8:10, 10:15, 10:15] = 2
    found = measured(mask)
    assert (found.lesions.count, found.lesions.largest_ml) == (1, pytest.approx(0.1))
    assert (found.lungs["right"].ground_glass_ml, found.lungs["right"].consolidation_ml) == pytest.approx((0.05, 0.05))


def test_a_share_under_the_floor_has_its_value_and_grades_as_nothing():
    mask = empty()
    mask[6:8, 5:7, 5:6] = 1
    found = measured(mask, floor_ml=0.0, floor_percent=0.2)
    assert found.lungs["right"].infected_percent == pytest.approx(0.1)
    assert found.severity.worse_lung_grade == "CT-0"
    assert measured(mask, floor_ml=0.0, floor_percent=0.05).severity.worse_lung_grade == "CT-1"


def test_airways_and_effusion_are_in_neither_numerator_nor_denominator():
    mask, airways = empty(), np.zeros((40, 20, 20), bool)
    airways[5, :, :10] = True
    mask[14, :, :] = 3
    mask[5, :, :5] = 1
    mask[6, :, :5] = 1
    found = measured(mask, airways=airways)
    assert found.lungs["right"].lung_ml == pytest.approx(4.0 - 0.2 - 0.4)
    assert found.lungs["right"].lesion_ml == pytest.approx(0.1)
    assert found.lesions.outside_ml == pytest.approx(0.1)
    assert found.effusion_ml == pytest.approx(0.4)


def test_a_mask_of_one_class_is_divided_by_its_hounsfield_units(thorax):
    one_class = replace(thorax, mask=(thorax.mask % 3 > 0).astype(np.uint8))
    found = one_class.measured(classes={1: "lesion"})
    assert found.lungs["right"].ground_glass_ml == pytest.approx(OPACITY.ml(), rel=0.02)
    assert found.lungs["right"].consolidation_ml == 0
    assert found.lungs["left"].consolidation_percent == pytest.approx(
        100 * DENSE.ml() / found.lungs["left"].lung_ml, rel=0.02
    )
    assert found.settings["divided"] == "by HU"
    assert thorax.measured().settings["divided"] == "by the mask's classes"
    # without a class for effusion it counts as lung, and the result says so
    assert found.lungs["left"].lung_ml > lung_ml("left") * 1.03
    assert isinstance(found.effusion_ml, Unknown)
    assert any("no class for effusion" in warning for warning in found.warnings)
    denser = one_class.measured(classes={1: "lesion"}, ground_glass_below=100)
    assert denser.lungs["left"].consolidation_ml == 0


def test_the_threshold_itself_is_consolidation():
    mask = empty()
    mask[6:8, 5:10, 5:10] = 1
    hu = np.full(mask.shape, -200, np.int16)
    assert measured(mask, hu=hu, classes={1: "lesion"}).lungs["right"].ground_glass_ml == 0
    assert measured(mask, hu=hu - 1, classes={1: "lesion"}).lungs["right"].consolidation_ml == 0


def test_grey_values_divide_nothing_and_have_no_hounsfield_units(thorax):
    found = replace(thorax, mask=(thorax.mask % 3 > 0).astype(np.uint8)).measured(classes={1: "lesion"}, true_hu=False)
    assert isinstance(found.lungs["both"].ground_glass_ml, Unknown)
    assert isinstance(found.hu["lesion"].mean, Unknown)
    assert found.lungs["right"].lesion_ml == pytest.approx(OPACITY.ml(), rel=0.02)
    assert found.settings["divided"] == "not divided"
    # classes of the mask need no HU
    assert thorax.measured(true_hu=False).lungs["right"].ground_glass_ml == pytest.approx(OPACITY.ml(), rel=0.02)


def test_a_kind_that_the_mask_has_no_class_for_is_unknown():
    found = measured(empty(), classes={1: "ground_glass"})
    assert found.lungs["both"].ground_glass_ml == 0
    assert isinstance(found.lungs["both"].consolidation_ml, Unknown)


def test_percentiles_weigh_voxels_by_what_they_hold():
    generator = np.random.default_rng(0)
    mask, hu = empty(), generator.integers(-900, 100, (40, 20, 20)).astype(np.int16)
    mask[5:15, 2:18, 2:18] = 1
    inside = hu[mask > 0].astype(float)
    found = measured(mask, hu=hu).hu["lesion"]
    for percent, value in ((5, found.p5), (25, found.p25), (50, found.p50), (75, found.p75), (95, found.p95)):
        assert value == np.percentile(inside, percent, method="inverted_cdf")
    assert found.mean == pytest.approx(inside.mean())
    labels, affine = boxes()
    lungs = DrawnLungs(labels, np.zeros(labels.shape, bool))
    # the thick slices are as many voxels more
    extents = np.where(np.arange(20) < 10, 1.0, 3.0)
    thick = measure(hu, affine, mask, lungs, extents=extents).hu["lesion"]
    repeated = np.concatenate([hu[:, :, :10][mask[:, :, :10] > 0], *[hu[:, :, 10:][mask[:, :, 10:] > 0]] * 3])
    assert thick.mean == pytest.approx(repeated.mean())
    assert thick.p25 == np.percentile(repeated, 25, method="inverted_cdf")


@pytest.mark.parametrize(
    ("percent", "score", "grade"),
    [
        (0, 0, "CT-0"),
        (0.099, 0, "CT-0"),
        (0.1, 1, "CT-1"),
        (24.99, 1, "CT-1"),
        (25, 2, "CT-1"),
        (25.01, 2, "CT-2"),
        (50, 3, "CT-2"),
        (50.01, 3, "CT-3"),
        (75, 4, "CT-3"),
        (75.01, 4, "CT-4"),
        (100, 4, "CT-4"),
    ],
)
def test_scores_and_grades_change_where_their_definitions_say(percent, score, grade):
    assert zone_score(percent, floor_percent=0.1) == score
    assert ct_grade(percent, floor_percent=0.1) == grade


def test_without_a_floor_nothing_is_still_nothing():
    assert (zone_score(0, floor_percent=0), ct_grade(0, floor_percent=0)) == (0, "CT-0")


def test_the_worse_lung_is_the_one_with_the_larger_share():
    mask = empty()
    mask[5:8] = 1
    mask[25:33] = 2
    severity = measured(mask).severity
    assert (severity.worse_lung, severity.worse_lung_grade) == ("left", "CT-4")
    assert severity.both_lungs_grade == "CT-3"


def test_class_names_of_models_and_of_people_are_understood():
    names = ["background", "ground-glass", "consolidation", "pleural effusion"]
    assert classes_of(names) == {1: "ground_glass", 2: "consolidation", 3: "effusion"}
    assert classes_of(["background", "Ground glass opacities", "lesion"]) == {1: "ground_glass", 2: "lesion"}
    with pytest.raises(InputError, match="'nodule' cannot be measured"):
        classes_of(["background", "nodule"])
