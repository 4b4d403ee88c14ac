import warnings
from dataclasses import replace

import pytest

from covid_monai.data.checks.splits import check_spellings
from covid_monai.data.manifest import Case, Dataset
from covid_monai.data.patients import read_patients, similar_patients, warn_of_similar_patients
from covid_monai.data.splits import split_dataset
from covid_monai.errors import InputError, InputWarning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,patient\nv,\n", "line 2: the patient is empty; every case needs one patient"),
        ("case,patient\n,a\n", "line 2: the case is empty"),
        ("case,patient\nv,a\nv,b\n", "line 3: case 'v' is named twice"),
        ("case,patient\nMu\u0308,a\nM\u00fc,b\n", "line 3: case 'Mü' is named twice"),
        ("volume,patient\nv,a\n", "no column 'case'"),
    ],
)
def test_a_broken_table_of_patients_is_refused(tmp_path, text, message):
    (tmp_path / "patients.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_patients(tmp_path / "patients.csv")


def test_blanks_around_patients_are_no_part_of_them(tmp_path):
    (tmp_path / "patients.csv").write_text("case, patient\np1_scan1, A\np1_scan2,A \np2_scan1,B\n")
    assert read_patients(tmp_path / "patients.csv") == {"p1_scan1": "A", "p1_scan2": "A", "p2_scan1": "B"}


@pytest.mark.parametrize(
    "alike", [("P1", "p1"), ("Anna Berg", "AnnaBerg"), ("p_1", "p-1"), ("007", "7"), ("p 1", "p  1"), ("p1", "\uff501")]
)
def test_patients_that_look_alike_are_told(alike):
    with pytest.warns(InputWarning, match=r"the set: patient IDs look alike: .* and ") as caught:
        warn_of_similar_patients([*alike, None, "other", *alike], "the set")
    assert len(caught) == 1
    assert all(repr(name) in str(caught[0].message) for name in alike)


@pytest.mark.parametrize("apart", [("p1", "p2"), ("p1", "p10"), ("1-11", "11-1"), ("a", "b"), ("10", "100")])
def test_patients_that_differ_are_not(apart):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_similar_patients([*apart, None], "the set")


def case(name, patient, source="s"):
    digests = {"image": "0" * 64, "label": "0" * 64}
    return Case("i", "l", name, source, patient, None, None, None, "hu", True, None, {}, digests)


def test_a_check_notes_patients_that_look_alike():
    cases = [case("c0", "A"), case("c1", "a"), case("c2", "B"), case("c3", "b", "other"), case("c4", None)]
    (finding,) = check_spellings(cases)
    assert (finding.severity, finding.check, finding.cases) == ("note", "split", ("c0", "c1"))
    assert "s: patient IDs look alike: 'A' and 'a'" in finding.message


def test_a_grouped_split_tells_patients_that_look_alike_in_one_source(tmp_path):
    cases = tuple(case(f"c{index}", patient) for index, patient in enumerate(("A", "a", "B", "C")))
    dataset = Dataset(tmp_path, "s", "", {}, {}, cases)
    with pytest.warns(InputWarning, match="'A' and 'a'"):
        split_dataset(dataset, "grouped", folds=2)
    other = replace(dataset, cases=(replace(cases[0], source="t"), *cases[1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split_dataset(other, "grouped", folds=2)
        split_dataset(dataset, "paper", folds=2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1", "1.0"),
        ("01", "1.00"),
        ("PA", "\u0420\u0410"),
        ("p1", "p1\u200b"),
        ("p-1", "p\u20131"),
        ("TB7", "\u03a4\u03927"),
    ],
)
def test_ids_that_only_look_different_to_a_machine_are_found(first: str, second: str) -> None:
    assert similar_patients([first, second]) == [sorted([first, second])]


@pytest.mark.parametrize(("first", "second"), [("1", "10"), ("1.0", "1.1"), ("1.0.1", "1"), ("\u0416", "\u0428")])
def test_ids_that_are_different_to_a_reader_are_not_found(first: str, second: str) -> None:
    assert not similar_patients([first, second])
