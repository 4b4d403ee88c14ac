"""The table as data: the lines of table.csv and claims.csv, and the content of table.json."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from covid_monai import __version__
from covid_monai.scoring.comparison import Estimate
from covid_monai.scoring.intervals import described
from covid_monai.scoring.overlap import EMPTY_MASK_RULE
from covid_monai.tables.claim_lines import CLAIM_COLUMNS, claim_record
from covid_monai.tables.claim_verdicts import CLAIMS_RULE
from covid_monai.tables.comparability import averaging_rules
from covid_monai.tables.contrasts import PAIRS_RULE
from covid_monai.tables.convergence import CONVERGENCE_RULE, Convergence
from covid_monai.tables.exposure import EXPOSURE_RULE, Exposure
from covid_monai.tables.findings import Findings
from covid_monai.tables.leakage import AUDIT_RULE
from covid_monai.tables.optimism import OPTIMISM_RULE, Optimism
from covid_monai.tables.patient_optimism import PATIENT_OPTIMISM_RULE, PatientOptimism
from covid_monai.tables.statistics import STATISTICS_RULE, Entry
from covid_monai.tables.verdict import LOGARITHMIC, VERDICT_RULE

FORMAT = "covid-monai table"
VERSION = 2
DECIMALS = 9
"""Of values in files; more differ between processors."""
_SHARED_CASES = ("optimism_shared_cases", "control_optimism_shared_cases")


def frame(findings: Findings) -> pd.DataFrame:
    """A line for each measure, row and protocol, in the paper's scale, rounded to 9 decimals.

    What is published only has no protocol.
    """
    between = {(entry.row.slug, entry.measure.name, entry.in_control): entry for entry in findings.optimism}
    table, budget = findings.results.table, findings.results.budget
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in findings.entries:
        found.setdefault((entry.measure.name, entry.row.slug), []).append(entry)
    lines = []
    for measure in table.measures.values():
        for row in table.rows:
            shared = {
                "table": table.name,
                "budget": budget,
                "row": row.label,
                "variant": row.variant or "",
                "bundle": row.bundle or "",
                "measure": measure.name,
                "averaging": measure.averaging,
                "scale": measure.scale,
                "published": row.paper.get(measure.name),
                "place": row.place,
            }
            place = (row.slug, measure.name)
            optimism = _optimism_columns("optimism", between.get((*place, False)))
            optimism |= _optimism_columns("control_optimism", between.get((*place, True)))
            entries = found.get((measure.name, row.slug), [])
            lines += [{**shared, **_entry_line(entry), **optimism} for entry in entries] or [{**shared, "protocol": ""}]
    written = pd.DataFrame(lines).astype(dict.fromkeys(("jobs", "planned", "seeds", "units", *_SHARED_CASES), "Int64"))
    return _rounded(written)


def claim_frame(findings: Findings) -> pd.DataFrame:
    """A line for each claim and protocol, rounded to 9 decimals."""
    lines = [claim_record(findings.results, judged) for judged in findings.claims]
    limits = ("value_low", "value_high", "with_seeds_low", "with_seeds_high")
    numbers = ("published", "published_rows", "value", *limits, "p", "p_holm")
    return _rounded(pd.DataFrame(lines, columns=list(CLAIM_COLUMNS)).astype(dict.fromkeys(numbers, float)))


def _rounded(lines: pd.DataFrame) -> pd.DataFrame:
    # the last bits of a sum depend on the processor; 0.0 rids of its sign
    floats = lines.select_dtypes("float").columns
    lines[floats] = lines[floats].round(DECIMALS) + 0.0
    return lines


def content(findings: Findings) -> dict[str, Any]:
    """The content of table.json."""
    results, table = findings.results, findings.results.table
    return {
        "format": FORMAT,
        "version": VERSION,
        "covid_monai": __version__,
        "title": findings.title,
        "budget": results.budget,
        "table": {
            "name": table.name,
            "sha256": table.sha256,
            "paper": table.paper,
            # what stands in its YAML may change after the jobs were run
            "definition": {key: entry for key, entry in asdict(table).items() if key not in ("name", "path", "sha256")},
        },
        "rules": {
            "verdict": VERDICT_RULE,
            "statistics": STATISTICS_RULE,
            "optimism": OPTIMISM_RULE,
            "patients": PATIENT_OPTIMISM_RULE,
            "exposure": EXPOSURE_RULE,
            "claims": CLAIMS_RULE,
            "convergence": CONVERGENCE_RULE,
            "pairs": PAIRS_RULE,
            "audit": AUDIT_RULE,
            "empty_masks": EMPTY_MASK_RULE,
            "averaging": dict(averaging_rules(table)),
        },
        "bootstrap": {**described(seed=0), "unit": results.unit},
        "head": {
            "sides": [dict(zip(("aspect", "paper", "here"), side, strict=True)) for side in findings.head.sides],
            "deviations": list(findings.head.deviations),
            "not_comparable": dict(findings.head.not_comparable),
            "no_verdict": findings.head.no_verdict,
        },
        "lines": _without_nan(frame(findings)),
        "claims": _without_nan(claim_frame(findings)),
        "pairs": [
            {
                **{key: value for key, value in vars(pair).items() if key not in ("first", "second", "difference")},
                "first": pair.first.label,
                "second": pair.second.label,
                **_flat("difference", pair.difference),
            }
            for pair in findings.pairs
        ],
        "optimism": [_optimism_content(entry) for entry in findings.optimism],
        "patients": [_patient_content(each) for each in findings.patients],
        "exposure": [_exposure_content(entry) for entry in findings.exposures],
        "convergence": [_convergence_content(each) for each in findings.convergence],
        "audit": [asdict(audit) for audit in findings.audits],
        "jobs": _without_nan(results.jobs.drop(columns=["evaluation", "scored", "thresholds"], errors="ignore")),
        "missing": [
            {"job": entry.job.folder, "state": entry.state, "reason": entry.reason} for entry in results.missing
        ],
    }


def _entry_line(entry: Entry) -> dict[str, Any]:
    return {
        "protocol": entry.protocol,
        "jobs": entry.jobs,
        "planned": entry.planned,
        "seeds": entry.seeds,
        **_flat("value", entry.value),
        "sd": entry.sd,
        "sd_of_seeds": entry.sd_of_seeds,
        "averaging_beside": entry.measure.beside or "",
        **_flat("beside", entry.beside),
        **_flat("own_grid", entry.own_grid),
        "units": entry.units,
        **_difference_columns(entry),
        "verdict": entry.verdict.word,
        "reason": entry.verdict.reason,
    }


def _flat(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    low, high = estimate.interval if estimate is not None and estimate.interval else (None, None)
    return {
        name: estimate.value if estimate is not None else None,
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_effective_units": estimate.effective if estimate is not None else None,
    }


def _difference_columns(entry: Entry) -> dict[str, float | None]:
    """In the paper's scale; of specificity the logarithm that the verdict is of."""
    if (found := entry.difference) is None:
        return dict.fromkeys(("difference", "difference_low", "difference_high"))
    scale = 1.0 if entry.measure.name in LOGARITHMIC else entry.measure.scale
    values = {"difference": found.value, "difference_low": found.low, "difference_high": found.high}
    return {name: None if value is None else scale * value for name, value in values.items()}


