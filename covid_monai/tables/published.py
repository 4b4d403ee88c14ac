"""Published results read again: from the files of :mod:`covid_monai.tables.publish` to all that a table says."""

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from covid_monai.data.checks.findings import Finding
from covid_monai.data.splits import SUBSETS
from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.report.forest import draw_forest
from covid_monai.scoring.thresholds import RATES
from covid_monai.tables.collecting import READ_SCORES, read_curves, with_sources
from covid_monai.tables.comparability import Head, averaging_side
from covid_monai.tables.findings import Findings, conclude
from covid_monai.tables.forests import table_forests
from covid_monai.tables.leakage import SplitAudit, exposed_groups
from covid_monai.tables.margins import Judging
from covid_monai.tables.paper_claims import PaperClaim
from covid_monai.tables.plan import jobs_of_folders
from covid_monai.tables.publish import JOBS, LOGS, NATIVE_SCORES, SCORES, SPLITS, THRESHOLDS
from covid_monai.tables.records import FORMAT, VERSION
from covid_monai.tables.results import JOB_KEYS, JobKey, Missing, Results, key_of
from covid_monai.tables.spec import read_table
from covid_monai.tables.table import FULL, Budget, DoubtfulGroup, Measure, Needs, Protocol, Row, Table, Theirs
from covid_monai.tables.tallies import CURVE
from covid_monai.tables.write import write_table

OLD_LABELS = (
    "Trained by release 0.1, which resized labels by the nearest pixel, half a pixel off, in training and validation; "
    "the test masks are scored on the data's own grid."
)
_WHOLE = ("fold", "seed", "epochs", "best_epoch", "kept_epoch", "peak_memory_bytes", "threads")
_REAL = ("seconds", "dice_mean_over_thresholds", "dice_at_best_threshold", "best_threshold")
_JSON = ("commands", "settings")
_OF_RELATIVES = ("split", "duplicate", "near-duplicate")
"""The checks whose findings name slices that are relatives of each other."""
_BESIDE = ("validation_dice", "covid_monai", "packages", "environment", "configuration", *_REAL[1:])
"""What jobs.csv has beside what :class:`covid_monai.tables.results.Results` has of a job."""


def read_published(folder: Path, *, judged_by: Table | None = None) -> Findings:
    """Everything that a published table says, computed anew from the jobs' scores; no data set is needed.

    The table's rows, measures and protocols are those that ``table.json`` has, whatever the package's table of that
    name is now, unless ``judged_by`` gives measures, judging and rows of today; so are what was
    compared and the audit of the splits, which need the images.
    :func:`covid_monai.tables.write.write_table` writes ``table.csv`` from it byte for byte as it stands in ``folder``.

    Raises:
        InputError: ``folder`` holds no published table of a known version, or lacks a file of it.
    """
    path = folder / "table.json"
    stored = read_json(path)
    known = isinstance(stored, dict) and (stored.get("format"), stored.get("version")) == (FORMAT, VERSION)
    if not known or not (folder / JOBS).is_file():
        raise InputError(
            f"{folder} holds no published {FORMAT} of version {VERSION}; give a folder that --publish of `covid-monai "
            "reproduce` wrote (one of release 0.1 is read as an output folder)"
        )
    try:
        results = _results(folder, stored)
        if judged_by is not None:
            results = replace(results, table=_of_today(results, judged_by))
        head = _head(stored["head"], results.table)
        splits = read_json(folder / SPLITS)["splits"]
        audits = tuple(_audit(audit, splits) for audit in stored["audit"])
    except (KeyError, TypeError, ValueError, EOFError) as error:
        raise InputError(f"{folder} is damaged ({error!r}); publish it again") from error
    return conclude(results, head, audits)


def publish_again(folder: Path) -> None:
    """Write the table and forest plots of published results anew, by the package's table of that name of today.

    The jobs, their scores and the splits stay as they are. They are judged by the rules
    and margins of this version.

    Raises:
        InputError: ``folder`` holds no published table of a known version, or the package's table has lost a row of it.
    """
    name = read_json(folder / "table.json")["table"]["name"]
    findings = read_published(folder, judged_by=read_table(name))
    head = findings.head
    if OLD_LABELS not in head.deviations and any(version.startswith("0.1.") for version in _versions(folder)):
        findings = replace(findings, head=replace(head, deviations=(*head.deviations, OLD_LABELS)))
    write_table(findings, folder)
    for forest in table_forests(findings):
        draw_forest(forest.panels, folder / f"{forest.name}.png", f"{findings.title}. {forest.caption}")


def _versions(folder: Path) -> set[str]:
    with (folder / JOBS).open(encoding="utf-8", newline="") as file:
        return {line["covid_monai"] for line in csv.DictReader(file)}


def _of_today(results: Results, table: Table) -> Table:
    """The table of today, if it still has all that was run, without the rows that it has got since and their claims."""
    slugs, budgets = {row.slug for row in table.rows}, {FULL, *table.budgets}
    lost = sorted(set(results.jobs["slug"]) - slugs)
    if lost or results.budget not in budgets:
        what = f"row {lost[0]}" if lost else f"budget {results.budget}"
        raise InputError(f"the table {table.name} has no {what} any more; read the results without `judged_by`")
    known = {row.slug for row in results.table.rows}
    rows = tuple(row for row in table.rows if row.slug in known)
    return replace(table, rows=rows, claims=tuple(claim for claim in table.claims if known.issuperset(claim.weights)))


def _head(stored: Mapping[str, Any], table: Table) -> Head:
    """What was compared, as it was published; the averaging is that of the table."""
    sides = [(side["aspect"], side["paper"], side["here"]) for side in stored["sides"]]
    sides = [averaging_side(table) if side[0] == "averaging" else side for side in sides]
    reasons = {name: reason for name, reason in stored["not_comparable"].items() if name in table.measures}
    return Head(tuple(sides), tuple(stored["deviations"]), reasons, stored.get("no_verdict", ""))


