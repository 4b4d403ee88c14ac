"""A comparison as files: comparison.csv, comparison.json, comparison.md."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from covid_monai.files import write_json, write_text
from covid_monai.scoring.cells import ABSENT, table
from covid_monai.scoring.comparison import COMPARISON_RULE, Comparison, Estimate
from covid_monai.scoring.inputs import describe_inputs
from covid_monai.scoring.intervals import CONFIDENCE, FEW_CLUSTERS, FEWEST_CLUSTERS, RESAMPLES
from covid_monai.scoring.summary import Summary


def write_comparison(comparison: Comparison, summaries: Mapping[str, Summary], folder: str | os.PathLike[str]) -> None:
    """Write the comparison's files to ``folder``, each in one step.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    content = comparison.content()
    content["inputs"] = {name: summary.content["inputs"] for name, summary in summaries.items()}
    rows = pd.json_normalize(content["differences"])
    for measure in ("pooled", "per_case"):
        bounds = rows.pop(f"{measure}.interval")
        for index, end in enumerate(("low", "high")):
            rows[f"{measure}.{end}"] = [one[index] if one else None for one in bounds]
    rows.columns = [name.replace(".", "_") for name in rows.columns]
    write_text(folder / "comparison.csv", rows.to_csv(index=False, lineterminator="\n"))
    write_json(folder / "comparison.json", content)
    write_text(folder / "comparison.md", comparison_markdown(comparison, summaries))


def comparison_markdown(comparison: Comparison, summaries: Mapping[str, Summary]) -> str:
    """The readable form of a comparison."""
    unit = comparison.unit
    note = ""
    if comparison.units < FEWEST_CLUSTERS:
        note = ": too few for an interval"
    elif comparison.units < FEW_CLUSTERS:
        note = ": few, the intervals tend to be too narrow"
    if unit == "case":
        note += " (patients not all known; cases of one patient count as independent)"
    parts = [
        "# Comparison",
        f"{comparison.cases} cases; {comparison.units} units ({unit}){note}. In brackets: {100 * CONFIDENCE:.0f} % "
        f"interval, percentile bootstrap with {RESAMPLES} resamples of whole units (seed {comparison.seed}).",
        "## Dice",
        _ratings(comparison),
        "## Differences in Dice",
        _differences(comparison),
        COMPARISON_RULE,
        "## Masks",
    ]
    parts += [f"{name}:\n\n{describe_inputs(summary.content['inputs'])}" for name, summary in summaries.items()]
    return "\n\n".join(parts) + "\n"


def _ratings(comparison: Comparison) -> str:
    rows = [[one.lesion_class, one.name, _cell(one.pooled), _cell(one.per_case)] for one in comparison.ratings]
    return table(["class", "predictions", "pooled", "mean per case"], rows)


def _differences(comparison: Comparison) -> str:
    rows: list[list[str]] = []
    for one in comparison.differences:
        rows.append(
            [
                one.lesion_class,
                f"{one.first} − {one.second}",  # noqa: RUF001
                _cell(one.pooled, sign="+"),
                _cell(one.per_case, sign="+"),
                f"{one.higher} / {one.equal} / {one.lower}",
                _p(one.p),
                _p(one.p_holm),
                one.method,
            ]
        )
    units = f"{comparison.unit}s higher / equal / lower"
    return table(["class", "pair", "pooled", "mean per case", units, "p", "p (Holm)", "Wilcoxon"], rows)


def _cell(one: Estimate, sign: str = "") -> str:
    bounds = ", ".join(f"{bound:{sign}.3f}" for bound in one.interval or ())
    return f"{one.value:{sign}.3f}" + (f" [{bounds}]" if bounds else "")


def _p(value: Any) -> str:
    if value is None:
        return ABSENT
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
