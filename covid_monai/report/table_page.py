"""A table as one page: what is compared, the values beside the paper's, forest plots, curves, cases, audit, cells."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from covid_monai import __version__
from covid_monai.files import write_text
from covid_monai.report.curves import read_log
from covid_monai.report.embedded import embedded_picture, filled_template
from covid_monai.report.forest import draw_forest
from covid_monai.report.overlay_grid import draw_overlay_grid
from covid_monai.report.table_cases import choose_cases, load_grid, rows_without_masks, shown_rows
from covid_monai.report.table_curves import Logs, draw_table_curves
from covid_monai.report.table_forests import table_forests
from covid_monai.scoring.empty_masks import EMPTY_MASK_RULE
from covid_monai.tables.audit import AUDIT_RULE
from covid_monai.tables.estimates import STATISTICS_RULE
from covid_monai.tables.head import averaging_rules
from covid_monai.tables.lines import (
    audit_lines,
    cell_lines,
    measure_lines,
    missing_lines,
    pair_lines,
)
from covid_monai.tables.pairs import PAIRS_RULE
from covid_monai.tables.results import Findings
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
        without_masks=_without_masks(findings),
        audit=audit_lines(findings.audits),
        audit_rule=AUDIT_RULE,
        findings=finding_lines(findings),
        cells=cell_lines(results),
    )
    write_text(path, page)


def _forests(findings: Findings) -> list[tuple[str, str]]:
    """(What it shows, picture)."""
    return [
        (forest.caption, embedded_picture(partial(draw_forest, forest.panels))) for forest in table_forests(findings)
    ]


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


def _without_masks(findings: Findings) -> list[str]:
    """Titles of the rows that have scores, but no masks to be shown."""
    results = findings.results
    return [
        f"{row.label} ({protocol})" for protocol in results.protocols for row in rows_without_masks(results, protocol)
    ]
