"""``covid-monai data copies``."""

import pytest
from click.testing import CliRunner

from covid_monai.cli.data import data
from covid_monai.data.manifest import read_dataset
from covid_monai.errors import InputError


def run(*arguments: object):
    return CliRunner().invoke(data, ["copies", *map(str, arguments)])


def test_the_papers_copies_are_made_where_nothing_is_said(tiny_dataset, tmp_path):
    result = run(tiny_dataset, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "72 slices (72 hu)" in result.output
    names = {case.case.removeprefix("p0_s0_") for case in read_dataset(tmp_path / "out").cases}
    assert names >= {"turned90", "turned180", "turned270", "scaled0.5", "scaled1.5"}


def test_turns_and_scalings_can_be_chosen(tiny_dataset, tmp_path):
    result = run(tiny_dataset, "-o", tmp_path / "out", "--quarter-turns", "2", "--scalings", "none")
    assert result.exit_code == 0, result.output
    copies = [case.case for case in read_dataset(tmp_path / "out").cases[12:]]
    assert len(copies) == 12
    assert all(name.endswith("_turned180") for name in copies)


def test_bad_input_is_refused_in_one_line(tiny_dataset, tmp_path):
    for arguments, message in (
        ((tmp_path / "none",), "has no dataset.json"),
        ((tiny_dataset, "--quarter-turns", "5"), "each can be 1, 2 or 3"),
        ((tiny_dataset, "--scalings", "-1"), "between 0.1 and 10"),
        ((tiny_dataset, "--quarter-turns", "none", "--scalings", "none"), "no turn and no scaling"),
    ):
        error = run(*arguments, "-o", tmp_path / "out").exception
        assert isinstance(error, InputError)
        assert message in str(error)
        assert "\n" not in str(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [("--quarter-turns", "1,a"), ("--quarter-turns", ""), ("--scalings", "half")])
def test_what_is_no_list_of_numbers_is_wrong_usage(option, tiny_dataset, tmp_path):
    result = run(tiny_dataset, "-o", tmp_path / "out", *option)
    assert result.exit_code == 2
    assert "and not none" in result.output
