"""An output folder of a table with finished jobs, for all that reads such folders."""

from pathlib import Path

import pytest

from covid_monai.tables.findings import Findings, find
from tests.tables.fabricated import write_output
from tests.tables.small_data import write_patients
from tests.tables.tiny_table import content, write_table

FAILED = "jobs/grouped/segnet-dl/fold1-seed1"
MEASURES = {
    "dice": {"averaging": "pooled", "scale": 100},
    "sensitivity": {"averaging": "slice", "scale": 100},
    "dice_mean_over_thresholds": {"averaging": "thresholds", "scale": 1},
    "accuracy": {"averaging": "slice", "scale": 1, "not_comparable": "it is something else"},
}
JUDGING = {
    "slices": 20,
    "tested": 10,
    "labels": [1, 2],
    "margins": {"dice": 5, "sensitivity": 5, "dice_mean_over_thresholds": 0.05},
    "reason": "a convention",
}
CLAIMS = [
    {
        "sentence": "Attention is better.",
        "place": "section 4",
        "measure": "dice",
        "kind": "points",
        "contrast": {2: 1, 1: -1},
        "published": 8.5,
    },
    {
        "sentence": "It is far better | than others.",
        "place": "section 5",
        "measure": "dice",
        "kind": "relative_percent",
        "contrast": [[2, 3]],
        "at_least": 10,
        "note": "not by the same data",
    },
]


@pytest.fixture(scope="session")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen slices of eight patients; not to be changed."""
    return write_patients(tmp_path_factory.mktemp("patients") / "data")


@pytest.fixture(scope="session")
def finished(patients: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows, two protocols, two folds, two seeds, of which one job failed, and a published row."""
    rows = content()["rows"]
    rows[0]["paper"] = {"dice": 61.5, "sensitivity": 40.0, "accuracy": 0.9}
    rows.append({"label": "Published only", "paper": {"dice": 50.25}, "place": "row 3"})
    changed = {"rows": rows, "measures": MEASURES, "judging": JUDGING, "claims": CLAIMS}
    path = write_table(tmp_path_factory.mktemp("table"), changed)
    output = tmp_path_factory.mktemp("finished")
    write_output(output, path, patients, seeds=2, left_out={FAILED: "the loss is nan"})
    return output


@pytest.fixture(scope="session")
def findings(finished: Path) -> Findings:
    """All that is told of ``finished``."""
    return find(finished)
