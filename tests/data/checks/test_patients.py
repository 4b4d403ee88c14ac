"""One patient under two names or in two parts is found, and told by what the split's protocol promises."""

from dataclasses import replace
from pathlib import Path

import pytest

from covid_monai.data.checks import Finding, check_dataset
from covid_monai.data.manifest import read_dataset
from covid_monai.data.near_duplicates import group_cases
from covid_monai.data.splits import Fold, Split, dataset_hash, split_dataset, write_split
from covid_monai.errors import InputError
from tests.data.checks.patients import change_cases, copy_image, write_patients


def of_kind(findings: list[Finding], check: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.severity, finding.cases) for finding in findings if finding.check == check]


def write_torn_split(path: Path, dataset, protocol: str) -> Path:
    """Test with the first slice of the first patient alone."""
    first, *rest = sorted(case.case for case in dataset.cases)
    fold = Fold(tuple(rest[5:]), tuple(rest[2:5]), (first, *rest[:2]))
    torn = Fold(tuple(rest), (), (first,))
    write_split(path, Split(protocol, "folds", 0, dataset_hash(dataset), (fold, torn)))
    return path


def test_near_duplicates_of_one_patient_are_no_finding(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=True)
    assert check_dataset(tmp_path / "data") == []


def test_near_duplicates_of_unknown_patients_are_found_patient_by_patient(tmp_path: Path) -> None:
    write_patients(tmp_path / "data", known=False)
    found = of_kind(check_dataset(tmp_path / "data"), "near-duplicate")
    assert found == [("note", tuple(f"p{patient}_s{index}" for index in range(3))) for patient in range(4)]


@pytest.mark.parametrize(("protocol", "severity"), [("grouped", "error"), ("paper", "note")])
def test_near_duplicates_in_two_parts_break_a_grouped_split_only(tmp_path: Path, protocol: str, severity: str) -> None:
    dataset = write_patients(tmp_path / "data", known=False)
    split = write_torn_split(tmp_path / "split.json", dataset, protocol)
    findings = check_dataset(tmp_path / "data", split)
    assert (severity, ("p0_s0", "p0_s1", "p0_s2")) in of_kind(findings, "near-duplicate")
    (reason,) = [finding.message for finding in findings if "p0_s0" in finding.cases]
    assert "in fold 1:" in reason


@pytest.mark.parametrize(("protocol", "severity"), [("grouped", "error"), ("paper", "note")])
def test_a_patient_in_two_parts_breaks_a_grouped_split_only(tmp_path: Path, protocol: str, severity: str) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    split = write_torn_split(tmp_path / "split.json", dataset, protocol)
    assert of_kind(check_dataset(tmp_path / "data", split), "split") == [(severity, ("p0_s0", "p0_s1", "p0_s2"))]


def test_the_parts_of_the_source_are_looked_at_without_a_split(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    parts = {case.case: {"part": "test" if case.case == "p0_s0" else "train"} for case in dataset.cases}
    change_cases(dataset, parts)
    assert of_kind(check_dataset(tmp_path / "data"), "split") == [("note", ("p0_s0", "p0_s1", "p0_s2"))]


def test_a_split_of_another_data_set_is_an_error(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    write_split(tmp_path / "split.json", replace(split_dataset(dataset, "grouped", 2), dataset="0" * 64))
    assert of_kind(check_dataset(tmp_path / "data", tmp_path / "split.json"), "split") == [("error", ())]


def test_a_split_changed_by_hand_is_an_error(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    path = tmp_path / "split.json"
    write_split(path, split_dataset(dataset, "grouped", 2))
    path.write_text(path.read_text().replace("p0_s0", "p9_s9"))
    (finding,) = check_dataset(tmp_path / "data", path)
    assert (finding.check, finding.severity) == ("split", "error")


def test_one_image_under_two_patients_is_an_error(tmp_path: Path) -> None:
    copy_image(write_patients(tmp_path / "data", known=True), "p0_s0", "p1_s1")
    assert ("error", ("p0_s0", "p1_s1")) in of_kind(check_dataset(tmp_path / "data"), "duplicate")


def test_one_image_twice_within_a_patient_is_a_note(tmp_path: Path) -> None:
    copy_image(write_patients(tmp_path / "data", known=True), "p0_s0", "p0_s1")
    assert of_kind(check_dataset(tmp_path / "data"), "duplicate") == [("note", ("p0_s0", "p0_s1"))]


def test_one_image_in_two_parts_is_an_error_under_every_protocol(tmp_path: Path) -> None:
    dataset = copy_image(write_patients(tmp_path / "data", known=False), "p0_s0", "p0_s1")
    split = write_torn_split(tmp_path / "split.json", dataset, "paper")
    assert of_kind(check_dataset(tmp_path / "data", split), "duplicate") == [("error", ("p0_s0", "p0_s1"))]


def test_patients_with_near_duplicates_are_a_note(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    change_cases(dataset, {"p0_s2": {"patient": "p1", "volume": "p1"}})
    (finding,) = check_dataset(tmp_path / "data")
    assert (finding.check, finding.severity) == ("near-duplicate", "note")
    assert "patients p0 and p1" in finding.message


def test_grouped_needs_groups_and_then_keeps_them_together(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=False)
    with pytest.raises(InputError, match="covid-monai data group"):
        split_dataset(dataset, "grouped", 4)
    grouping = group_cases(dataset)
    assert grouping.unknown == 12
    assert sorted(grouping.groups.values()) == [tuple(f"p{p}_s{s}" for s in range(3)) for p in range(4)]
    grouped = read_dataset(tmp_path / "data")
    assert dataset_hash(grouped) == dataset_hash(dataset)
    split = split_dataset(grouped, "grouped", 4, validation_fraction=0)
    assert sorted(fold.test for fold in split.folds) == sorted(grouping.groups.values())
    write_split(tmp_path / "split.json", split)
    assert check_dataset(tmp_path / "data", tmp_path / "split.json") == []


def test_an_unknown_case_stays_with_the_patient_that_it_looks_like(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    change_cases(dataset, {"p2_s1": {"patient": None, "volume": None}})
    grouping = group_cases(read_dataset(tmp_path / "data"))
    assert grouping.groups == {"p2_s0": ("p2_s0", "p2_s1", "p2_s2")}
    tests = [set(fold.test) for fold in split_dataset(read_dataset(tmp_path / "data"), "grouped", 4).folds]
    assert {"p2_s0", "p2_s1", "p2_s2"} in tests


def test_a_case_like_no_other_is_a_group_of_its_own(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=False)
    grouping = group_cases(dataset, threshold=0.9999)
    assert [len(members) for members in grouping.groups.values()] == [1] * 12


def test_known_patients_are_not_grouped(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    before = (tmp_path / "data" / "dataset.json").read_bytes()
    assert group_cases(dataset).groups == {}
    assert (tmp_path / "data" / "dataset.json").read_bytes() == before


def test_a_test_subset_that_also_validates_is_told(tmp_path: Path) -> None:
    dataset = write_patients(tmp_path / "data", known=True)
    write_split(tmp_path / "split.json", split_dataset(dataset, "paper", folds=2, validation_is_test=True))
    messages = [finding.message for finding in check_dataset(tmp_path / "data", tmp_path / "split.json")]
    assert any("the test subset validates too" in message for message in messages)
