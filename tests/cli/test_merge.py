"""``covid-monai data merge``."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from covid_monai.cli.data import data
from covid_monai.data.manifest import read_dataset, write_dataset
from covid_monai.errors import InputError
from tests.data.test_merge import write_source


def run(*arguments: object):
    return CliRunner().invoke(data, ["merge", *map(str, arguments)])


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    return [write_source(tmp_path / name, name, f"{name}_").folder for name in ("one", "two")]


def test_two_data_sets_become_one(sources, tmp_path):
    result = run(*sources, "-o", tmp_path / "out", "--name", "both")
    assert result.exit_code == 0, result.output
    assert "24 slices (24 hu)" in result.output
    assert "taken for different patients: p0, p1, p2, p3" in result.output
    assert "data group" not in result.output
    assert read_dataset(tmp_path / "out").name == "both"
    assert "is not empty" in str(run(*sources, "-o", tmp_path / "out").exception)
    again = run(*sources, "-o", tmp_path / "out", "--overwrite", "--same-patients")
    assert again.exit_code == 0, again.output
    assert "different patients" not in again.output
    assert len({case.patient for case in read_dataset(tmp_path / "out").cases}) == 4


def test_slices_of_unknown_patients_are_to_be_grouped(sources, tmp_path):
    dataset = read_dataset(sources[0])
    cases = tuple(replace(case, patient=None, volume=None) for case in dataset.cases)
    write_dataset(replace(dataset, cases=cases))
    assert "covid-monai data group" in run(*sources, "-o", tmp_path / "out").output


def test_bad_input_is_refused_in_one_line(sources, tmp_path):
    for arguments, message in (
        (sources[:1], "at least two"),
        ([sources[0], tmp_path / "none"], "has no dataset.json"),
        ([sources[0], sources[0]], "case one_p0_s0 is in"),
    ):
        error = run(*arguments, "-o", tmp_path / "out").exception
        assert isinstance(error, InputError)
        assert message in str(error)
        assert "\n" not in str(error)
    assert not (tmp_path / "out").exists()


def test_no_data_set_at_all_is_wrong_usage(tmp_path):
    assert run("-o", tmp_path / "out").exit_code == 2
