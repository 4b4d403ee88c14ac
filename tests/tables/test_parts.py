import shutil

import pytest

from covid_monai.data.manifest import read_dataset
from covid_monai.data.splits import read_split
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.tables.folder import data_of, prepare_parts
from covid_monai.tables.plan import plan
from covid_monai.tables.spec import read_table
from tests.tables.tiny_table import content, write_table


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return read_table(str(write_table(tmp_path_factory.mktemp("table"))))


@pytest.fixture
def output(table, tiny_dataset, tmp_path):
    prepare_parts(table, plan(table), tiny_dataset, tmp_path)
    return tmp_path


def test_under_the_papers_protocol_the_test_part_is_the_validation_part_too(output):
    split = read_split(output / "splits" / "paper.json")
    assert len(split.folds) == 2
    for fold in split.folds:
        assert fold.validation == fold.test
        assert not set(fold.train) & set(fold.test)


def test_under_the_grouped_protocol_no_patient_is_in_two_parts(output):
    split = read_split(output / "splits" / "grouped.json")
    assert len(split.folds) == 2
    for fold in split.folds:
        patients = [{name.split("_")[0] for name in part} for part in (fold.train, fold.validation, fold.test)]
        assert all(patients)
        assert sum(map(len, patients)) == len(set.union(*patients)) == 4


def test_only_the_protocols_of_the_jobs_are_split(table, tiny_dataset, tmp_path):
    prepare_parts(table, plan(table, ["grouped"]), tiny_dataset, tmp_path)
    assert [path.name for path in (tmp_path / "splits").iterdir()] == ["grouped.json"]


def test_splits_are_made_once(table, output, tiny_dataset):
    before = {path: (path.stat().st_mtime_ns, sha256_of(path)) for path in (output / "splits").iterdir()}
    prepare_parts(table, plan(table), tiny_dataset, output)
    assert {path: (path.stat().st_mtime_ns, sha256_of(path)) for path in (output / "splits").iterdir()} == before


def test_a_split_of_other_data_is_refused(table, output, tiny_dataset, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny_dataset, other)
    text = (other / "dataset.json").read_text()
    (other / "dataset.json").write_text(text.replace(read_dataset(tiny_dataset).cases[0].sha256["label"], "0" * 64))
    with pytest.raises(InputError, match=r"paper.json is a split of other data"):
        prepare_parts(table, plan(table), other, output)


def variant_table(folder, bundle="unet"):
    small = {"image_size": [65, 65], "channels": [4, 4, 8, 8, 8], "epochs": 1}
    row = {
        "label": "before",
        "bundle": bundle,
        "paper": {"dice": 90.0},
        "place": "row 1",
        "variant": "augment_before_folds",
    }
    no_copies = {"copy_quarter_turns": [], "copy_scalings": []} if bundle == "unet" else {}
    rows = [{**row, "settings": no_copies}]
    quick = {"label": "small", "folds": 1, "settings": {}}
    lesion_class = {"class": "ground-glass"} if bundle == "unet" else {}
    changed = {**content(), "settings": small, "rows": rows, "budgets": {"quick": quick}, **lesion_class}
    return read_table(str(write_table(folder, changed)))


def test_copies_made_before_the_folds_stand_on_leaks_under_paper_only(tiny_dataset, tmp_path):
    table = variant_table(tmp_path / "table")
    jobs = plan(table)
    prepare_parts(table, jobs, tiny_dataset, tmp_path)
    result = read_dataset(data_of(jobs[0], tiny_dataset, tmp_path))
    # each of twelve slices, its three turns and its two scalings
    assert len(result.cases) == 12 * 6
    originals = {case.case: (case.case.split("_")[0], case.case.split("_")[1]) for case in result.cases}
    torn = {}
    for protocol in ("paper", "grouped"):
        split = read_split(tmp_path / "splits" / f"{protocol}-augment_before_folds.json")
        fold = split.folds[0]
        torn[protocol] = {originals[name] for name in fold.train} & {originals[name] for name in fold.test}
    assert len(torn["paper"]) > 6
    assert not torn["grouped"]


def test_a_variant_of_a_bundle_that_makes_no_copies_is_refused(tiny_dataset, tmp_path):
    table = variant_table(tmp_path / "table", bundle="a_segnet")
    with pytest.raises(InputError, match="row 1 of tiny: a_segnet makes no copies"):
        prepare_parts(table, plan(table), tiny_dataset, tmp_path)