def _optimism_columns(name: str, optimism: Optimism | None) -> dict[str, float | None]:
    if optimism is None:
        return {**_flat(name, None), f"{name}_shared_cases": None}
    return {**_flat(name, optimism.estimate), f"{name}_shared_cases": optimism.shared_cases}


def _optimism_content(optimism: Optimism) -> dict[str, Any]:
    names = ("first", "second", "sd_of_seeds", "seeds", "left_out", "first_cases", "second_cases", "shared_cases")
    fields = {name: getattr(optimism, name) for name in names}
    return {
        "row": optimism.row.label,
        "measure": optimism.measure.name,
        **_flat("optimism", optimism.estimate),
        **fields,
    }


def _patient_content(each: PatientOptimism) -> dict[str, Any]:
    names = ("first", "second", "kind", "patient", "patients", "cases", "first_value", "second_value")
    fields = {name: getattr(each, name) for name in names}
    return {"row": each.row.label, "measure": each.measure.name, **fields, **_flat("difference", each.difference)}


def _exposure_content(exposure: Exposure) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(exposure).items() if name not in ("row", "measure")}
    return {"row": exposure.row.label, "measure": exposure.measure.name, **fields, "excess": exposure.excess}


def _convergence_content(convergence: Convergence) -> dict[str, Any]:
    loss, dice = convergence.loss, convergence.dice or (None, None)
    return {
        "protocol": convergence.protocol,
        "row": convergence.row.label,
        "jobs": convergence.jobs,
        "epochs": convergence.epochs,
        **dict(zip(("loss_first_epoch", "loss_third_quarter", "loss_last_quarter"), loss, strict=True)),
        **dict(zip(("dice_third_quarter", "dice_last_quarter"), dice, strict=True)),
        "converged": convergence.converged,
    }


def _without_nan(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Lines of a frame, as JSON has them: what a line lacks is null."""
    return [
        {str(key): value.item() if hasattr(value, "item") else value for key, value in line.items()}
        for line in rows.astype(object).where(rows.notna(), None).to_dict("records")
    ]
