"""The values of a table, and their optimism, as forest plots."""

from dataclasses import dataclass

from covid_monai.report.forest import ForestLine, ForestPanel
from covid_monai.tables.lines import heading_of
from covid_monai.tables.results import Findings
from covid_monai.tables.table import Measure


@dataclass(frozen=True)
class TableForest:
    """A forest plot of a table: its file's name without ending, what it shows, and a panel a measure."""

    name: str
    caption: str
    panels: list[ForestPanel]


def table_forests(findings: Findings) -> list[TableForest]:
    """The values, and the optimism where both protocols were run."""
    measures = list(findings.results.table.measures.values())
    values = [panel for one in measures if (panel := _value_panel(findings, one)) is not None]
    between = [panel for one in measures if (panel := _optimism_panel(findings, one)) is not None]
    forests = [
        TableForest("values", "All folds together, with 95 % intervals, and the published values.", values),
        TableForest("optimism", _optimism_caption(findings), between),
    ]
    return [forest for forest in forests if forest.panels]


def _optimism_caption(findings: Findings) -> str:
    caption = "Optimism: how much higher the measure is under the paper's protocol than under the strict one."
    if all(one.same_cases for one in findings.optimism):
        return caption
    return f"{caption} Where the two had different test cases (see the tables), what sets these apart is in it too."


def _value_panel(findings: Findings, measure: Measure) -> ForestPanel | None:
    lines = []
    # values that cannot be compared do not stand beside each other
    apart = measure.name in findings.head.not_comparable
    for row in findings.results.table.rows:
        own = [one for one in findings.entries if one.measure == measure and one.row == row and one.together]
        estimates = {one.protocol: (one.together.value, one.together.interval) for one in own if one.together}
        lines.append(ForestLine(row.label, None if apart else row.paper.get(measure.name), estimates))
    # a measure that the scores do not have has nothing of ours to be drawn
    if not any(line.estimates for line in lines):
        return None
    return ForestPanel(heading_of(measure) + (" (not comparable)" if apart else ""), lines)


def _optimism_panel(findings: Findings, measure: Measure) -> ForestPanel | None:
    between = {one.row.slug: one.estimate for one in findings.optimism if one.measure == measure}
    # the same rows in every panel, whatever a measure lacks
    rows = [row for row in findings.results.table.rows if any(one.row == row for one in findings.optimism)]
    if not between:
        return None
    lines = [
        ForestLine(row.label, None, {"paper − strict": (one.value, one.interval)} if one else {})  # noqa: RUF001
        for row in rows
        for one in [between.get(row.slug)]
    ]
    return ForestPanel(heading_of(measure), lines, marks_zero=True)
