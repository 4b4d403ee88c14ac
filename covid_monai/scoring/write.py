"""Scores and comparisons as files: CSV for programs, JSON with all of it, Markdown for readers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json, write_text
from covid_monai.scoring.bootstrap import CONFIDENCE, FEW_CLUSTERS, FEWEST_CLUSTERS, RESAMPLES
from covid_monai.scoring.comparison import COMPARISON_RULE, Comparison, Estimate
from covid_monai.scoring.format import ABSENT, COLUMNS, listed, measure_cell, spoken, table
from covid_monai.scoring.overlap import EMPTY_KINDS, OVERLAP_MEASURES
from covid_monai.scoring.summary import Summary
from covid_monai.scoring.surface import SURFACE_MEASURES


def write_summary(summary: Summary, folder: str | os.PathLike[str]) -> None:
    """Write the summary's files to ``folder``, each in one step.

    The two on thresholds, left by an earlier summary, are removed where this one has no curve.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    write_text(folder / "scores.csv", summary.rows.to_csv(index=False, lineterminator="\n"))
    write_json(folder / "scores.json", summary.content)
    write_text(folder / "scores.md", markdown(summary.content))
    for name, curves in (("thresholds.csv", summary.curve), ("slice_thresholds.csv", summary.slice_curves)):
        if curves is not None:
            write_text(folder / name, curves.to_csv(index=False, lineterminator="\n"))
        else:
            (folder / name).unlink(missing_ok=True)


def pooled_dice(folder: str | os.PathLike[str]) -> float:
    """Pooled Dice (0..1) of all lesion classes as one, from the scores.json that ``write_summary`` wrote.

    Raises:
        InputError: there is no readable scores.json.
    """
    path = Path(folder) / "scores.json"
    content = read_json(path)
    try:
        classes = content["levels"]["pooled"]["classes"]
        return float(classes[content["classes"][-1]]["measures"]["dice"]["value"])
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path} holds no scores of covid-monai; run covid-monai evaluate first") from error


def describe_inputs(inputs: Mapping[str, Any]) -> str:
    """``Inputs`` of ``scores.json`` as Markdown lines."""
    labels = ", ".join(f"{label} = {name}" for label, name in inputs["labels"].items())
    lines = [
        f"- predictions: {inputs['predictions']}",
        f"- references: {inputs['references']}",
        f"- labels: {labels}",
    ]
    for key, told in (
        ("missing_as_empty", "predictions missing and counted as empty masks"),
        ("surplus", "predictions without reference, not scored"),
        ("reordered", "predictions with another order of axes than their reference, reordered"),
        (
            "spacing_unknown",
            "cases without real spacing, so without HD95 and surface Dice (--spacing known where headers are right)",
        ),
    ):
        if names := inputs[key]:
            lines.append(f"- {told}: {len(names)} ({listed(names)})")
    return "\n".join(lines)


def markdown(content: dict[str, Any]) -> str:
    """The readable form of ``scores.json``."""
    parts = ["# Scores", _header(content)]
    if "inputs" in content:
        parts += ["## Masks", describe_inputs(content["inputs"])]
    for lesion_class in content["levels"]["slice"]["classes"]:
        parts += [f"## {lesion_class}", _class_table(content["levels"], lesion_class)]
    parts += ["## Empty masks", content["empty_mask_rule"], _empty_table(content["levels"])]
    parts += ["## Values left out of a mean", _left_out(content["levels"])]
    if content["thresholds"]:
        parts += ["## Dice over thresholds", _threshold_section(content["thresholds"])]
    return "\n\n".join(parts) + "\n"


def _header(content: dict[str, Any]) -> str:
    patients = f"{content['patients']} known patients"
    if content["slices_without_patient"]:
        patients += f" (patient unknown for {content['slices_without_patient']} slices)"
    lines = [
        f"{content['cases']} cases, {content['slices']} slices, {content['volumes']} volumes, {patients}.",
        "",
    ]
    lines += ["Averaging:"]
    lines += [f"- {spoken(name)}: {level['averaging']}" for name, level in content["levels"].items()]
    surface = content["surface_measures"]
    lines += [
        "",
        f"{surface['hd95_mm']} {surface['surface_dice']} Tolerance: {surface['tolerance_mm']:g} mm. "
        "Both only where the spacing is real.",
        "",
        "Specificity and accuracy depend on how much background the image shows, and so on its crop.",
        "",
        *_interval_lines(content),
    ]
    return "\n".join(lines)


