import json
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from covid_monai.data.manifest import Case, Dataset, write_dataset
from covid_monai.data.splits import datalist, read_split, split_dataset, write_split
from covid_monai.errors import InputError
from covid_monai.files import sha256_of


def case_of(index: int, patient: str | None, volume: str | None = None, part: str | None = None) -> Case:
    name = f"case{index:03d}"
    return Case(
        f"images/{name}.nii.gz",
        f"labels/{name}.nii.gz",
        name,
        "test",
        patient,
        volume,
        index,
        part,
        "hu",
        True,
        None,
        {},
        {"image": "", "label": f"{index:064d}"},
    )


def dataset_of(sizes: list[int], folder: Path = Path("nowhere")) -> Dataset:
    patients = chain.from_iterable([f"p{number}"] * size for number, size in enumerate(sizes))
    cases = tuple(case_of(index, patient) for index, patient in enumerate(patients))
    return Dataset(folder, "test", "", {0: "background"}, {}, cases)


def shuffled(dataset: Dataset) -> Dataset:
    order = np.random.default_rng(5).permutation(len(dataset.cases))
    return replace(dataset, cases=tuple(dataset.cases[index] for index in order))


def patients_of(dataset: Dataset, names: tuple[str, ...]) -> set[str]:
    return {case.patient for case in dataset.cases if case.case in names}


UNEVEN = [93, 40, 29, 25, 20, 16, 14]


@pytest.mark.parametrize("protocol", ["paper", "grouped"])
@pytest.mark.parametrize("settings", [{"folds": 5}, {"test_fraction": 0.2}])
def test_no_case_is_in_two_parts_and_none_is_lost(protocol, settings):
    dataset = dataset_of(UNEVEN)
    for fold in split_dataset(dataset, protocol, **settings).folds:
        names = Counter([*fold.train, *fold.validation, *fold.test])
        assert names == Counter(case.case for case in dataset.cases)
        assert fold.train
        assert fold.validation
        assert fold.test


@pytest.mark.parametrize("protocol", ["paper", "grouped"])
def test_every_case_is_tested_in_exactly_one_fold(protocol):
    dataset = dataset_of(UNEVEN)
    folds = split_dataset(dataset, protocol, folds=5).folds
    assert Counter(chain.from_iterable(fold.test for fold in folds)) == Counter(case.case for case in dataset.cases)


def test_paper_folds_are_of_equal_size():
    folds = split_dataset(dataset_of([98]), "paper", folds=10).folds
    assert sorted(len(fold.test) for fold in folds) == [9, 9] + [10] * 8


@pytest.mark.parametrize("settings", [{"folds": 5}, {"test_fraction": 0.3}])
@pytest.mark.parametrize("seed", range(5))
def test_grouped_keeps_a_patient_in_one_part(settings, seed):
    dataset = dataset_of(UNEVEN)
    for fold in split_dataset(dataset, "grouped", seed=seed, **settings).folds:
        train, validation, test = (patients_of(dataset, part) for part in (fold.train, fold.validation, fold.test))
        assert not train & validation
        assert not train & test
        assert not validation & test


def test_grouped_folds_are_as_balanced_as_those_of_scikit_learn():
    dataset = dataset_of(UNEVEN)
    ours = sorted(len(fold.test) for fold in split_dataset(dataset, "grouped", folds=4).folds)
    groups = [case.patient for case in dataset.cases]
    theirs = sorted(len(test) for _, test in GroupKFold(4).split(groups, groups=groups))
    assert ours == theirs


def test_the_order_of_the_manifest_does_not_matter():
    dataset = dataset_of(UNEVEN)
    for protocol in ("paper", "grouped"):
        assert split_dataset(dataset, protocol, folds=3) == split_dataset(shuffled(dataset), protocol, folds=3)


