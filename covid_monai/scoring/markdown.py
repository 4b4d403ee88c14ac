"""Scores and comparisons for readers, as Markdown."""

from collections.abc import Mapping
from typing import Any

from covid_monai.scoring.bootstrap import FEW_EFFECTIVE
from covid_monai.scoring.comparison import COMPARISON_RULE, Comparison, Estimate
from covid_monai.scoring.format import ABSENT, in_words, listed, measure_cell, table
from covid_monai.scoring.measures import MEASURES
from covid_monai.scoring.overlap import EMPTY_KINDS
from covid_monai.scoring.summary import Summary


def describe_inputs(inputs: Mapping[str, Any]) -> str:
    """``Inputs`` of ``scores.json`` as Markdown lines."""
    labels = ", ".join(f"{label} = {name}" for label, name in inputs["labels"].items())
    lines = [
        f"- predictions: {inputs['predictions']}",
        f"- references: {inputs['references']}",
        f"- labels: {labels}",
    ]
    for key, what in (
        ("missing_as_empty", "predictions missing and counted as empty masks"),
        ("surplus", "predictions without reference, not scored"),
        ("reordered", "predictions with another order of axes than their reference, reordered"),
        (
            "spacing_unknown",
            "cases without real spacing, so without HD95 and surface Dice (spacing can be set to known)",
        ),
    ):
        if names := inputs[key]:
            lines.append(f"- {what}: {len(names)} ({listed(names)})")
    # scores of earlier releases have none
    lines += [f"- warning: {warning}" for warning in inputs.get("warnings", ())]
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
    lines += [f"- {in_words(name)}: {level['averaging']}" for name, level in content["levels"].items()]
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
    lines = [f"In brackets: {interval_words(bootstrap)} Units:"]
    for name, level in content["levels"].items():
        note = units_note(level, bootstrap)
        if level["unit"] == "case":
            note += " (patients and volumes not all known; slices of one patient count as independent)"
        lines.append(f"- {in_words(name)}: {level['clusters']} by {level['unit']}{note}")
    return lines


def interval_words(bootstrap: Mapping[str, Any]) -> str:
    """How intervals were made, from ``bootstrap`` of the scores; those of earlier releases took percentiles."""
    drawn = f"{bootstrap['resamples']} resamples (seed {bootstrap['seed']})"
    if "rule" in bootstrap:
        return f"{bootstrap['rule']} {drawn}."
    return (
        f"{100 * bootstrap['confidence']:.0f} % interval, percentile bootstrap with {drawn} of whole clusters; none "
        f"where fewer than {bootstrap['fewest_clusters']} clusters have a value."
    )


def units_note(level: Mapping[str, Any], bootstrap: Mapping[str, Any]) -> str:
    """What is to be known of a level's units: sources, and the effective numbers behind Dice (of the classes).

    Scores of earlier releases have neither.
    """
    strata = level.get("strata", {})
    sources = ", ".join(f"{number} of {name or 'unknown'}" for name, number in strata.items())
    note = f" ({sources})" if len(strata) > 1 else ""
    if level["clusters"] < bootstrap["fewest_clusters"]:
        return f"{note}: too few for an interval"
    numbers = [found["measures"].get("dice", {}).get("effective_clusters") for found in level["classes"].values()]
    known = [number for number in numbers if number]
    if not known:
        return note
    least, few = min(known), bootstrap.get("few_effective", FEW_EFFECTIVE)
    span = " to ".join(dict.fromkeys(f"{number:.1f}" for number in (least, max(known))))
    warning = f", under {few:g}: a few units decide the intervals" if least < few else ""
    return f"{note}; effective for Dice: {span}{warning}"


def _class_table(levels: dict[str, Any], lesion_class: str) -> str:
    rows = []
    for name, level in levels.items():
        scored = level["classes"][lesion_class]
        number = str(scored["rows"]) if "rows" in scored else ", ".join(scored["classes"]) or "none present"
        cells = [_cell(scored["measures"].get(measure), measure) for measure in MEASURES]
        rows.append([in_words(name), number, *cells])
    first = "rows" if "rows" in levels["slice"]["classes"][lesion_class] else "of"
    return table(["level", first, *(MEASURES[measure].heading for measure in MEASURES)], rows)


