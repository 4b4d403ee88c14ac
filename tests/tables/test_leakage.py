from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from covid_monai.data.splits import split_dataset, write_split
from covid_monai.tables.leakage import audit_splits
from covid_monai.tables.results import Results
from covid_monai.tables.spec import read_table
from tests.tables.small_data import write_slices


def audits(output, dataset, **splits):
    """The audits of the splits of a data set, by protocol."""
    for name, split in splits.items():
        write_split(output / "splits" / f"{name}.json", split)
    jobs = pd.DataFrame({"protocol": list(splits), "variant": ""})
    results = Results(
        output, read_table("zhou2020-v1"), "full", {"": dataset}, jobs, pd.DataFrame(), pd.DataFrame(), (), "patient"
    )
    return {each_split.name: each_split for each_split in audit_splits(results)}


@pytest.fixture
def dataset(tmp_path):
    """Four patients of two slices, and four slices of two groups; c08 and c10 are the same picture."""
    text = [{"patient": f"p{i // 2}", "look": i} for i in range(8)]
    text += [
        {"group": "g0", "look": 8},
        {"group": "g0", "look": 9},
        {"group": "g1", "look": 8},
        {"group": "g1", "look": 11},
    ]
    return write_slices(tmp_path / "data", text)


def given(dataset, test):
    split = split_dataset(dataset, "paper", folds=2, validation_fraction=0.0)
    names = {case.case for case in dataset.cases}
    fold = replace(split.folds[0], train=tuple(sorted(names - test)), validation=(), test=tuple(sorted(test)))
    return replace(split, folds=(fold,))


def test_what_is_in_training_and_test_is_counted_by_hand(dataset, tmp_path):
    # one slice of p0, all of p1, one of g0 and none of its twin's group
    entry = audits(tmp_path, dataset, paper=given(dataset, {"c00", "c02", "c03", "c08"}))["paper"]
    assert entry.leaks["patients"] == (1, 4)
    assert entry.leaks["groups of near-duplicates"] == (1, 2)
    assert entry.leaks["pairs of identical slices"] == (1, 1)
    assert (entry.tested, entry.exposed) == (4, 2)


def test_a_twin_alone_exposes_a_slice(dataset, tmp_path):
    entry = audits(tmp_path, dataset, paper=given(dataset, {"c02", "c03", "c08", "c09"}))["paper"]
    assert entry.leaks["groups of near-duplicates"] == (0, 2)
    assert (entry.tested, entry.exposed) == (4, 1)


def test_a_grouped_split_exposes_no_slice_and_the_papers_does(tmp_path):
    dataset = write_slices(tmp_path / "data", [{"patient": f"p{i // 4}"} for i in range(16)])
    found = audits(
        tmp_path,
        dataset,
        paper=split_dataset(dataset, "paper", folds=2),
        grouped=split_dataset(dataset, "grouped", folds=2),
    )
    assert found["grouped"].leaks["patients"] == (0, 4)
    assert (found["grouped"].tested, found["grouped"].exposed) == (16, 0)
    assert found["paper"].leaks["patients"][0] > 0
    patient_of = {case.case: case.patient for case in dataset.cases}
    exposed = [
        name
        for fold in split_dataset(dataset, "paper", folds=2).folds
        for name in fold.test
        if patient_of[name] in {patient_of[other] for other in (*fold.train, *fold.validation)}
    ]
    assert found["paper"].exposed == len(exposed) > 0


def test_slices_that_look_alike_are_counted_where_nobody_knows_who_they_are(tmp_path):
    dataset = write_slices(tmp_path / "data", [{}, {}, {}, {}], size=64)
    generator = np.random.default_rng(0)
    first = nibabel.load(tmp_path / "data" / dataset.cases[0].image)
    # the same anatomy with other noise
    noisy = np.asarray(first.dataobj) + generator.normal(0, 5, first.shape)
    nibabel.save(nibabel.Nifti1Image(noisy.astype(np.int16), first.affine), tmp_path / "data" / dataset.cases[1].image)
    entry = audits(tmp_path, dataset, paper=given(dataset, {"c00", "c02"}))["paper"]
    assert entry.leaks["pairs of near-duplicates"] == (1, 1)
    assert entry.exposed == 1
    # and the changed file is found
    assert any(finding.check == "hash" and finding.cases == ("c01",) for finding in entry.findings)


def test_findings_name_no_folder_of_this_machine(dataset, tmp_path):
    split = split_dataset(dataset, "paper", folds=2, validation_is_test=True)
    (dataset.folder / dataset.cases[0].image).unlink()
    entry = audits(tmp_path, dataset, paper=split)["paper"]
    assert {finding.check for finding in entry.findings} >= {"file", "split"}
    assert not [finding for finding in entry.findings if str(Path(tmp_path)) in finding.message]
