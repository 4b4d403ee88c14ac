"""A table as one page: what is compared, the values beside the paper's, forest plots, curves, cases, audit, cells."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from covid_monai import __version__
from covid_monai.files import write_text
from covid_monai.report.curves import read_log
from covid_monai.report.embedded import embedded_picture, filled_template
from covid_monai.report.forest import ForestLine, ForestPanel, draw_forest
from covid_monai.report.overlay_grid import draw_overlay_grid
from covid_monai.report.table_cases import choose_cases, load_grid, shown_rows
from covid_monai.report.table_curves import Logs, draw_table_curves
from covid_monai.scoring.empty_masks import EMPTY_MASK_RULE
from covid_monai.tables.audit import AUDIT_RULE
from covid_monai.tables.estimates import STATISTICS_RULE
from covid_monai.tables.head import averaging_rules
from covid_monai.tables.lines import (
    audit_lines,
    cell_lines,
    heading_of,
    measure_lines,
    missing_lines,
    pair_lines,
)
from covid_monai.tables.pairs import PAIRS_RULE
from covid_monai.tables.results import Findings
from covid_monai.tables.table import Measure
from covid_monai.tables.verdicts import VERDICT_RULE
from covid_monai.tables.write import finding_lines, units_sentence


def write_table_page(findings: Findings, path: Path) -> None:
    """Write ``report.html``; it needs no other file and no network.

    Raises:
        InputError: a log, mask, image or label of a cell cannot be read, or the page cannot be written.
    """
    results = findings.results
    page = filled_template(
        "table_page.html",
        version=__version__,
        title=findings.title,
        paper=results.table.paper,
        label=results.label,
        budget=results.budget,
        made_of=findings.made_of,
        missing=missing_lines(results),
        head=findings.head,
        averaging=averaging_rules(results.table),
        empty_masks=EMPTY_MASK_RULE,
        measures=[
            measure_lines(results, measure, findings.entries, findings.optimism, findings.head.not_comparable)
            for measure in results.table.measures.values()
        ],
        rules=[VERDICT_RULE, STATISTICS_RULE, units_sentence(findings)],
        forests=_forests(findings),
        pairs=pair_lines(results, findings.pairs) if findings.pairs else None,
        pairs_rule=PAIRS_RULE,
        curves=_curves(findings),
        grids=_grids(findings),
        audit=audit_lines(findings.audits),
        audit_rule=AUDIT_RULE,
        findings=finding_lines(findings),
        cells=cell_lines(results),
    )
    write_text(path, page)


def _forests(findings: Findings) -> list[tuple[str, str]]:
    """(What it shows, picture): the values, and the optimism where both protocols were run."""
    measures = list(findings.results.table.measures.values())
    values = [panel for one in measures if (panel := _value_panel(findings, one)) is not None]
    pictures = []
    if values:
        pictures.append(
            (
                "All folds together, with 95 % intervals, and the published values.",
                embedded_picture(partial(draw_forest, values)),
            )
        )
    between = [panel for one in measures if (panel := _optimism_panel(findings, one)) is not None]
    if between:
        pictures.append(
            (
                "Optimism: how much higher the measure is under the paper's protocol than under the strict one.",
                embedded_picture(partial(draw_forest, between)),
            )
        )
    return pictures


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


def _curves(findings: Findings) -> list[tuple[str, str]]:
    """(What it shows, picture) of the loss, and of the validation Dice where there was any."""
    results = findings.results
    logs: dict[str, Sequence[tuple[str, Sequence[dict[str, Any]]]]] = {}
    for row in results.table.rows:
        cells = [
            (protocol, read_log(results.output / folder / "log.jsonl"))
            for protocol in results.protocols
            for folder in results.cells_of(protocol, row)["folder"]
        ]
        if cells:
            logs[row.label] = cells
    drawn = [("Training loss of every cell.", _curve(logs, "loss", "training loss"))]
    if any("validation_dice" in line for cells in logs.values() for _, log in cells for line in log):
        drawn.append(("Validation Dice of every cell.", _curve(logs, "validation_dice", "validation Dice")))
    return drawn


def _curve(logs: Logs, key: str, label: str) -> str:
    return embedded_picture(lambda picture: draw_table_curves(logs, key, label, picture, one_scale=key != "loss"))


def _grids(findings: Findings) -> list[tuple[str, list[str], str]]:
    """(Protocol, names of the cases, picture) of each protocol that has rows to be shown."""
    grids = []
    for protocol in findings.results.protocols:
        rows = shown_rows(findings.results, protocol)
        if rows:
            names = choose_cases(findings.results, protocol)
            cases = load_grid(findings.results, protocol, names)
            labels = [row.label for row in rows]
            grids.append(
                (protocol, names, embedded_picture(partial(draw_overlay_grid, cases, labels), photographic=True))
            )
    return grids
