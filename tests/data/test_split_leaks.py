"""Splits that repeat a leak on purpose, and splits of given parts without one."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from covid_monai.data.manifest import Case, Dataset
from covid_monai.data.splits import datalist, read_split, split_dataset, write_split
from covid_monai.errors import InputError
from tests.data.test_splits import case_of, dataset_of, with_files


def dataset_with(*cases: Case) -> Dataset:
    return Dataset(Path("nowhere"), "test", "", {}, {}, cases)


def parts_of(fold) -> tuple[set[str], set[str], set[str]]:
    return set(fold.train), set(fold.validation), set(fold.test)


def change(path: Path, **changes: object) -> None:
    """Edit a split file by hand."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def leaking(tmp_path):
    """A split file whose validation subset is its test subset."""
    path = tmp_path / "split.json"
    write_split(path, split_dataset(dataset_of([12]), "paper", folds=3, validation_is_test=True))
    return path


@pytest.mark.parametrize("settings", [{"folds": 3}, {"test_fraction": 0.25}])
def test_validation_is_the_test_part_where_that_is_asked_for(settings):
    dataset = dataset_of([12])
    split = split_dataset(dataset, "paper", validation_is_test=True, **settings)
    assert split.validation_is_test
    for fold in split.folds:
        train, validation, test = parts_of(fold)
        assert validation == test
        assert not train & test
        assert train | test == {case.case for case in dataset.cases}


def test_the_same_seed_tests_the_same_cases_with_and_without_the_leak():
    dataset = dataset_of([40])
    with_leak, without = (
        split_dataset(dataset, "paper", folds=5, seed=3, validation_is_test=leak) for leak in (True, False)
    )
    assert [fold.test for fold in with_leak.folds] == [fold.test for fold in without.folds]


def test_given_parts_can_have_the_leak_too():
    cases = [case_of(index, None, None, "train" if index < 6 else "test") for index in range(10)]
    (fold,) = split_dataset(dataset_with(*cases), "given", validation_is_test=True).folds
    assert fold.validation == fold.test == tuple(case.case for case in cases[6:])
    assert len(fold.train) == 6


def test_grouped_promises_that_it_has_no_such_leak():
    with pytest.raises(InputError, match="grouped promises"):
        split_dataset(dataset_of([4, 4, 4]), "grouped", folds=3, validation_is_test=True)


def test_a_split_file_says_that_validation_is_test(leaking):
    assert json.loads(leaking.read_text())["validation_is_test"] is True
    assert read_split(leaking).validation_is_test


def test_the_validation_part_of_such_a_file_is_read_as_the_test_part(tmp_path):
    leaking = tmp_path / "split.json"
    dataset = with_files(dataset_of([12], tmp_path))
    write_split(leaking, split_dataset(dataset, "paper", folds=3, validation_is_test=True))
    validation, test = (datalist(tmp_path, leaking, 1, part) for part in ("validation", "test"))
    assert validation == test


@pytest.mark.parametrize(
    ("flag", "key"), [("validation_is_test", "validation_is_test"), ("without_near_duplicates", "without_look_alikes")]
)
def test_what_a_file_says_of_itself_cannot_be_changed_by_hand(flag, key, tmp_path):
    cases = [case_of(index, f"p{index}", None, "train" if index < 6 else "test") for index in range(10)]
    path = tmp_path / "split.json"
    write_split(path, split_dataset(dataset_with(*cases), "given", **{flag: True}))
    change(path, **{key: False})
    with pytest.raises(InputError, match="changed after it was written"):
        read_split(path)
    write_split(path, split_dataset(dataset_with(*cases), "given"))
    change(path, **{key: True})
    with pytest.raises(InputError, match="changed after it was written"):
        read_split(path)
    change(path, **{key: "yes"})
    with pytest.raises(InputError, match=f"{key} is 'yes'; it can be true or false"):
        read_split(path)