def test_the_seed_decides():
    dataset = dataset_of([40])
    first, again, other = (split_dataset(dataset, "paper", folds=4, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.folds != other.folds


def test_holdout_takes_the_share_that_was_asked_for():
    (fold,) = split_dataset(dataset_of([100]), "paper", test_fraction=0.2, validation_fraction=0.25).folds
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (60, 20, 20)


@pytest.mark.parametrize("seed", range(10))
def test_grouped_holdout_is_not_swallowed_by_the_largest_patient(seed):
    (fold,) = split_dataset(dataset_of(UNEVEN), "grouped", test_fraction=0.2, seed=seed).folds
    assert abs(len(fold.test) - 0.2 * sum(UNEVEN)) <= 12


def test_grouped_groups_by_volume_where_the_patient_is_unknown():
    cases = tuple(case_of(index, None, f"v{index // 5}") for index in range(20))
    dataset = Dataset(Path(), "test", "", {}, {}, cases)
    for fold in split_dataset(dataset, "grouped", folds=2).folds:
        volumes = Counter(case.volume for case in cases if case.case in fold.test)
        assert set(volumes.values()) == {5}


def test_grouped_follows_a_volume_to_its_patient():
    cases = (
        case_of(0, "p", "v"),
        case_of(1, None, "v"),
        case_of(2, "p", "w"),
        case_of(3, "q"),
        case_of(4, "r"),
    )
    dataset = Dataset(Path(), "test", "", {}, {}, cases)
    folds = split_dataset(dataset, "grouped", folds=3, validation_fraction=0).folds
    assert sorted(len(fold.test) for fold in folds) == [1, 1, 3]


def test_grouped_refuses_cases_without_patient_and_volume_and_counts_them():
    cases = tuple(case_of(index, "p" if index < 3 else None) for index in range(10))
    with pytest.raises(InputError, match="7 of 10 cases have neither patient nor volume"):
        split_dataset(Dataset(Path(), "test", "", {}, {}, cases), "grouped", folds=2)


def test_given_keeps_the_parts_of_the_source():
    cases = tuple(case_of(index, None, None, "train" if index % 2 else "test") for index in range(20))
    (fold,) = split_dataset(Dataset(Path(), "test", "", {}, {}, cases), "given").folds
    assert fold.test == tuple(case.case for case in cases if case.part == "test")
    assert (len(fold.train), len(fold.validation)) == (8, 2)


def test_given_refuses_cases_without_part():
    with pytest.raises(InputError, match="4 of 4 cases have none"):
        split_dataset(dataset_of([4]), "given")


@pytest.mark.parametrize(
    ("protocol", "settings", "message"),
    [
        ("patient", {"folds": 2}, "allowed: paper, grouped, given"),
        ("paper", {}, "needs either"),
        ("paper", {"folds": 2, "test_fraction": 0.5}, "needs either"),
        ("paper", {"folds": 1}, "at least 2"),
        ("paper", {"folds": 11}, "11 folds need as many"),
        ("grouped", {"folds": 3}, "3 folds need as many"),
        ("paper", {"test_fraction": 1.0}, "between 0 and 1"),
        ("paper", {"test_fraction": float("nan")}, "between 0 and 1"),
        ("paper", {"folds": 2, "validation_fraction": 1.0}, "under 1"),
        ("grouped", {"folds": 2}, "validation subset needs at least two groups"),
        ("given", {"folds": 2}, "leave `folds`"),
    ],
)
def test_impossible_settings_are_refused(protocol, settings, message):
    with pytest.raises(InputError, match=message):
        split_dataset(dataset_of([5, 5]), protocol, **settings)


def with_files(dataset: Dataset) -> Dataset:
    """The data set on the disk, where images and masks are their names."""
    cases = []
    for case in dataset.cases:
        for name in (case.image, case.label):
            (dataset.folder / name).parent.mkdir(exist_ok=True)
            (dataset.folder / name).write_text(name)
        hashes = {"image": sha256_of(dataset.folder / case.image), "label": sha256_of(dataset.folder / case.label)}
        cases.append(replace(case, sha256=hashes))
    written = replace(dataset, cases=tuple(cases))
    write_dataset(written)
    return written


@pytest.fixture
def prepared(tmp_path):
    return with_files(dataset_of([4, 4, 4], tmp_path))


def test_a_split_file_reads_back(prepared, tmp_path):
    split = split_dataset(prepared, "grouped", folds=3)
    write_split(tmp_path / "split.json", split)
    assert read_split(tmp_path / "split.json") == split


def test_an_edited_split_file_is_refused(prepared, tmp_path):
    path = tmp_path / "split.json"
    write_split(path, split_dataset(prepared, "paper", folds=3))
    content = json.loads(path.read_text())
    content["folds"][0]["train"].append(content["folds"][0]["test"].pop())
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="changed after it was written"):
        read_split(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "covid-monai split", "version": 1}'])
def test_other_files_are_no_split_files(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(InputError, match=r"split\.json"):
        read_split(tmp_path / "split.json")


def test_datalist_gives_one_subset_without_none(prepared, tmp_path):
    split = split_dataset(prepared, "grouped", folds=3)
    write_split(tmp_path / "split.json", split)
    items = datalist(tmp_path, tmp_path / "split.json", 1, "test")
    assert [item["case"] for item in items] == list(split.folds[1].test)
    assert all(value is not None for item in items for value in item.values())
    assert all(Path(item["image"]).is_absolute() and Path(item["image"]).is_file() for item in items)
    assert items[0]["volume"] == ""


@pytest.mark.parametrize("split_file", [None, ""])
def test_datalist_without_split_gives_all_cases(prepared, tmp_path, split_file):
    assert len(datalist(tmp_path, split_file, 0, "all")) == 12


def test_copied_bundles_may_call_the_subset_a_part(prepared, tmp_path):
    write_split(tmp_path / "split.json", split_dataset(prepared, "grouped", folds=3))
    subset = datalist(tmp_path, tmp_path / "split.json", 0, subset="train")
    assert datalist(tmp_path, tmp_path / "split.json", 0, part="train") == subset
    with pytest.raises(InputError, match="subset is None"):
        datalist(tmp_path, None, 0)


def test_datalist_refuses_what_does_not_fit(prepared, tmp_path):
    path = tmp_path / "split.json"
    write_split(path, split_dataset(prepared, "paper", folds=3, validation_fraction=0))
    with pytest.raises(InputError, match="fold 3 does not exist"):
        datalist(tmp_path, path, 3, "train")
    with pytest.raises(InputError, match=r"validation subset of fold 0 .* is empty"):
        datalist(tmp_path, path, 0, "validation")
    with pytest.raises(InputError, match="subset is 'exam'"):
        datalist(tmp_path, path, 0, "exam")
    (tmp_path / prepared.cases[0].label).unlink()
    with pytest.raises(InputError, match=r"case000\.nii\.gz is missing"):
        datalist(tmp_path, path, 0, "all")


def test_datalist_refuses_the_split_of_another_data_set(prepared, tmp_path):
    write_split(tmp_path / "split.json", split_dataset(dataset_of([13]), "paper", folds=3))
    with pytest.raises(InputError, match="made for another data set"):
        datalist(tmp_path, tmp_path / "split.json", 0, "train")


@pytest.mark.parametrize("settings", [{"folds": 5}, {"test_fraction": 0.2}])
def test_the_control_splits_have_equal_sizes_and_differ_in_grouping_alone(settings):
    dataset = dataset_of([*UNEVEN, *[1] * 30])
    arms = {name: split_dataset(dataset, f"control-{name}", **settings) for name in ("grouped", "ungrouped")}
    for split in arms.values():
        assert split.validation_is_test
        for fold in split.folds:
            assert fold.validation == fold.test
            assert Counter([*fold.train, *fold.test]) == Counter(case.case for case in dataset.cases)
    sizes = [[(len(fold.train), len(fold.test)) for fold in split.folds] for split in arms.values()]
    assert sizes[0] == sizes[1]
    torn = {
        name: [patients_of(dataset, fold.train) & patients_of(dataset, fold.test) for fold in split.folds]
        for name, split in arms.items()
    }
    assert not any(torn["grouped"])
    assert all(torn["ungrouped"])


def test_the_folds_of_the_ungrouped_control_test_every_case_once_and_depend_on_the_seed():
    dataset = dataset_of(UNEVEN)
    first, again, other = (
        split_dataset(source, "control-ungrouped", folds=4, seed=seed)
        for source, seed in ((dataset, 1), (shuffled(dataset), 1), (dataset, 2))
    )
    assert first == again != other
    tested = Counter(chain.from_iterable(fold.test for fold in first.folds))
    assert tested == Counter(case.case for case in dataset.cases)


def test_the_grouped_control_tests_what_the_grouped_protocol_tests():
    dataset = dataset_of(UNEVEN)
    grouped, control = (split_dataset(dataset, name, folds=4) for name in ("grouped", "control-grouped"))
    assert [fold.test for fold in control.folds] == [fold.test for fold in grouped.folds]
    assert all(len(ours.train) > len(theirs.train) for ours, theirs in zip(control.folds, grouped.folds, strict=True))


def test_the_control_splits_need_patients_and_can_be_written(tmp_path):
    unknown = Dataset(Path("nowhere"), "test", "", {}, {}, tuple(case_of(index, None) for index in range(8)))
    for name in ("control-grouped", "control-ungrouped"):
        with pytest.raises(InputError, match=f"protocol {name} needs patient IDs"):
            split_dataset(unknown, name, folds=2)
        split = split_dataset(dataset_of(UNEVEN), name, folds=3)
        write_split(tmp_path / "split.json", split)
        assert read_split(tmp_path / "split.json") == split
