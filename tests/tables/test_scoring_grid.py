"""A table's scores on its paper's grid, beside those on the data's own."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest

from covid_monai.scoring.format import ABSENT
from covid_monai.scoring.overlap import COUNTS
from covid_monai.tables.collecting import collect
from covid_monai.tables.findings import find
from covid_monai.tables.page import write_results
from covid_monai.tables.publish import publish
from covid_monai.tables.published import read_published
from covid_monai.tables.records import DECIMALS, frame
from covid_monai.tables.render import measure_lines, with_interval
from covid_monai.tables.statistics import estimate_entries
from tests.tables.fabricated import write_output
from tests.tables.tiny_table import content, write_table


@pytest.fixture(scope="module")
def output(patients, tmp_path_factory):
    place = tmp_path_factory.mktemp("grid")
    path = write_table(place, {**content(), "grid": 32})
    write_output(place / "output", path, patients, budget="quick")
    return place / "output"


def pixels(scores: pd.DataFrame) -> set[int]:
    return set(scores.loc[scores["level"] == "slice", list(COUNTS)].sum(axis=1))


def test_the_papers_grid_counts_and_the_datas_own_stands_beside_it(output):
    results = collect(output)
    assert results.grid == 32
    (own,), (papers,) = pixels(results.native_scores), pixels(results.scores)
    assert own == 4 * papers
    keys = ["protocol", "slug", "fold", "seed", "level", "case", "class", "unit"]
    assert results.native_scores[keys].equals(results.scores[keys])


def test_the_table_has_each_value_on_both_grids(output):
    findings = find(output)
    on_own_grid = replace(findings.results, grid=None, scores=findings.results.native_scores)
    expected = {
        (entry.protocol, entry.row.label, entry.measure.name): entry.value
        for entry in estimate_entries(on_own_grid, {})
    }
    found = {(entry.protocol, entry.row.label, entry.measure.name): entry.own_grid for entry in findings.entries}
    assert found == expected
    assert any(value is not None for value in found.values())
    lines = frame(findings)
    assert set(lines["own_grid"].dropna()) == {round(value.value, DECIMALS) for value in expected.values() if value}
    measure = findings.results.table.measures["dice"]
    section = measure_lines(findings.results, measure, findings.entries, findings.optimism, {})
    places = [place for place, name in enumerate(section.header) if name == "on the slices' own grid"]
    dice = [entry for entry in findings.entries if entry.measure == measure]
    shown = {row[place] for row in section.rows for place in places} - {ABSENT}
    assert shown == {with_interval(entry.own_grid, 1) for entry in dice if entry.own_grid}


def test_where_a_job_lacks_the_grid_all_are_on_the_datas_own(output, tmp_path):
    older = shutil.copytree(output, tmp_path / "older")
    shutil.rmtree(sorted(older.glob("jobs/*/*/*/evaluation/test/scoring_grid"))[0])
    results = collect(older)
    assert results.grid is None
    assert results.native_scores.empty
    assert pixels(results.scores) == pixels(collect(output).native_scores)


@pytest.mark.slow
def test_both_are_published_and_read_again(output, tmp_path):
    write_results(output)
    findings = find(output)
    publish(output, tmp_path / "published")
    again = read_published(tmp_path / "published")
    assert again.results.grid == 32
    for name in ("scores", "native_scores"):
        frame, expected = (getattr(results, name) for results in (again.results, findings.results))
        pd.testing.assert_frame_equal(frame[expected.columns], expected, check_dtype=False)
    assert "scored on 32 x 32, and on the slices' own grid beside it" in str(again.head.sides)
