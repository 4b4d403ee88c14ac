"""The command that splits a data set, as errors suggest it."""

import shlex
from dataclasses import replace

import pytest
from click.testing import CliRunner

from covid_monai.cli.data import data
from covid_monai.data.drawing import split_command
from covid_monai.data.manifest import read_dataset, write_dataset
from covid_monai.data.splits import read_split
from tests.tiny import write_tiny_dataset


@pytest.fixture
def given(tmp_path):
    """Twelve slices of four patients; tested are the first patient and one slice of the second."""
    write_tiny_dataset(tmp_path / "data")
    dataset = read_dataset(tmp_path / "data")
    tested = ("p0_s0", "p0_s1", "p0_s2", "p1_s0")
    cases = (replace(case, part="test" if case.case in tested else "train") for case in dataset.cases)
    write_dataset(replace(dataset, cases=tuple(cases)))
    return tmp_path / "data"


def paste(command: str) -> None:
    """Run the steps of a command line, as a shell would."""
    for step in command.split(" && "):
        program, group, *arguments = shlex.split(step)
        assert (program, group) == ("covid-monai", "data")
        result = CliRunner().invoke(data, arguments)
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("patients", [1, 2, 3, 4])
@pytest.mark.parametrize("protocol", [None, "paper", "grouped"])
def test_the_suggested_command_splits_when_pasted(tmp_path, patients, protocol):
    folder = write_tiny_dataset(tmp_path / "my data")
    dataset = read_dataset(folder)
    cases = tuple(
        replace(case, patient=f"p{index % patients}", volume=None) if patients > 1 else replace(case, patient=None)
        for index, case in enumerate(dataset.cases)
    )
    write_dataset(replace(dataset, cases=cases))
    path = tmp_path / "my data" / "new split.json"
    paste(split_command(read_dataset(folder), path, protocol))
    assert read_split(path).protocol == (protocol or "grouped")


def test_unknown_patients_are_split_as_given_or_by_groups_of_near_duplicates(given, tmp_path):
    dataset = read_dataset(given)
    unknown = tuple(replace(case, patient=None, volume=None) for case in dataset.cases)
    write_dataset(replace(dataset, cases=unknown))
    path = tmp_path / "split.json"
    paste(split_command(read_dataset(given), path))
    assert read_split(path).protocol == "given"
    command = split_command(read_dataset(given), path, "grouped")
    assert command.startswith("covid-monai data group ")


def test_slices_of_one_patient_are_split_by_slice(given, tmp_path):
    dataset = read_dataset(given)
    cases = tuple(replace(case, patient="p0", volume=None) for case in dataset.cases)
    write_dataset(replace(dataset, cases=cases))
    paste(split_command(read_dataset(given), tmp_path / "split.json"))
    assert read_split(tmp_path / "split.json").protocol == "paper"
