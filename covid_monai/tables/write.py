"""The table as files: table.md, table.csv, table.json, and claims.csv where the paper's claims are named."""

from pathlib import Path
from typing import Any

from covid_monai import __version__
from covid_monai.files import write_json, write_text
from covid_monai.scoring.format import table as markdown_table
from covid_monai.scoring.overlap import EMPTY_MASK_RULE
from covid_monai.tables.claim_lines import claim_lines, claim_notes, compact_claim_lines
from covid_monai.tables.claim_verdicts import CLAIMS_RULE
from covid_monai.tables.comparability import averaging_rules
from covid_monai.tables.contrasts import PAIRS_RULE
from covid_monai.tables.convergence import CONVERGENCE_RULE
from covid_monai.tables.findings import Findings
from covid_monai.tables.leak_lines import control_lines, exposure_lines, patient_lines
from covid_monai.tables.leakage import AUDIT_RULE
from covid_monai.tables.records import claim_frame, content, frame
from covid_monai.tables.render import (
    Lines,
    audit_lines,
    compact_table,
    measure_lines,
    pair_lines,
)
from covid_monai.tables.run_lines import convergence_lines, job_lines, missing_lines
from covid_monai.tables.sentences import reading_rules


def write_table(findings: Findings, folder: Path) -> None:
    """Write table.md, table.csv, table.json and, for tables with claims, claims.csv to ``folder``, each in one step.

    Raises:
        InputError: the folder cannot be written.
    """
    write_text(folder / "table.md", markdown(findings))
    write_text(folder / "table.csv", frame(findings).to_csv(index=False, lineterminator="\n"))
    write_json(folder / "table.json", content(findings))
    if findings.claims:
        write_text(folder / "claims.csv", claim_frame(findings).to_csv(index=False, lineterminator="\n"))


def markdown(findings: Findings) -> str:
    """The readable form."""
    results, head = findings.results, findings.head
    parts = [f"# {findings.title}", results.table.paper]
    if results.label:
        parts.append(f"**{results.label}**")
    parts += [f"Made of {findings.made_of}. For research, not for diagnosis.", "## What is compared"]
    parts.append(markdown_table(["", "the paper", "here"], [[_cell(text) for text in side] for side in head.sides]))
    if head.deviations:
        parts += ["Deviations from the paper:", _bullets(head.deviations)]
    parts.append(_bullets([f"{name}: {rule}" for name, rule in averaging_rules(results.table)]))
    parts.append(f"Empty masks: {EMPTY_MASK_RULE}")
    for measure in results.table.measures.values():
        lines = measure_lines(
            results, measure, findings.entries, findings.optimism, head.not_comparable, findings.not_converged
        )
        parts += _section(lines)
    of_leaks = (
        control_lines(results, findings.entries, findings.optimism),
        patient_lines(results, findings.patients),
        exposure_lines(results, findings.exposures),
    )
    for found in of_leaks:
        parts += _section(found) if found is not None else []
    if findings.claims:
        parts += [*_section(claim_lines(results, findings.claims)), CLAIMS_RULE, _bullets(claim_notes(findings.claims))]
    parts += ["## How to read it", _bullets(reading_rules(findings))]
    if results.missing:
        parts += ["## Not finished", _bullets(missing_lines(results))]
    if findings.pairs:
        parts += [*_section(pair_lines(results, findings.pairs)), PAIRS_RULE]
    parts += [*_section(audit_lines(findings.audits)), AUDIT_RULE, _bullets(finding_lines(findings))]
    if findings.convergence:
        parts += [*_section(convergence_lines(findings.convergence)), CONVERGENCE_RULE]
    parts += [*_section(job_lines(results)), f"Written by covid-monai {__version__}."]
    return "\n\n".join(part for part in parts if part) + "\n"


def compact_markdown(findings: Findings) -> str:
    """The published value and ours of every row and measure, as docs/reproduction.md has it.

    A dagger marks a row that has not converged.
    """
    compact = compact_table(findings.results, findings.entries, findings.not_converged)
    header = ["row", *(f"{name}: {column}" for name, columns in compact.groups for column in columns)]
    rows = [[row, *(" ".join(filter(None, cell[:2])) for cell in cells)] for row, cells in compact.rows]
    return markdown_table(header, rows)


def compact_claims_markdown(findings: Findings) -> str:
    """The claims with ours under each protocol, as docs/reproduction.md has them."""
    lines = compact_claim_lines(findings.results, findings.claims)
    return markdown_table(list(lines.header), [[_cell(text) for text in row] for row in lines.rows])


def finding_lines(findings: Findings) -> list[str]:
    """What `covid-monai data check` finds in data and splits, each finding once, with the splits that have it."""
    splits: dict[str, list[str]] = {}
    for audit in findings.audits:
        for finding in audit.findings:
            named = (
                f" ({', '.join(finding.cases[:3])}{', ...' if len(finding.cases) > 3 else ''})" if finding.cases else ""
            )
            splits.setdefault(f"{finding.severity}, {finding.check}: {finding.message}{named}", []).append(audit.name)
    return [f"{text}: {', '.join(dict.fromkeys(names))}" for text, names in splits.items()]


def _section(lines: Lines) -> list[str]:
    rows = [[_cell(text) for text in row] for row in lines.rows]
    return [f"## {lines.heading}", lines.note, markdown_table(list(lines.header), rows)]


def _bullets(sentences: Any) -> str:
    return "\n".join(f"- {' '.join(sentence.split())}" for sentence in sentences)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
