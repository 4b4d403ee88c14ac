"""``covid-monai data check``: what is wrong with a data set."""

from collections import Counter
from pathlib import Path
from typing import Any

import click

_PATH = click.Path(path_type=Path)
# of each kind; --json has all
_SHOWN = 10
_NAMES = 6


@click.command()
@click.argument("folder", type=_PATH)
@click.option("--split", type=_PATH, help="Check this split file too.  [default: the source's own subsets]")
@click.option("--json", "json_file", type=_PATH, help="Write all findings to this file.")
@click.pass_context
def check(ctx: click.Context, folder: Path, split: Path | None, json_file: Path | None) -> None:
    """Find what is wrong with the data set in FOLDER.

    Files, hashes, grids, orientation, HU, masks, duplicates, near-duplicates, and patients in two subsets. Exit
    status 1 when there are errors; notes are true of sound data too, or evidence only, but have to be known. How
    slices lie is also told from the anatomy; left and right swapped is not found. Data leakage is
    found as far as it is known: slices of one patient without ID that are no near-duplicates are not.
    """
    from covid_monai.data.checks import check_dataset
    from covid_monai.data.manifest import files_of, read_dataset
    from covid_monai.errors import InputError
    from covid_monai.files import protecting, refuse_to_replace_input, write_json

    dataset = read_dataset(folder)
    if not dataset.cases:
        raise InputError(f"{folder} holds no cases: prepare it again")
    count, inputs = len(dataset.cases), [*files_of(dataset), *([split] if split else [])]
    if json_file is not None:
        with protecting(*inputs):
            refuse_to_replace_input(json_file)
    findings = check_dataset(folder, split, progress=True)
    severities = Counter(finding.severity for finding in findings)
    if json_file is not None:
        content = {
            "format": "covid-monai check",
            "version": 1,
            "dataset": str(folder),
            "split": str(split) if split else None,
            "cases": count,
            "errors": severities["error"],
            "notes": severities["note"],
            "findings": [vars(finding) for finding in findings],
        }
        with protecting(*inputs):
            write_json(json_file, content)
    _tell(findings)
    click.echo(f"{count} cases: {severities['error']} errors, {severities['note']} notes")
    if severities["error"]:
        ctx.exit(1)


def _tell(findings: list[Any]) -> None:
    """The findings, the first ones of each kind; then how many of each kind there are."""
    from covid_monai.data.checks import CHECKS

    counts: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        kind = finding.severity, finding.check
        counts[kind] += 1
        if counts[kind] <= _SHOWN:
            names = ", ".join(finding.cases[:_NAMES]) + (", ..." if len(finding.cases) > _NAMES else "")
            click.echo(f"{finding.severity} {finding.check}: {names}{': ' if names else ''}{finding.message}")
    for (severity, name), number in counts.items():
        if number > _SHOWN:
            click.echo(f"{severity} {name}: {number - _SHOWN} more; --json FILE has all")
    width = max(map(len, CHECKS))
    click.echo(f"{'check':<{width}}  errors  notes")
    for name in CHECKS:
        click.echo(f"{name:<{width}}  {counts['error', name]:6}  {counts['note', name]:5}")