def _results(folder: Path, stored: Mapping[str, Any]) -> Results:
    table, budget = table_of(stored["table"]), stored["budget"]
    states = {entry["job"]: (entry["state"], entry["reason"]) for entry in stored["missing"]}
    waiting = jobs_of_folders(table, list(states), budget) if states else []
    on_grid = (folder / NATIVE_SCORES).is_file()
    scores = _scores(folder / SCORES)
    sources = dict(zip(scores["unit"], scores["source"], strict=True))
    return Results(
        output=folder,
        table=table,
        budget=budget,
        datasets={},
        jobs=_jobs(folder),
        scores=scores,
        curves=with_sources(_curves(folder), sources),
        missing=tuple(Missing(job, *states[job.folder]) for job in waiting),
        unit=stored["bootstrap"]["unit"],
        grid=table.grid if on_grid else None,
        native_scores=_scores(folder / NATIVE_SCORES) if on_grid else pd.DataFrame(),
        logs=_logs(folder / LOGS),
    )


def table_of(stored: Mapping[str, Any]) -> Table:
    """The table as it was when it was published, from ``table`` of ``table.json``."""
    fields = dict(stored["definition"])
    fields["theirs"], fields["needs"] = Theirs(**fields["theirs"]), Needs(**fields["needs"])
    fields["protocols"] = {name: Protocol(**protocol) for name, protocol in fields["protocols"].items()}
    fields["measures"] = {name: Measure(**measure) for name, measure in fields["measures"].items()}
    fields["budgets"] = {name: Budget(**budget) for name, budget in fields["budgets"].items()}
    if fields.get("judging"):
        judging = fields["judging"]
        fields["judging"] = Judging(**{**judging, "labels": tuple(judging["labels"])})
    doubtful = fields.get("doubtful_groups", ())
    fields["doubtful_groups"] = tuple(DoubtfulGroup(tuple(each["cases"]), each["reason"]) for each in doubtful)
    fields["rows"] = tuple(Row(**row) for row in fields["rows"])
    # results of 0.1 lack them
    fields["claims"] = tuple(PaperClaim(**claim) for claim in fields.get("claims", ()))
    return Table(name=stored["name"], path=Path(f"{stored['name']}.yaml"), sha256=stored["sha256"], **fields)


def _jobs(folder: Path) -> pd.DataFrame:
    with (folder / JOBS).open(encoding="utf-8", newline="") as file:
        lines: list[dict[str, Any]] = list(csv.DictReader(file))
    for line in lines:
        for kind, keys in ((int, _WHOLE), (float, _REAL), (json.loads, _JSON)):
            line |= {key: kind(line[key]) if line[key] else None for key in keys}
        # results of 0.1 lack it
        if "seconds_per_slice" in line:
            line["seconds_per_slice"] = float(line["seconds_per_slice"]) if line["seconds_per_slice"] else None
        mean, best, threshold = (line[key] for key in _REAL[1:])
        stretched = {"mean_over_thresholds": {"value": mean}, "best": {"dice": best, "threshold": threshold}}
        line |= {"thresholds": None if mean is None else {"stretched": stretched}, "evaluation": folder / "evaluation"}
    return pd.DataFrame(lines).drop(columns=list(_BESIDE))


def _logs(path: Path) -> dict[JobKey, list[dict[str, Any]]]:
    logs: dict[JobKey, list[dict[str, Any]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for record in map(json.loads, file):
            logs.setdefault(key_of(record), []).append(record)
    return logs


def _scores(path: Path) -> pd.DataFrame:
    texts = {**READ_SCORES["dtype"], "protocol": str, "slug": str, "unit": str, "source": str}
    columns = {*READ_SCORES["usecols"], *JOB_KEYS, "unit", "source"}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = pd.read_csv(file, **{**READ_SCORES, "usecols": columns.__contains__, "dtype": texts})
    # results of earlier releases have none
    return rows if "source" in rows else rows.assign(source="")


def _curves(folder: Path) -> list[pd.DataFrame]:
    """The curves of single slices; those of whole jobs have no case."""
    if not (folder / THRESHOLDS).is_file():
        return []
    with gzip.open(folder / THRESHOLDS, "rt", encoding="utf-8") as file:
        lines = read_curves(file, ["protocol", "slug", "case", "probabilities", "unit"])
    return [lines.loc[lines["case"] != "", [*JOB_KEYS, "case", "unit", *CURVE, *RATES]]]


def _audit(stored: Mapping[str, Any], splits: Mapping[str, Any]) -> SplitAudit:
    counts = {kind: (torn, number) for kind, (torn, number) in stored["leaks"].items()}
    findings = tuple(Finding(**{**finding, "cases": tuple(finding["cases"])}) for finding in stored["findings"])
    groups = [tuple(names) for names in stored.get("exposed_groups", ())]
    if "exposed_groups" not in stored and stored["name"] in splits:
        groups = _exposed_by_findings(findings, splits[stored["name"]], stored["exposed"])
    return SplitAudit(**{**stored, "leaks": counts, "findings": findings, "exposed_groups": tuple(groups)})


def _exposed_by_findings(findings: Sequence[Finding], split: Mapping[str, Any], exposed: int) -> list[tuple[str, ...]]:
    """Of results that were published without them: by the findings, none where these are not all of them."""
    folds = [{name: subset for subset in SUBSETS for name in fold[subset]} for fold in split["folds"]]
    groups = exposed_groups(folds, [finding.cases for finding in findings if finding.check in _OF_RELATIVES])
    return list(groups) if sum(map(len, groups)) == exposed else []
