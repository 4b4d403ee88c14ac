"""The commands ``check`` and ``group``."""

import json
from pathlib import Path

from click.testing import CliRunner

from covid_monai.cli import root
from covid_monai.cli.data_check import check
from covid_monai.cli.data_sets import group
from covid_monai.data.manifest import read_dataset
from tests.data.checks.patients import write_patients


def test_sound_data_exit_with_status_0_and_a_table(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=True)
    result = CliRunner().invoke(check, [str(tmp_path / "data")])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-1] == "12 cases: 0 errors, 0 notes"
    assert lines[-2].split() == ["split", "0", "0"]


def test_errors_exit_with_status_1_and_stand_in_the_json(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=True)
    (tmp_path / "data" / "labels" / "p1_s1.nii.gz").unlink()
    result = CliRunner().invoke(check, [str(tmp_path / "data"), "--json", str(tmp_path / "found.json")])
    assert result.exit_code == 1
    assert "error file: p1_s1: " in result.stdout
    content = json.loads((tmp_path / "found.json").read_text())
    assert (content["errors"], content["notes"], content["cases"]) == (1, 0, 12)
    (finding,) = content["findings"]
    assert (finding["check"], finding["severity"], finding["cases"]) == ("file", "error", ["p1_s1"])


def test_of_many_findings_the_first_are_told_and_all_are_counted(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=True)
    for path in (tmp_path / "data" / "labels").iterdir():
        path.unlink()
    result = CliRunner().invoke(check, [str(tmp_path / "data")])
    assert result.stdout.count("error file: p") == 10
    assert "error file: 2 more; --json FILE has all" in result.stdout
    assert "12 cases: 12 errors, 0 notes" in result.stdout


def test_group_writes_groups_and_claims_no_more_than_it_knows(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=False)
    result = CliRunner().invoke(group, [str(tmp_path / "data")])
    assert result.exit_code == 0
    assert "near-duplicates: p0_s0, p0_s1, p0_s2" in result.stdout
    assert "12 cases without patient or volume: 4 groups, 4 of them of several cases" in result.stdout
    assert "no known data leakage" in result.stdout
    assert {case.group for case in read_dataset(tmp_path / "data").cases} == {f"p{p}_s0" for p in range(4)}


def test_group_says_when_there_is_nothing_to_group(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=True)
    assert "nothing to group" in CliRunner().invoke(group, [str(tmp_path / "data")]).stdout


def test_a_data_set_without_cases_is_not_sound(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=True)
    manifest = tmp_path / "data" / "dataset.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "training": []}))
    result = CliRunner().invoke(root, ["data", "check", str(tmp_path / "data")])
    assert result.exit_code == 1
    assert "holds no cases: prepare it again" in result.output