def test_only_that_overlap_is_allowed(tmp_path):
    split = split_dataset(dataset_of([12]), "paper", folds=3, validation_is_test=True)
    path = tmp_path / "split.json"
    first, *others = split.folds
    for fold, message in (
        (replace(first, validation=first.validation[:-1]), "validation of fold 0 is not its test subset"),
        (replace(first, train=(*first.train, first.test[0])), "fold 0 has a case in two subsets"),
    ):
        write_split(path, replace(split, folds=(fold, *others)))
        with pytest.raises(InputError, match=message):
            read_split(path)
    write_split(path, replace(split, validation_is_test=False))
    with pytest.raises(InputError, match="fold 0 has a case in two subsets"):
        read_split(path)


def test_files_from_before_there_were_such_splits_still_read(tmp_path):
    split = split_dataset(dataset_of([12]), "paper", folds=3)
    content = {"format": "covid-monai split", "version": 1, **asdict(split)}
    del content["validation_is_test"], content["without_near_duplicates"]
    folds = [asdict(fold) for fold in split.folds]
    content["sha256"] = hashlib.sha256(json.dumps(folds).encode()).hexdigest()
    (tmp_path / "split.json").write_text(json.dumps(content))
    assert read_split(tmp_path / "split.json") == split


def given_cases() -> tuple[Case, ...]:
    """Test has patient a, volume v and group g; of them training has one slice each, and one behind another."""
    return (
        case_of(0, "a", part="test"),
        case_of(1, None, "v", part="test"),
        replace(case_of(2, None, part="test"), group="g"),
        case_of(3, "a", part="train"),
        case_of(4, None, "v", part="train"),
        replace(case_of(5, None, part="train"), group="g"),
        # of patient b, and b looks like a
        replace(case_of(6, "a", part="train"), group="h"),
        replace(case_of(7, "b", part="train"), group="h"),
        *(case_of(index, f"p{index}", part="train") for index in range(8, 12)),
    )


@pytest.mark.parametrize("settings", [{"validation_fraction": 0.5}, {"validation_is_test": True}])
def test_near_duplicates_of_test_cases_are_in_no_subset(settings):
    split = split_dataset(dataset_with(*given_cases()), "given", without_near_duplicates=True, **settings)
    train, validation, test = parts_of(split.folds[0])
    assert split.without_near_duplicates
    assert test == {"case000", "case001", "case002"}
    assert (train | validation) - test == {f"case{index:03d}" for index in range(8, 12)}


def test_near_duplicates_stay_where_nobody_asks_for_less():
    train, validation, test = parts_of(split_dataset(dataset_with(*given_cases()), "given").folds[0])
    assert len(train | validation | test) == 12


def test_near_duplicates_cannot_be_left_out_where_nothing_is_known_of_a_case():
    cases = (*given_cases(), case_of(12, None, part="train"))
    with pytest.raises(InputError, match=r"1 of 13 cases have neither.*covid-monai data group"):
        split_dataset(dataset_with(*cases), "given", without_near_duplicates=True)


def test_nothing_left_to_train_on_is_refused():
    with pytest.raises(InputError, match="nothing is left to train on"):
        split_dataset(dataset_with(*given_cases()[:6]), "given", without_near_duplicates=True)


@pytest.mark.parametrize("protocol", ["paper", "grouped"])
def test_near_duplicates_are_left_out_under_protocol_given_alone(protocol):
    with pytest.raises(InputError, match="under protocol given alone"):
        split_dataset(dataset_of([4, 4, 4]), protocol, folds=3, without_near_duplicates=True)


@pytest.mark.parametrize(("old", "new"), [("strict", "grouped"), ("paper", "paper")])
def test_a_protocol_under_the_name_of_the_first_release_gives_the_same_split(old, new, tmp_path):
    cases = [case_of(index, f"p{index}", None, "train") for index in range(10)]
    split = split_dataset(dataset_with(*cases), old, folds=2)
    assert split == split_dataset(dataset_with(*cases), new, folds=2)
    path = tmp_path / "split.json"
    write_split(path, split)
    change(path, protocol=old)
    assert read_split(path) == split
