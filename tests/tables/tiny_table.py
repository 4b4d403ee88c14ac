"""A table of two rows that runs on the tiny data set in seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SMALL = {"image_size": [64, 64], "channels": [4, 4, 8, 8, 8], "batch_size": 4, "epochs": 2, "augmentation": 0.0}


def content() -> dict[str, Any]:
    """A table with every key; tests change it before they write it."""
    return {
        "title": "Tiny table",
        "paper": "Nobody et al.",
        "theirs": {
            "data": "twelve slices",
            "canvas": "64 x 64",
            "classes": "all lesions are one",
            "averaging": "pooled",
            "split": "two folds",
        },
        "needs": {"sources": ["tiny"], "canvas": False},
        "folds": 2,
        "protocols": {
            "paper": {"split": "paper", "validation": "test", "weights": "last"},
            "grouped": {"split": "grouped", "validation": 0.4, "weights": "best"},
        },
        "class": "lesion",
        "measures": {"dice": {"averaging": "pooled", "scale": 100}},
        "settings": dict(SMALL),
        "budgets": {"quick": {"label": "small images", "folds": 1, "settings": {"epochs": 1}}},
        "rows": [
            {
                "label": "SegNet + DL",
                "bundle": "a_segnet",
                "settings": {"attention": False, "loss": "dice"},
                "paper": {"dice": 60.0},
                "place": "row 1",
            },
            {
                "label": "A-SegNet + TL (0.3, 0.7)",
                "bundle": "a_segnet",
                "settings": {"loss": "tversky", "alpha": 0.3, "beta": 0.7},
                "paper": {"dice": 70.0},
                "place": "row 2",
            },
        ],
    }


def write_table(folder: Path, changed: Mapping[str, Any] | None = None) -> Path:
    """Write the table to ``folder/tiny.yaml``, with ``changed`` in place of its keys."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**content(), **(changed or {})}, sort_keys=False))
    return path
