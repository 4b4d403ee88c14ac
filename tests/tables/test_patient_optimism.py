from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from covid_monai.tables.findings import find
from covid_monai.tables.leak_lines import patient_lines
from covid_monai.tables.patient_optimism import estimate_patient_optimism
from covid_monai.tables.results import Results
from covid_monai.tables.spec import read_table
from covid_monai.tables.table import Measure
from covid_monai.tables.write import markdown

DICE = Measure("dice", "slice", 100.0, None)
TABLE = read_table("zhou2021-v4")
TABLE = replace(TABLE, rows=TABLE.rows[:1], measures={"dice": DICE})
SLUG = TABLE.rows[0].slug


def line(protocol, fold, case, patient, dice):
    job = {"protocol": protocol, "slug": SLUG, "fold": fold, "seed": 0, "level": "slice", "class": "lesion"}
    # of 100 lesion pixels so many are found, and as many others are marked
    found = round(100 * dice)
    counts = {"tp": found, "fp": 100 - found, "fn": 100 - found, "tn": 1000}
    unit = patient or case
    return {**job, "case": case, "patient": patient, "volume": "", "unit": unit, **counts, "dice": dice}


def results_of(lines, measure=DICE):
    scores = pd.DataFrame(lines)
    jobs = scores[["protocol", "slug", "fold", "seed"]].drop_duplicates()
    table = replace(TABLE, measures={measure.name: measure})
    return Results(Path(), table, "full", {}, jobs, scores, pd.DataFrame(), ())


LINES = [
    line("paper", 0, "a1", "A", 0.9),
    line("paper", 0, "a2", "A", 0.7),
    line("paper", 0, "b1", "B", 0.8),
    line("paper", 0, "x1", "", 0.6),
    # grouped did not test it
    line("paper", 0, "x2", "", 0.1),
    line("grouped", 0, "a1", "A", 0.5),
    line("grouped", 0, "a2", "A", 0.4),
    # the protocols test a slice in folds of their own
    line("grouped", 1, "b1", "B", 0.75),
    line("paper", 1, "b2", "B", 0.3),
    line("grouped", 1, "x1", "", 0.6),
]


def by_name(found):
    return {each.patient or each.kind: each for each in found}


def test_the_values_are_those_of_each_patients_slices_that_both_protocols_tested():
    found = by_name(estimate_patient_optimism(results_of(LINES)))
    assert list(found) == ["A", "B", "patients", "unknown", "all"]
    values = {name: (each.cases, each.first_value, each.second_value) for name, each in found.items()}
    assert values["A"] == pytest.approx((2, 80, 45))
    assert values["B"] == pytest.approx((1, 80, 75))
    assert values["unknown"] == pytest.approx((1, 60, 60))
    assert values["all"] == pytest.approx((4, 100 * (0.9 + 0.7 + 0.8 + 0.6) / 4, 100 * (0.5 + 0.4 + 0.75 + 0.6) / 4))
    assert values["patients"] == pytest.approx((3, (80 + 80) / 2, (45 + 75) / 2))
    assert {name: each.difference.value for name, each in found.items()} == pytest.approx(
        {"A": 35, "B": 5, "patients": 20, "unknown": 0, "all": 18.75}
    )
    assert {name: each.patients for name, each in found.items()} == {
        **{"A": 1, "B": 1, "patients": 2, "unknown": 0, "all": 2}
    }


def test_pooled_measures_are_those_of_the_pixels_of_each_patient():
    pooled = replace(DICE, averaging="pooled")
    found = by_name(estimate_patient_optimism(results_of(LINES, pooled)))
    # as many false alarms as misses, so that Dice is the share that is found
    assert found["A"].first_value == pytest.approx(100 * (90 + 70) / 200)
    assert found["B"].difference.value == pytest.approx(5)


def test_jobs_without_a_counterpart_of_the_same_fold_and_seed_are_left_out():
    alone = [{**each, "seed": 1} for each in LINES if each["protocol"] == "paper"]
    assert estimate_patient_optimism(results_of([*LINES, *alone])) == estimate_patient_optimism(results_of(LINES))
    assert estimate_patient_optimism(results_of([each for each in LINES if each["protocol"] == "paper"])) == []


def test_nothing_is_told_where_no_patient_is_known():
    assert estimate_patient_optimism(results_of([{**each, "patient": ""} for each in LINES])) == []
    assert patient_lines(results_of(LINES), []) is None


def test_the_mean_of_patients_and_all_slices_have_an_interval():
    generator = np.random.default_rng(0)
    lines = []
    for patient in range(12):
        for number in range(4):
            dice = float(np.clip(generator.normal(0.7, 0.1), 0.1, 0.95))
            gain = float(generator.normal(0.2, 0.03))
            name, case = f"p{patient:02d}", f"p{patient:02d}_{number}"
            lines += [
                line("paper", 0, case, name, round(dice, 2)),
                line("grouped", 0, case, name, round(dice - gain, 2)),
            ]
    *patients, mean, whole = estimate_patient_optimism(results_of(lines))
    assert [each.patient for each in patients] == [f"p{patient:02d}" for patient in range(12)]
    assert all(each.difference.interval is None for each in patients)
    values = [[getattr(each, name) for each in patients] for name in ("first_value", "second_value")]
    paired = ttest_rel(*values).confidence_interval(0.95)
    assert mean.difference.interval == pytest.approx((paired.low, paired.high))
    assert (mean.kind, mean.patients, mean.cases) == ("patients", 12, 48)
    low, high = whole.difference.interval
    assert low < 20 < high
    assert high - low < 5


def test_the_table_has_a_line_a_patient(finished):
    findings = find(finished)
    section = markdown(findings).partition("## Optimism by patient: Dice")[2].partition("## ")[0]
    # the fabricated data are of eight patients, tested under both protocols in two folds
    row = findings.patients[0].row.label
    own = [text.split(" | ") for text in section.splitlines() if text.startswith(f"| {row}, paper")]
    assert [cells[1] for cells in own] == [*(f"p{number}" for number in range(8)), "mean of 8 patients", "all slices"]
    assert {cells[2] for cells in own[:-2]} == {"2"}
    whole = findings.patients[9]
    assert whole.kind == "all"
    of_values = next(each for each in findings.optimism if each.row.label == row and each.measure.name == "dice")
    assert of_values.same_cases
    assert whole.difference.value == pytest.approx(of_values.estimate.value)


def test_under_five_patients_have_no_interval():
    found = by_name(estimate_patient_optimism(results_of(LINES)))
    assert found["patients"].difference.interval is None
    assert found["patients"].difference.effective == 2


def test_patients_stand_in_the_order_of_their_numbers():
    names = {"A": "patient_10", "B": "patient_4", "": ""}
    lines = [{**each, "patient": names[each["patient"]]} for each in LINES]
    found = [each.patient for each in estimate_patient_optimism(results_of(lines)) if each.kind == "patient"]
    assert found == ["patient_4", "patient_10"]
