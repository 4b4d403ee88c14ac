"""What cannot be measured is null with its reason, never 0."""

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.measurements import Unknown, measure
from tests.measurements.drawn import DENSE, LUNGS, OPACITY, STRAY, draw, lung_ml, straight


@pytest.fixture(scope="module")
def thorax():
    return straight()


def with_lungs(thorax, **changes):
    return replace(thorax, lungs=replace(thorax.lungs, **changes)).measured()


def is_unknown(part):
    return all(isinstance(getattr(part, field.name), Unknown) for field in fields(part))


def test_one_lung_has_numbers_and_the_other_none(thorax):
    alone = draw(thorax.affine, thorax.hu.shape, sides=("right",)).measured()
    assert alone.lungs["right"].lung_ml == pytest.approx(lung_ml("right"), rel=0.02)
    assert alone.lungs["right"].infected_percent == pytest.approx(100 * OPACITY.ml() / lung_ml("right"), rel=0.02)
    assert is_unknown(alone.lungs["left"])
    assert is_unknown(alone.lungs["both"])
    assert all(is_unknown(zone) for zone in alone.zones["left"].values())
    assert alone.zones["right"]["lower"].infected_percent == pytest.approx(
        100 * OPACITY.ml(high=alone.planes.veins) / lung_ml("right", high=alone.planes.veins), rel=0.02
    )
    assert isinstance(alone.severity.worse_lung_grade, Unknown)
    assert isinstance(alone.severity.zone_score_sum, Unknown)
    content = alone.to_dict()
    assert content["lungs"]["left"]["lung_ml"] is None
    assert content["unknown"]["lungs.left.lung_ml"] == "the left lung is absent, or was not found"
    # what the mask marks where no lung is lies outside R
    assert alone.lesions.outside_ml == pytest.approx(STRAY.ml() + DENSE.ml(), rel=0.02)


def test_a_side_without_labels_is_absent_even_if_nobody_says_so(thorax):
    right_alone = np.where(thorax.lungs.labels == 1, 1, 0).astype(np.uint8)
    assert is_unknown(with_lungs(thorax, labels=right_alone).lungs["left"])


def test_lungs_cut_at_the_bottom_have_no_grade_and_upper_zones_still(thorax):
    cut = with_lungs(thorax, cut=frozenset({"bottom"}))
    assert all(is_unknown(part) for part in cut.lungs.values())
    assert isinstance(cut.severity.both_lungs_grade, Unknown)
    assert isinstance(cut.severity.zone_score_sum, Unknown)
    assert "cut by the field of view (bottom)" in cut.severity.both_lungs_grade.reason
    assert all(is_unknown(third) for third in cut.thirds["right"].values())
    for side in LUNGS:
        assert is_unknown(cut.zones[side]["middle"])
        assert is_unknown(cut.zones[side]["lower"])
        assert cut.zones[side]["upper"] == thorax.measured().zones[side]["upper"]
    # what the field shows keeps its numbers, apart
    assert cut.in_field == thorax.measured().lungs["both"]


def test_lungs_cut_at_the_top_lose_their_upper_zones_alone(thorax):
    cut = with_lungs(thorax, cut=frozenset({"top"}))
    for side in LUNGS:
        assert is_unknown(cut.zones[side]["upper"])
        assert cut.zones[side]["middle"] == thorax.measured().zones[side]["middle"]
        assert cut.zones[side]["lower"] == thorax.measured().zones[side]["lower"]


@pytest.mark.parametrize("flip", [False, True], ids=["to the left", "to the right"])
def test_an_edge_at_one_side_cuts_the_lung_of_that_side(thorax, flip):
    if flip:
        affine = thorax.affine @ np.diag([-1.0, 1, 1, 1])
        affine[:3, 3] += thorax.affine[:3, 0] * (thorax.hu.shape[0] - 1)
        thorax = draw(affine, thorax.hu.shape)
    cut = with_lungs(thorax, cut=frozenset({"left"}))
    assert is_unknown(cut.lungs["left"])
    assert is_unknown(cut.lungs["both"])
    assert cut.lungs["right"] == thorax.measured().lungs["right"]


def test_an_edge_cuts_the_lung_of_the_other_side_where_that_reaches_it(thorax):
    half = slice(None, 100)
    # LPS: the first columns show the right lung; this one ends in the left
    affine = thorax.affine.copy()
    lungs = replace(thorax.lungs, labels=thorax.lungs.labels[half], airways=thorax.lungs.airways[half])
    narrow = slice(None, 40)
    cut = measure(
        thorax.hu[half],
        affine,
        thorax.mask[half],
        replace(lungs, cut=frozenset({"left"})),
    )
    assert is_unknown(cut.lungs["left"])
    assert not is_unknown(cut.lungs["right"])
    lungs = replace(thorax.lungs, labels=thorax.lungs.labels[narrow], airways=thorax.lungs.airways[narrow])
    cut = measure(thorax.hu[narrow], affine, thorax.mask[narrow], replace(lungs, cut=frozenset({"left"})))
    assert is_unknown(cut.lungs["right"])


