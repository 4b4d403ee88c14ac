import copy

import numpy as np
import pytest

from covid_monai.measurements import measure
from covid_monai.study_page.numbers import millilitres, percent, whole
from covid_monai.study_page.summary import because_of, figures_of, sentence_of
from covid_monai.study_page.tables import tables_of
from tests.inference.drawn_studies import coarse_thorax

CLASSES = {1: "ground_glass", 2: "consolidation", 3: "effusion"}


@pytest.fixture(scope="module")
def thorax():
    return coarse_thorax()


@pytest.fixture(scope="module")
def document(thorax):
    return measure(thorax.hu, thorax.affine, thorax.mask, thorax.lungs, classes=CLASSES).to_dict()


def cut(thorax, **changes):
    lungs = copy.copy(thorax.lungs)
    for name, value in changes.items():
        setattr(lungs, name, value)
    return measure(thorax.hu, thorax.affine, thorax.mask, lungs, classes=CLASSES).to_dict()


def test_the_sentence_and_the_numbers_are_those_of_the_document(document):
    lungs = document["lungs"]
    sentence = sentence_of(document)
    for side in ("both", "right", "left"):
        assert f"{lungs[side]['infected_percent']:.1f} %" in sentence
    assert because_of(document) is None
    share, volume, grade, score = figures_of(document)
    assert share.value == f"{lungs['both']['infected_percent']:.1f} %"
    assert volume.value == millilitres(lungs["both"]["lesion_ml"])
    assert grade.value == document["severity"]["worse_lung_grade"]
    assert score.value == f"{document['severity']['zone_score_sum']} of 24"


def test_lungs_that_are_cut_have_the_share_of_the_field_and_a_reason(thorax):
    found = cut(thorax, cut=frozenset({"bottom"}))
    assert sentence_of(found) == (
        f"Lesions fill {found['in_field']['infected_percent']:.1f} % of what the field of view shows of the lungs; "
        "the share of whole lungs is unknown."
    )
    assert "cut by the field of view (bottom)" in str(because_of(found))
    share, volume, grade, score = figures_of(found)
    assert "field of view" in share.note
    assert volume.note.startswith("ground-glass ")
    assert grade.value == score.value == "\N{EN DASH}"
    assert "cut by the field" in grade.note


def test_no_lesion_and_no_lungs_are_said_differently(thorax):
    nothing = np.zeros(thorax.hu.shape, np.uint8)
    clean = measure(thorax.hu, thorax.affine, nothing, thorax.lungs, classes=CLASSES).to_dict()
    assert sentence_of(clean) == "No lesion was found in the lungs."
    lost = cut(thorax, labels=nothing, absent=frozenset({"right", "left"}))
    assert sentence_of(lost) == "Nothing can be said of the lungs."
    assert "absent" in str(because_of(lost))


def test_without_a_spacing_shares_stand_and_volumes_have_their_reason(thorax):
    found = measure(
        thorax.hu, thorax.affine, thorax.mask, thorax.lungs, classes=CLASSES, placeholder_spacing=True
    ).to_dict()
    share, volume, *_ = figures_of(found)
    assert share.value.endswith(" %")
    assert volume.value == "\N{EN DASH}"
    assert "placeholder" in volume.note


def test_tables_hold_what_was_measured_with_the_definitions_that_it_goes_by(document):
    lungs, zones, thirds, lesions, hu = tables_of(document)
    assert lungs.rows[1][3] == percent(document["lungs"]["right"]["infected_percent"])
    assert zones.rows[0][-1] == whole(document["severity"]["zone_scores"]["right"]["upper"])
    assert len(zones.rows) == len(thirds.rows) == 6
    assert dict(lesions.rows)["number"] == str(document["lesions"]["count"])
    assert hu.rows[0][1] == whole(document["hu"]["lesion"]["mean"])
    assert [table.wide for table in (lungs, zones, thirds, lesions, hu)] == [True, True, True, False, False]
    assert all(table.definitions for table in (lungs, zones, thirds, lesions, hu))


def test_a_table_that_knows_nothing_has_its_reasons_alone(thorax):
    thirds = tables_of(cut(thorax, cut=frozenset({"bottom"})))[2]
    assert thirds.rows == []
    assert thirds.unknown == [f"the {side} lung is cut by the field of view (bottom)" for side in ("right", "left")]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "\N{EN DASH}"), (0.0, "0 %"), (0.04, "under 0.1 %"), (12.34, "12.3 %"), (100.0, "100 %")]
)
def test_shares_have_the_digits_that_mean_something(value, text):
    assert percent(value) == text