def _interval_lines(content: dict[str, Any]) -> list[str]:
    bootstrap = content["bootstrap"]
    lines = [
        f"In brackets: {100 * bootstrap['confidence']:.0f} % interval, percentile bootstrap with "
        f"{bootstrap['resamples']} resamples (seed {bootstrap['seed']}) of whole clusters; none where fewer "
        f"than {bootstrap['fewest_clusters']} clusters have a value. Clusters:"
    ]
    for name, level in content["levels"].items():
        note = ""
        if level["clusters"] < bootstrap["fewest_clusters"]:
            note = ": too few for an interval"
        elif level["clusters"] < FEW_CLUSTERS:
            note = ": few, the intervals tend to be too narrow"
        if level["unit"] == "case":
            note += " (patients and volumes not all known; slices of one patient count as independent)"
        lines.append(f"- {spoken(name)}: {level['clusters']} by {level['unit']}{note}")
    return lines


def _class_table(levels: dict[str, Any], lesion_class: str) -> str:
    measures = (*OVERLAP_MEASURES, *SURFACE_MEASURES)
    rows = []
    for name, level in levels.items():
        scored = level["classes"][lesion_class]
        number = str(scored["rows"]) if "rows" in scored else ", ".join(scored["classes"]) or "none present"
        cells = [_cell(scored["measures"].get(measure), measure) for measure in measures]
        rows.append([spoken(name), number, *cells])
    first = "rows" if "rows" in levels["slice"]["classes"][lesion_class] else "of"
    return table(["level", first, *(COLUMNS[measure].heading for measure in measures)], rows)


def _cell(measure: dict[str, Any] | None, name: str) -> str:
    cell = measure_cell(measure, name)
    return " ".join(filter(None, [cell.value, cell.interval, cell.used and f"({cell.used})"]))


def _empty_table(levels: dict[str, Any]) -> str:
    rows = [
        [
            spoken(name),
            lesion_class,
            str(scored["rows"]),
            *(str(scored["empty"][kind]) for kind in EMPTY_KINDS),
        ]
        for name, level in levels.items()
        for lesion_class, scored in level["classes"].items()
        if "empty" in scored and not name.endswith("_with_lesion") and name != "pooled"
    ]
    return table(["level", "class", "rows", *EMPTY_KINDS], rows)


def _left_out(levels: dict[str, Any]) -> str:
    lines = []
    missed = 0
    for name, level in levels.items():
        for lesion_class, scored in level["classes"].items():
            if "rows" not in scored:
                continue
            reasons = {measure: one["left_out"] for measure, one in scored["measures"].items() if one["left_out"]}
            missed += reasons.get("hd95_mm", {}).get("missed", 0)
            if reasons:
                told = "; ".join(f"{COLUMNS[measure].heading}: {_counted(why)}" for measure, why in reasons.items())
                lines.append(f"- {spoken(name)}, {lesion_class}. {told}")
    if missed:
        lines += [
            "",
            "A missed lesion has no HD95, and leaving it out makes the mean HD95 look better than it is.",
        ]
    return "\n".join(lines) or "None."


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in reasons.items())


def _threshold_section(thresholds: dict[str, Any]) -> str:
    rows = []
    for name in ("stretched", "unstretched"):
        arm = thresholds[name]
        best = f"{arm['best']['dice']:.3f} at {arm['best']['threshold']:.3f}"
        rows.append([name, _cell(arm["mean_over_thresholds"], "dice"), best, _cell(arm["at_half"], "dice")])
    arms = table(["probabilities", "mean over 256 thresholds", "best threshold", "at 0.5"], rows)
    return f"{thresholds['rule']}\n\n{thresholds['slices']} slices.\n\n{arms}"


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
    rows = [
        [one.lesion_class, one.name, _estimate_cell(one.pooled), _estimate_cell(one.per_case)]
        for one in comparison.ratings
    ]
    return table(["class", "predictions", "pooled", "mean per case"], rows)


def _differences(comparison: Comparison) -> str:
    rows: list[list[str]] = []
    for one in comparison.differences:
        rows.append(
            [
                one.lesion_class,
                f"{one.first} − {one.second}",  # noqa: RUF001
                _estimate_cell(one.pooled, sign="+"),
                _estimate_cell(one.per_case, sign="+"),
                f"{one.higher} / {one.equal} / {one.lower}",
                _p(one.p),
                _p(one.p_holm),
                one.method,
            ]
        )
    units = f"{comparison.unit}s higher / equal / lower"
    return table(["class", "pair", "pooled", "mean per case", units, "p", "p (Holm)", "Wilcoxon"], rows)


def _estimate_cell(one: Estimate, sign: str = "") -> str:
    bounds = ", ".join(f"{bound:{sign}.3f}" for bound in one.interval or ())
    return f"{one.value:{sign}.3f}" + (f" [{bounds}]" if bounds else "")


def _p(value: Any) -> str:
    if value is None:
        return ABSENT
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