def test_without_a_carina_there_are_no_zones_and_grades_still(thorax):
    found = with_lungs(thorax, carina=None)
    assert all(is_unknown(zone) for side in LUNGS for zone in found.zones[side].values())
    assert "no carina" in found.to_dict()["unknown"]["planes_mm.carina"]
    assert found.severity.both_lungs_grade == "CT-1"
    assert isinstance(found.severity.zone_score_sum, Unknown)


def test_a_carina_outside_the_lungs_is_not_believed(thorax):
    found = with_lungs(thorax, carina=np.array([0.0, 0.0, -150.0]))
    assert isinstance(found.planes.carina, Unknown)
    assert all(is_unknown(zone) for side in LUNGS for zone in found.zones[side].values())


def test_a_placeholder_spacing_gives_shares_and_no_volumes(thorax):
    known, found = thorax.measured(), thorax.measured(placeholder_spacing=True)
    row = found.to_row()
    assert [name for name, value in row.items() if name.endswith("_ml") and value is not None] == ["floor_ml"]
    assert found.lungs["both"].infected_percent == known.lungs["both"].infected_percent
    assert found.severity == known.severity
    assert isinstance(found.planes.carina, Unknown)
    assert any("placeholder" in warning for warning in found.warnings)


def test_no_lung_at_all_leaves_the_lesions_outside(thorax):
    nothing = np.zeros_like(thorax.lungs.labels)
    found = with_lungs(thorax, labels=nothing, airways=nothing > 0, carina=None, absent=frozenset({"right", "left"}))
    assert is_unknown(found.lungs["both"])
    assert found.in_field.lung_ml == 0
    assert isinstance(found.in_field.infected_percent, Unknown)
    assert found.lesions.count == 0
    assert found.lesions.outside_percent == 100
    assert isinstance(found.hu["lung"].mean, Unknown)


def test_warnings_of_the_lungs_stand_in_the_measurements(thorax):
    assert "one lung is dense" in with_lungs(thorax, warnings=("one lung is dense",)).warnings


def test_much_lesion_outside_the_lungs_is_warned_of(thorax):
    outside = 100 * STRAY.ml() / (STRAY.ml() + OPACITY.ml() + DENSE.ml())
    assert any(
        f"{outside:.0f}." in warning and "outside the lungs" in warning for warning in thorax.measured().warnings
    )
    within = np.where(thorax.lungs.labels > 0, thorax.mask, 0)
    assert replace(thorax, mask=within).measured().warnings == ()


def test_the_documents_are_json_without_nan_and_name_each_null(thorax):
    for found in (thorax.measured(), with_lungs(thorax, cut=frozenset({"top"}), carina=None)):
        content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        nulls = set()

        def walk(value, place, nulls=nulls):
            if isinstance(value, dict):
                for name, inner in value.items():
                    walk(inner, (*place, name))
            elif value is None:
                nulls.add(".".join(place))

        walk({name: value for name, value in content.items() if name != "unknown"}, ())
        assert nulls == set(content["unknown"])
        row = found.to_row()
        assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in row.values())
        assert row["both_infected_percent"] == content["lungs"]["both"]["infected_percent"]
        assert row["left_upper_zone_score"] == content["severity"]["zone_scores"]["left"]["upper"]
        assert row["right_upper_third_lung_ml"] == content["thirds"]["right"]["upper"]["lung_ml"]


def test_rows_of_all_studies_have_the_same_columns(thorax):
    assert list(thorax.measured().to_row()) == list(with_lungs(thorax, carina=None, cut=frozenset({"top"})).to_row())


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({"mask": np.zeros((2, 2, 2))}, {}, "on one grid"),
        ({}, {"classes": {1: "tumour"}}, "tumour"),
        ({}, {"classes": {}}, "what each value over 0 means"),
        ({}, {"classes": {1: "lesion"}}, r"values \[2, 3\]"),
        ({}, {"floor_ml": -1}, "floor_ml"),
        ({}, {"floor_percent": 100}, "floor_percent"),
        ({"extents": np.ones(3)}, {}, "for each of 108 slices"),
        ({"extents": np.zeros(108)}, {}, "at least 0 mm"),
        ({"affine": np.diag([1.0, 1, 0, 1])}, {}, "spans no volume"),
        ({"affine": np.eye(3)}, {}, r"\(4, 4\)"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_reason(thorax, change, options, reason):
    with pytest.raises(InputError, match=reason):
        replace(thorax, **change).measured(**options)


@pytest.mark.parametrize(("edge", "side"), [("above", None), (None, "middle")])
def test_edges_and_sides_of_other_names_are_refused(thorax, edge, side):
    with pytest.raises(InputError, match="edges are top"):
        with_lungs(thorax, cut=frozenset({edge} - {None}), absent=frozenset({side} - {None}))
