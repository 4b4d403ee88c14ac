"""What was scored against what, kept beside the scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_NAMES_TOLD = 5


@dataclass
class Inputs:
    """What was scored against what, for ``scores.json``."""

    predictions: str
    references: str
    labels: dict[str, str]
    missing_as_empty: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    spacing_unknown: list[str] = field(default_factory=list)


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


def listed(names: Sequence[str]) -> str:
    """The first of many names."""
    return ", ".join(names[:_NAMES_TOLD]) + (", ..." if len(names) > _NAMES_TOLD else "")