def _cell(measure: dict[str, Any] | None, name: str) -> str:
    cell = measure_cell(measure, name)
    return " ".join(filter(None, [cell.value, cell.interval, cell.used and f"({cell.used})"]))


def _empty_table(levels: dict[str, Any]) -> str:
    rows = [
        [
            in_words(name),
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
            reasons = {name: found["left_out"] for name, found in scored["measures"].items() if found["left_out"]}
            missed += reasons.get("hd95_mm", {}).get("missed", 0)
            if reasons:
                counts = "; ".join(f"{MEASURES[measure].heading}: {_counted(why)}" for measure, why in reasons.items())
                lines.append(f"- {in_words(name)}, {lesion_class}. {counts}")
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
        variant = thresholds[name]
        best = f"{variant['best']['dice']:.3f} at {variant['best']['threshold']:.3f}"
        rows.append([name, _cell(variant["mean_over_thresholds"], "dice"), best, _cell(variant["at_half"], "dice")])
    variants = table(["probabilities", "mean over 256 thresholds", "best threshold", "at 0.5"], rows)
    return f"{thresholds['rule']}\n\n{thresholds['slices']} slices.\n\n{variants}"


def comparison_markdown(comparison: Comparison, summaries: Mapping[str, Summary]) -> str:
    """The readable form of a comparison."""
    unit = comparison.unit
    bootstrap = comparison.bootstrap
    note = ": too few for an interval" if comparison.units < bootstrap["fewest_clusters"] else _effective(comparison)
    if unit == "case":
        note += " (patients not all known; cases of one patient count as independent)"
    parts = [
        "# Comparison",
        f"{comparison.cases} cases; {comparison.units} units ({unit}){note}. In brackets: {interval_words(bootstrap)}",
        "## Dice",
        _ratings(comparison),
        "## Differences in Dice",
        _differences(comparison),
        COMPARISON_RULE,
        "## Masks",
    ]
    parts += [f"{name}:\n\n{describe_inputs(summary.content['inputs'])}" for name, summary in summaries.items()]
    return "\n\n".join(parts) + "\n"


def _effective(comparison: Comparison) -> str:
    estimates = [estimate for rating in comparison.ratings for estimate in (rating.pooled, rating.per_case)]
    known = [estimate.effective for estimate in estimates if estimate.effective]
    least, few = min(known, default=None), comparison.bootstrap.get("few_effective", FEW_EFFECTIVE)
    if least is None:
        return ""
    warning = ": a few units decide the intervals" if least < few else ""
    return f"; the effective number is {least:.1f} at the least{warning}"


def _ratings(comparison: Comparison) -> str:
    rows = [
        [rating.lesion_class, rating.name, _estimate_cell(rating.pooled), _estimate_cell(rating.per_case)]
        for rating in comparison.ratings
    ]
    return table(["class", "predictions", "pooled", "mean per case"], rows)


def _differences(comparison: Comparison) -> str:
    rows: list[list[str]] = []
    for difference in comparison.differences:
        rows.append(
            [
                difference.lesion_class,
                f"{difference.first} − {difference.second}",  # noqa: RUF001
                _estimate_cell(difference.pooled, sign="+"),
                _estimate_cell(difference.per_case, sign="+"),
                f"{difference.higher} / {difference.equal} / {difference.lower}",
                _p(difference.p),
                _p(difference.p_holm),
                difference.method,
            ]
        )
    units = f"{comparison.unit}s higher / equal / lower"
    return table(["class", "pair", "pooled", "mean per case", units, "p", "p (Holm)", "Wilcoxon"], rows)


def _estimate_cell(estimate: Estimate, sign: str = "") -> str:
    bounds = ", ".join(f"{bound:{sign}.3f}" for bound in estimate.interval or ())
    return f"{estimate.value:{sign}.3f}" + (f" [{bounds}]" if bounds else "")


def _p(value: Any) -> str:
    if value is None:
        return ABSENT
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
