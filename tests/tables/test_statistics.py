import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from covid_monai.data.manifest import read_dataset
from covid_monai.scoring.bootstrap import ClusterBootstrap, effective_number
from covid_monai.scoring.intervals import Range, interval
from covid_monai.tables.judging import sd_over_slices
from covid_monai.tables.statistics import estimate_entries, job_values, tally_of
from covid_monai.tables.verdict import Verdict, judge

SEGNET, ATTENTION = "SegNet + DL", "A-SegNet + TL (0.3, 0.7)"


def entry(findings, measure, protocol, row):
    (found,) = [
        each_entry
        for each_entry in findings.entries
        if (each_entry.measure.name, each_entry.protocol, each_entry.row.label) == (measure, protocol, row)
    ]
    return found


def counts(folder):
    """(tp, fp, fn) of each case of a job, from its masks and the data set's labels."""
    dataset = read_dataset(json.loads((folder.parents[3] / "reproduce.json").read_text())["data"])
    label_of = {case.case: dataset.folder / case.label for case in dataset.cases}
    found = {}
    for path in (folder / "evaluation" / "test" / "masks").iterdir():
        name = path.name.removesuffix(".nii.gz")
        prediction, reference = (np.asarray(nibabel.load(item).dataobj) > 0 for item in (path, label_of[name]))
        found[name] = tuple(
            int(item.sum()) for item in (prediction & reference, prediction & ~reference, reference & ~prediction)
        )
    return found


def dice(found):
    tp, fp, fn = np.sum(list(found), axis=0)
    return 2 * tp / (2 * tp + fp + fn)


def job(finished, protocol, fold, seed, row="a-segnet-tl-0.3-0.7"):
    return counts(finished / "jobs" / protocol / row / f"fold{fold}-seed{seed}")


def test_mean_and_spread_are_those_of_the_jobs(finished, findings):
    values = [100 * dice(job(finished, "grouped", fold, seed).values()) for fold in (0, 1) for seed in (0, 1)]
    item = entry(findings, "dice", "grouped", ATTENTION)
    assert item.value.value == pytest.approx(np.mean(values))
    assert item.sd == pytest.approx(np.std(values, ddof=1))
    assert item.sd_of_seeds == pytest.approx(np.std([np.mean(values[::2]), np.mean(values[1::2])], ddof=1))
    assert (item.jobs, item.planned) == (4, 4)


def test_a_jobs_own_value_is_that_of_its_scores_file(finished, findings):
    results = findings.results
    for measure in list(results.table.measures.values())[:2]:
        for row in results.table.rows[:2]:
            values = job_values(results, "paper", row, measure)
            for (_, item), value in zip(results.jobs_of("paper", row).iterrows(), values, strict=True):
                scores = json.loads((item["evaluation"] / "scores.json").read_text())
                stored = scores["levels"][measure.averaging]["classes"]["lesion"]["measures"][measure.name]["value"]
                assert value == pytest.approx(stored)


class FoldsOfSeeds:
    """Pooled Dice of weighed patients: the seeds of a fold averaged, then the folds by their drawn slices."""

    def __init__(self, found, patients):
        self.counts = np.zeros((2, 2, len(patients), 3))
        self.slices = np.zeros((2, len(patients)))
        for (fold, seed), cases in found.items():
            for name, three in cases.items():
                self.counts[fold, seed, patients.index(name[:2])] += three
                self.slices[fold, patients.index(name[:2])] += seed == 0
        pixels = self.counts @ [2, 1, 1]
        of_fold = (pixels / pixels.sum(axis=2, keepdims=True)).mean(axis=1)
        self.contributions = (of_fold * self.slices.sum(axis=1, keepdims=True) / self.slices.sum()).sum(axis=0)
        self.clusters = len(patients)

    def value(self, weights):
        summed = np.einsum("bp,fspc->bfsc", weights, self.counts)
        with np.errstate(invalid="ignore"):
            folds = (2 * summed[..., 0] / (summed @ [2, 1, 1])).mean(axis=2)
        sizes = weights @ self.slices.T
        return np.where(sizes > 0, folds * sizes, 0).sum(axis=1) / sizes.sum(axis=1)

    def drawn(self, weights):
        moves = [(self.value(weights + 1e-6 * unit) - self.value(weights)) / 1e-6 for unit in np.eye(self.clusters)]
        return self.value(weights), np.stack(moves, axis=1)


def test_folds_are_averaged_over_their_seeds_and_patients_are_resampled(finished, findings):
    found = {place: job(finished, "grouped", *place) for place in ((0, 0), (0, 1), (1, 0), (1, 1))}
    item = entry(findings, "dice", "grouped", ATTENTION)
    per_job = {place: 100 * dice(cases.values()) for place, cases in found.items()}
    assert item.value.value == pytest.approx(np.mean(list(per_job.values())))
    assert (item.units, item.seeds) == (8, 2)
    scores = findings.results.scores_of("grouped", item.row)
    first_case = {name[:2]: unit for name, unit in zip(scores["case"], scores["unit"], strict=True) if name}
    patients = sorted(first_case, key=first_case.get)
    statistic = FoldsOfSeeds(found, patients)
    low, high = interval(statistic, ClusterBootstrap(patients), Range())
    assert item.value.interval == pytest.approx((100 * low, 100 * high), rel=1e-3)
    assert item.value.effective == pytest.approx(effective_number(statistic.contributions))


