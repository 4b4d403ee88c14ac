from dataclasses import replace

from covid_monai.tables.findings import find
from covid_monai.tables.forests import patient_panels, table_forests


def test_the_patients_of_a_row_stand_in_a_panel_with_both_protocols(finished):
    findings = find(finished)
    forests = {forest.name: forest for forest in table_forests(findings)}
    assert list(forests) == ["values", "optimism", "patients"]
    panel = forests["patients"].panels[0]
    row = findings.patients[0].row.label
    assert panel.heading == f"{row}: Dice"
    # two slices of each of the eight
    assert [line.label for line in panel.lines] == [
        *(f"p{number} (2)" for number in range(8)),
        "mean of 8 patients (16)",
    ]
    first = findings.patients[0]
    assert panel.lines[0].estimates == {"paper": (first.first_value, None), "grouped": (first.second_value, None)}


def test_rows_with_fewer_patients_than_others_have_no_panel(finished):
    patients = find(finished).patients
    rows = list(dict.fromkeys(each.row.label for each in patients))
    assert len(rows) > 1
    fewer = [each for each in patients if each.row.label == rows[0] or each.patient != "p3"]
    assert [panel.heading for panel in patient_panels(fewer)] == [f"{rows[0]}: Dice"]


def test_the_panel_of_the_control_arms_says_so(finished):
    patients = find(finished).patients
    row = patients[0].row.label
    controls = [replace(each, first="control-ungrouped", second="control-grouped") for each in patients]
    panels = patient_panels([each for each in (*patients, *controls) if each.row.label == row])
    assert [panel.heading for panel in panels] == [f"{row}: Dice", f"{row}, control arms: Dice"]
    assert len({panel.scale for panel in panels}) == 1


def test_a_single_patient_has_no_panel(finished):
    (first, *_) = find(finished).patients
    assert patient_panels([first, replace(first, kind="all", patient="")]) == []
