"""Several prepared data sets become one that loses nothing and joins nobody who is two."""

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from covid_monai.data.checks import check_dataset
from covid_monai.data.manifest import LABELS, Dataset, read_dataset, write_dataset
from covid_monai.data.merge import merge_datasets
from covid_monai.data.sources.augmented import write_copies
from covid_monai.data.sources.picture_index import LAYOUTS
from covid_monai.data.sources.slices import PictureSlices
from covid_monai.data.splits import split_dataset
from covid_monai.data.writer import prepare
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from tests.tiny import write_tiny_dataset


def write_source(folder: Path, name: str, prefix: str, **changes) -> Dataset:
    """The tiny data set under another name, its cases named anew, its patients still p0 to p3."""
    write_tiny_dataset(folder)
    dataset = read_dataset(folder)
    cases = tuple(replace(case, case=f"{prefix}{case.case}", source=name) for case in dataset.cases)
    for case in cases:
        for path in (case.image, case.label):
            os.replace(folder / path, folder / path.replace("p", prefix + "p", 1))
    cases = tuple(
        replace(case, image=f"images/{case.case}.nii.gz", label=f"labels/{case.case}.nii.gz") for case in cases
    )
    changed = replace(dataset, name=name, cases=cases, **changes)
    write_dataset(changed)
    return changed


@pytest.fixture
def sources(tmp_path):
    write_source(tmp_path / "one", "one", "a_", licence="CC0")
    write_source(tmp_path / "two", "two", "b_", licence="CC BY-NC-SA")
    return [tmp_path / "one", tmp_path / "two"]


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def change(folder: Path, **changes) -> None:
    """Change every case of a data set."""
    dataset = read_dataset(folder)
    write_dataset(replace(dataset, cases=tuple(replace(case, **changes) for case in dataset.cases)))


def test_every_case_is_there_with_its_source_and_hashes(sources, tmp_path):
    merged = merge_datasets(sources, tmp_path / "out").dataset
    assert merged == read_dataset(tmp_path / "out")
    before = [case for folder in sources for case in read_dataset(folder).cases]
    assert [(case.case, case.source, case.sha256, case.pixels) for case in merged.cases] == [
        (case.case, case.source, case.sha256, case.pixels) for case in before
    ]
    # both sources are drawn alike, and nothing else is to be found
    assert {finding.check for finding in check_dataset(tmp_path / "out")} == {"duplicate", "near-duplicate"}


def test_names_licences_and_labels_are_joined(sources, tmp_path):
    dataset = read_dataset(sources[1])
    write_dataset(replace(dataset, labels={0: "background", 1: "ground-glass", 4: "lesion"}, label_map={255: 4}))
    merged = merge_datasets(sources, tmp_path / "out").dataset
    assert merged.name == "one+two"
    assert merged.licence == "one: CC0; two: CC BY-NC-SA"
    assert merged.labels == {label: LABELS[label] for label in (0, 1, 2, 4)}
    assert merged.label_map == {1: 1, 2: 2, 4: 4}
    assert merge_datasets(sources, tmp_path / "named", name="both").dataset.name == "both"


def test_one_licence_of_all_is_told_once(tmp_path):
    for name in ("one", "two"):
        write_source(tmp_path / name, name, f"{name}_")
    assert merge_datasets([tmp_path / "one", tmp_path / "two"], tmp_path / "out").dataset.licence == "none"


def test_files_are_linked_not_copied(sources, tmp_path):
    merge_datasets(sources, tmp_path / "out")
    for folder in sources:
        for case in read_dataset(folder).cases:
            assert os.path.samefile(folder / case.image, tmp_path / "out" / case.image)
            assert os.path.samefile(folder / case.label, tmp_path / "out" / case.label)


