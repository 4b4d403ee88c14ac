"""The forest plots of a table: its values, the optimism of the paper's protocol, and that by patient."""

from collections.abc import Sequence
from dataclasses import dataclass

from covid_monai.report.forest import ForestLine, ForestPanel
from covid_monai.tables.findings import Findings
from covid_monai.tables.patient_optimism import PatientOptimism
from covid_monai.tables.render import MINUS, heading_of
from covid_monai.tables.table import CONTROL_ARMS, Measure

PATIENTS_CAPTION = (
    "The same slices by patient (in brackets how many) under two protocols: drawn slice by slice, and by patient."
)


@dataclass(frozen=True)
class TableForest:
    """A forest plot of a table: its file's name without ending, what it shows, and a panel a measure."""

    name: str
    caption: str
    panels: list[ForestPanel]


def table_forests(findings: Findings) -> list[TableForest]:
    """The values, the optimism where both protocols were run, and that by patient where there are several."""
    measures = list(findings.results.table.measures.values())
    values = [panel for measure in measures if (panel := _value_panel(findings, measure)) is not None]
    between = [panel for measure in measures if (panel := _optimism_panel(findings, measure)) is not None]
    forests = [
        TableForest("values", "Ours with 95 % intervals over patients, and the published values.", values),
        TableForest("optimism", _optimism_caption(findings), between),
        TableForest("patients", PATIENTS_CAPTION, patient_panels(findings.patients)),
    ]
    return [forest for forest in forests if forest.panels]


def _optimism_caption(findings: Findings) -> str:
    caption = "Optimism: how much higher the measure is under the paper's protocol than under the grouped one."
    if all(entry.same_cases for entry in findings.optimism):
        return caption
    return f"{caption} Where the two had different test cases (see the tables), what sets these apart is in it too."


def _value_panel(findings: Findings, measure: Measure) -> ForestPanel | None:
    lines = []
    # values that cannot be compared do not stand beside each other
    apart = measure.name in findings.head.not_comparable
    for row in findings.results.table.rows:
        own = [entry for entry in findings.entries if entry.measure == measure and entry.row == row and entry.value]
        # the control arms are there for their difference
        own = [entry for entry in own if entry.protocol not in CONTROL_ARMS]
        estimates = {entry.protocol: (entry.value.value, entry.value.interval) for entry in own if entry.value}
        lines.append(ForestLine(row.label, None if apart else row.paper.get(measure.name), estimates))
    # a measure that the scores do not have has nothing of ours to be drawn
    if not any(line.estimates for line in lines):
        return None
    return ForestPanel(heading_of(measure) + (" (not comparable)" if apart else ""), lines)


def _optimism_panel(findings: Findings, measure: Measure) -> ForestPanel | None:
    between = [entry for entry in findings.optimism if entry.measure == measure]
    # the same rows in every panel, whatever a measure lacks
    rows = [row for row in findings.results.table.rows if any(entry.row == row for entry in findings.optimism)]
    if not between:
        return None
    estimates = {
        row.slug: {
            f"{entry.first} {MINUS} {entry.second}": (entry.estimate.value, entry.estimate.interval)
            for entry in between
            if entry.row == row
        }
        for row in rows
    }
    lines = [ForestLine(row.label, None, estimates[row.slug]) for row in rows]
    return ForestPanel(heading_of(measure), lines, marks_zero=True)


def patient_panels(patients: Sequence[PatientOptimism]) -> list[ForestPanel]:
    """A panel a row of the table and pair of protocols, of those with the most patients; none of a single patient."""
    by_row: dict[tuple[str, str, str], list[PatientOptimism]] = {}
    for each in patients:
        if each.kind != "all":
            by_row.setdefault((each.row.label, each.first, each.second), []).append(each)
    names = {key: [_patient_label(each) for each in own] for key, own in by_row.items()}
    most = max(names.values(), key=len, default=[])
    return [
        ForestPanel(
            f"{label}{', control arms' if first in CONTROL_ARMS else ''}: {heading_of(own[0].measure)}",
            [
                ForestLine(
                    _patient_label(each),
                    None,
                    {first: (each.first_value, None), second: (each.second_value, None)},
                )
                for each in own
            ],
            scale=own[0].measure.name,
        )
        for (label, first, second), own in by_row.items()
        if len(most) > 1 and names[label, first, second] == most
    ]


def _patient_label(each: PatientOptimism) -> str:
    """With the number of slices, which the protocols and rows have in common."""
    names = {"patient": each.patient, "unknown": "patient not known"}
    return f"{names.get(each.kind, f'mean of {each.patients} patients')} ({each.cases})"
