"""A table as one page, and all else that is written of its output folder."""

from functools import partial
from pathlib import Path

from covid_monai import __version__
from covid_monai.files import write_text
from covid_monai.report.curves import draw_curves
from covid_monai.report.embedded import embedded_picture, filled_template
from covid_monai.report.forest import draw_forest
from covid_monai.report.overlay_grid import draw_overlay_grid
from covid_monai.scoring.overlap import EMPTY_MASK_RULE
from covid_monai.tables.claim_lines import claim_lines, claim_notes, claims_sentence
from covid_monai.tables.claim_verdicts import CLAIMS_RULE
from covid_monai.tables.comparability import averaging_rules
from covid_monai.tables.contrasts import PAIRS_RULE
from covid_monai.tables.convergence import CONVERGENCE_RULE
from covid_monai.tables.figures import (
    CURVES,
    choose_cases,
    draw_table_curves,
    has_curve,
    job_logs,
    load_grid,
    rows_without_masks,
    shown_rows,
)
from covid_monai.tables.findings import Findings, find
from covid_monai.tables.forests import table_forests
from covid_monai.tables.leak_lines import control_lines, exposure_lines, patient_lines
from covid_monai.tables.leakage import AUDIT_RULE
from covid_monai.tables.render import (
    audit_lines,
    compact_table,
    measure_lines,
    outcome_sentence,
    pair_lines,
)
from covid_monai.tables.results import Results
from covid_monai.tables.run_lines import convergence_lines, job_lines, missing_lines
from covid_monai.tables.sentences import reading_rules
from covid_monai.tables.write import finding_lines, write_table


def write_table_page(findings: Findings, path: Path) -> None:
    """Write ``report.html``; it needs no other file and no network.

    Raises:
        InputError: a log, mask, image or label of a job cannot be read, or the page cannot be written.
    """
    results = findings.results
    page = filled_template(
        "covid_monai.tables",
        "page.html",
        version=__version__,
        title=findings.title,
        paper=results.table.paper,
        label=results.label,
        budget=results.budget,
        outcome=f"{outcome_sentence(results, findings.entries)} {claims_sentence(findings.claims)}".strip(),
        compact=compact_table(results, findings.entries, findings.not_converged),
        made_of=findings.made_of,
        missing=missing_lines(results),
        head=findings.head,
        averaging=averaging_rules(results.table),
        empty_masks=EMPTY_MASK_RULE,
        measures=[
            measure_lines(
                results,
                measure,
                findings.entries,
                findings.optimism,
                findings.head.not_comparable,
                findings.not_converged,
            )
            for measure in results.table.measures.values()
        ],
        leaks=[
            control_lines(results, findings.entries, findings.optimism),
            patient_lines(results, findings.patients),
            exposure_lines(results, findings.exposures),
        ],
        rules=reading_rules(findings),
        forests=_forests(findings),
        claims=claim_lines(results, findings.claims) if findings.claims else None,
        claim_notes=claim_notes(findings.claims),
        claims_rule=CLAIMS_RULE,
        pairs=pair_lines(results, findings.pairs) if findings.pairs else None,
        pairs_rule=PAIRS_RULE,
        curves=_curves(findings),
        convergence=convergence_lines(findings.convergence) if findings.convergence else None,
        convergence_rule=CONVERGENCE_RULE,
        not_converged=findings.not_converged,
        grids=_grids(findings),
        without_masks=_without_masks(findings),
        audit=audit_lines(findings.audits),
        audit_rule=AUDIT_RULE,
        findings=finding_lines(findings),
        jobs=job_lines(results),
    )
    write_text(path, page)


def _forests(findings: Findings) -> list[tuple[str, str]]:
    """(What it shows, picture)."""
    return [
        (forest.caption, embedded_picture(partial(draw_forest, forest.panels))) for forest in table_forests(findings)
    ]


def _curves(findings: Findings) -> list[tuple[str, str]]:
    """(What it shows, picture) of the loss, and of the validation Dice where there was any."""
    logs = job_logs(findings.results)
    return [
        (
            f"{label[0].upper()}{label[1:]} of every job.",
            embedded_picture(partial(draw_table_curves, logs, key)),
        )
        for key, label in CURVES.items()
        if has_curve(logs, key)
    ]


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


def write_results(output: Path) -> None:
    """Write table.md, table.csv, table.json, report.html, the forest plots and each job's curves.png.

    Raises:
        InputError: no job is done, table, data or jobs have changed since, or a file cannot be read or written.
    """
    findings = find(output)
    write_table(findings, output)
    for forest in table_forests(findings):
        draw_forest(forest.panels, output / f"{forest.name}.png", f"{findings.title}. {forest.caption}")
    _draw_curves(findings.results)
    write_table_page(findings, output / "report.html")


def _draw_curves(results: Results) -> None:
    for folder in results.jobs["folder"]:
        home = results.output / folder
        if not (home / "curves.png").exists():
            draw_curves(home / "log.jsonl", home / "curves.png")