def test_a_failed_job_is_missing_in_the_count_and_in_nothing_else(finished, findings):
    values = [
        100 * dice(job(finished, "grouped", *place, row="segnet-dl").values()) for place in ((0, 0), (0, 1), (1, 0))
    ]
    item = entry(findings, "dice", "grouped", SEGNET)
    # the fold with one seed weighs as much as that with two
    assert item.value.value == pytest.approx(np.mean([np.mean(values[:2]), values[2]]))
    assert (item.jobs, item.planned) == (3, 4)
    # of the fold that both seeds have
    assert item.sd_of_seeds == pytest.approx(np.std(values[:2], ddof=1))


def test_difference_interval_and_verdict_are_those_of_one_value(findings):
    item = entry(findings, "dice", "paper", SEGNET)
    found = item.difference
    assert 100 * found.value == pytest.approx(item.value.value - 61.5)
    # two rows of two seeds each: t has two degrees of freedom; pooled Dice is printed to 0.01 (50.25)
    spreads = [entry(findings, "dice", "paper", row).sd_of_seeds for row in (SEGNET, ATTENTION)]
    rows = {row.label: row for row in findings.results.table.rows}
    sd = sd_over_slices(tally_of(findings.results, "paper", rows[SEGNET], item.measure), "dice", 10)
    square = (100 * sd) ** 2 * (1 / 10 - 1 / 20 + 1 / 16 - 1 / 20) + np.mean(np.square(spreads)) * 1.5
    reach = 4.302653 * np.sqrt(square) + 0.005
    assert (100 * found.low, 100 * found.high) == pytest.approx((100 * found.value - reach, 100 * found.value + reach))
    assert item.verdict == judge("dice", found, 0.05)
    nothing = entry(findings, "sensitivity", "paper", ATTENTION)
    assert (nothing.paper, nothing.difference, nothing.verdict.word) == (None, None, "")
    other = entry(findings, "accuracy", "paper", SEGNET)
    assert (other.verdict.word, other.difference) == ("not comparable", None)


def test_verdicts_are_of_the_papers_own_protocol_budget_and_classes(findings):
    results, none = findings.results, findings.head.not_comparable
    grouped = entry(findings, "dice", "grouped", SEGNET)
    assert (grouped.verdict.word, grouped.verdict.reason) == ("no verdict", "protocol grouped")
    assert grouped.difference is not None
    for changed, lost, reason in (
        (replace(results, budget="quick"), "", "budget quick"),
        (results, "no consolidation in the masks", "no consolidation in the masks"),
        (replace(results, table=replace(results.table, judging=None)), "", "the table has no margin for it"),
    ):
        (item, *_) = estimate_entries(changed, none, lost)
        assert (item.row.label, item.protocol) == (SEGNET, "paper")
        assert (item.verdict.word, item.verdict.reason) == ("no verdict", reason)
        assert item.difference.value == pytest.approx(entry(findings, "dice", "paper", SEGNET).difference.value)


def test_one_seed_cannot_tell(findings):
    results = findings.results
    kept = {name: getattr(results, name) for name in ("jobs", "scores", "curves")}
    first = replace(results, **{name: rows[rows["seed"] == 0] for name, rows in kept.items()})
    words = {
        item.verdict for item in estimate_entries(first, {}) if item.protocol == "paper" and item.paper is not None
    }
    assert Verdict("cannot tell", "no second seed") in words
    assert {verdict.word for verdict in words} <= {"cannot tell", "no verdict"}


def test_the_other_averaging_stands_beside(finished, findings):
    results = findings.results
    measure = replace(results.table.measures["dice"], averaging="slice", beside="pooled")
    table = replace(results.table, measures={"dice": measure})
    items = estimate_entries(replace(results, table=table), {})
    pooled = {(item.protocol, item.row.label): item.value for item in findings.entries if item.measure.name == "dice"}
    for item in items:
        assert item.beside == pooled[item.protocol, item.row.label]
        assert item.value != item.beside


def test_a_published_row_has_no_entry(findings):
    assert {each_entry.row.label for each_entry in findings.entries} == {SEGNET, ATTENTION}


def test_over_thresholds_the_jobs_values_are_those_of_scores_json(finished, findings):
    stored = [
        json.loads((path / "evaluation/test/scores.json").read_text())["thresholds"]["stretched"]
        for path in sorted((finished / "jobs/paper/segnet-dl").glob("fold?-seed?"))
    ]
    item = entry(findings, "dice_mean_over_thresholds", "paper", SEGNET)
    assert item.value.value == pytest.approx(
        np.mean([variant["mean_over_thresholds"]["value"] for variant in stored]), abs=1e-6
    )
    low, high = item.value.interval
    assert low < item.value.value < high