def test_files_are_copied_where_links_cannot_be(sources, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    merged = merge_datasets(sources, tmp_path / "out").dataset
    for case in merged.cases:
        assert (tmp_path / "out" / case.image).stat().st_nlink == 1
        assert sha256_of(tmp_path / "out" / case.image) == case.sha256["image"]
        assert sha256_of(tmp_path / "out" / case.label) == case.sha256["label"]


def test_writing_over_a_source_leaves_the_merged_files_as_they_are(sources, tmp_path):
    merge_datasets(sources, tmp_path / "out")
    before = files(tmp_path / "out")
    write_copies(sources[1], sources[0], [1], [], overwrite=True)
    assert files(tmp_path / "out") == before


def test_patients_whom_two_sources_name_alike_are_told_apart(sources, tmp_path):
    change(sources[0], group="g")
    change(sources[1], group="g")
    merged = merge_datasets(sources, tmp_path / "out")
    assert merged.told_apart == ("p0", "p1", "p2", "p3")
    for case in merged.dataset.cases:
        patient = case.case.split("_")[1]
        assert (case.patient, case.volume) == (f"{case.source}:{patient}",) * 2
        assert case.group == f"{case.source}:g"


def test_names_that_one_source_has_alone_stay(sources, tmp_path):
    change(sources[1], patient="q", volume=None)
    merged = merge_datasets(sources, tmp_path / "out")
    assert merged.told_apart == ()
    assert {case.patient for case in merged.dataset.cases} == {"p0", "p1", "p2", "p3", "q"}


def test_patients_named_alike_are_one_where_that_is_said(sources, tmp_path):
    merged = merge_datasets(sources, tmp_path / "out", same_patients=True)
    assert merged.told_apart == ()
    assert {case.patient for case in merged.dataset.cases} == {"p0", "p1", "p2", "p3"}
    # the same patient's volumes, as each source prepared them
    assert len({case.volume for case in merged.dataset.cases}) == 8
    for fold in split_dataset(merged.dataset, "grouped", folds=4, validation_fraction=0).folds:
        assert len({name.split("_")[1] for name in fold.test}) == 1


def test_grouped_splits_by_the_patients_of_each_source(sources, tmp_path):
    merged = merge_datasets(sources, tmp_path / "out").dataset
    folds = split_dataset(merged, "grouped", folds=8, validation_fraction=0).folds
    assert [len(fold.test) for fold in folds] == [3] * 8


def test_one_case_name_in_two_data_sets_is_refused_and_nothing_is_written(sources, tmp_path):
    with pytest.raises(InputError, match=r"case a_p0_s0 is in .*one and in .*copy"):
        merge_datasets([sources[0], shutil.copytree(sources[0], tmp_path / "copy")], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_label_with_two_meanings_is_refused(sources, tmp_path):
    dataset = read_dataset(sources[1])
    write_dataset(replace(dataset, labels={**dataset.labels, 2: "pleural effusion"}))
    with pytest.raises(InputError, match=r"label 2 is pleural effusion in .*two, but consolidation"):
        merge_datasets(sources, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_changed_and_missing_files_are_named_and_the_output_stays_as_it_was(sources, tmp_path):
    merge_datasets(sources, tmp_path / "out")
    before = files(tmp_path / "out")
    case = read_dataset(sources[1]).cases[-1]
    # not in place, as that would change the linked file too
    content = (sources[1] / case.label).read_bytes()
    (sources[1] / case.label).unlink()
    with pytest.raises(InputError, match=f"cannot read .*{case.case}"):
        merge_datasets(sources, tmp_path / "out", overwrite=True)
    (sources[1] / case.label).write_bytes(content + b"\0")
    with pytest.raises(InputError, match=rf"{case.case}\.nii\.gz was changed after it was written"):
        merge_datasets(sources, tmp_path / "out", overwrite=True)
    assert files(tmp_path / "out") == before


def test_merging_again_needs_overwrite_and_gives_the_same(sources, tmp_path):
    merge_datasets(sources, tmp_path / "out")
    before = files(tmp_path / "out")
    with pytest.raises(InputError, match="is not empty"):
        merge_datasets(sources, tmp_path / "out")
    merge_datasets(sources, tmp_path / "out", overwrite=True)
    assert files(tmp_path / "out") == before


def test_the_output_cannot_be_one_of_the_data_sets(sources):
    before = files(sources[0])
    with pytest.raises(InputError, match="is one of the data sets"):
        merge_datasets(sources, sources[0].parent / "." / "one", overwrite=True)
    assert files(sources[0]) == before


def test_one_data_set_is_nothing_to_merge(sources, tmp_path):
    with pytest.raises(InputError, match="at least two"):
        merge_datasets(sources[:1], tmp_path / "out")


@pytest.mark.slow
def test_the_real_slices_of_both_parts_become_335(shared_data, tmp_path):
    parts = {"medseg-part1": "medseg_part1", "radiopaedia-part2": "radiopaedia_part2"}
    for layout, folder in parts.items():
        source = PictureSlices(shared_data / folder, LAYOUTS[layout], intensity="window")
        prepare(source, tmp_path / layout)
    merged = merge_datasets([tmp_path / layout for layout in parts], tmp_path / "out").dataset
    counted = {name: sum(case.source == name for case in merged.cases) for name in parts.values()}
    assert counted == {"medseg_part1": 98, "radiopaedia_part2": 237}
    assert len({case.patient for case in merged.cases} - {None}) == 7
    assert set(merged.labels) == {0, 1, 2, 4}
