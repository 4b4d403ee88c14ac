"""What ``covid-monai data split`` says of the splits that leak, and of those that leave cases out."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from covid_monai.cli.data import data
from covid_monai.data.manifest import read_dataset, write_dataset
from covid_monai.data.splits import read_split
from covid_monai.errors import InputError
from tests.tiny import write_tiny_dataset


def run(*arguments: object):
    return CliRunner().invoke(data, ["split", *map(str, arguments)])


@pytest.fixture
def given(tmp_path):
    """Twelve slices of four patients; tested are the first patient and one slice of the second."""
    write_tiny_dataset(tmp_path / "data")
    dataset = read_dataset(tmp_path / "data")
    tested = ("p0_s0", "p0_s1", "p0_s2", "p1_s0")
    cases = (replace(case, part="test" if case.case in tested else "train") for case in dataset.cases)
    write_dataset(replace(dataset, cases=tuple(cases)))
    return tmp_path / "data"


def test_a_leak_is_told_where_it_is_asked_for(tiny_dataset: Path, tmp_path):
    path = tmp_path / "split.json"
    result = run(tiny_dataset, "-o", path, "--protocol", "paper", "--folds", 3, "--validation-is-test")
    assert result.exit_code == 0, result.output
    assert "validation is the test subset: data leakage" in result.output
    assert all(fold.validation == fold.test for fold in read_split(path).folds)


def test_other_splits_speak_of_no_leak_and_of_nothing_left_out(tiny_dataset: Path, tmp_path):
    result = run(tiny_dataset, "-o", tmp_path / "split.json", "--protocol", "grouped", "--folds", 4)
    assert result.exit_code == 0, result.output
    assert "leak" not in result.output
    assert "left out" not in result.output


@pytest.mark.parametrize("option", ["--without-near-duplicates", "--without-look-alikes"])
def test_left_out_cases_are_counted(given, tmp_path, option):
    result = run(given, "-o", tmp_path / "split.json", "--protocol", "given", option)
    assert result.exit_code == 0, result.output
    assert ("is now called --without-near-duplicates" in result.output) == (option == "--without-look-alikes")
    assert "left out as near-duplicates of test cases: 2 training cases" in result.output
    (fold,) = read_split(tmp_path / "split.json").folds
    assert {name[:2] for name in (*fold.train, *fold.validation)} == {"p2", "p3"}


def test_bad_wishes_are_refused_in_one_line(given, tiny_dataset, tmp_path):
    out = tmp_path / "split.json"
    for arguments, message in (
        ((given, "-o", out, "--protocol", "grouped", "--folds", 2, "--validation-is-test"), "grouped promises"),
        ((given, "-o", out, "--protocol", "paper", "--folds", 2, "--without-near-duplicates"), "given alone"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, InputError)
        assert message in str(error)
        assert "\n" not in str(error)
    assert not out.exists()


@pytest.mark.parametrize(
    "wish",
    [
        ("--protocol", "paper", "--folds", 2, "--validation-is-test", "--validation-fraction", 0.3),
        ("--protocol", "paper", "--test-fraction", 0.3, "--validation-is-test", "--validation-fraction", 0.3),
        ("--protocol", "control-ungrouped", "--folds", 2, "--validation-fraction", 0.3),
        ("--protocol", "given", "--folds", 2),
        ("--protocol", "grouped"),
        ("--protocol", "paper", "--folds", 2, "--test-fraction", 0.3),
    ],
)
def test_the_command_that_a_usage_error_gives_works_when_pasted(given, tmp_path, wish, monkeypatch):
    monkeypatch.setattr("click.formatting.FORCED_WIDTH", 400)
    refused = run(given, "-o", tmp_path / "my split.json", *wish)
    assert refused.exit_code == 2, refused.output
    command = shlex.split(refused.output.split("`")[1].replace("--folds 5", "--folds 3"))
    assert command[:3] == ["covid-monai", "data", "split"]
    result = run(*command[3:])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "my split.json").is_file()
