"""What the options of prediction do to the shipped model's results on two scans: mirrored slices, components, folds.

    python -m tests.benchmarks.model_options RUNS SHARED    # docs/results/model/options.csv

RUNS has ``fold_0`` to ``fold_4`` (``tests.benchmarks.model_folds``), which are averaged in one line; SHARED has
``chest_dicom_series``. Nothing is drawn in these scans: ``normal_001`` has no lesion, ``covid_P002`` some.
"""

import sys
from pathlib import Path
from typing import Any

import covid_monai as cm
from covid_monai.run.trained import SHIPPED
from covid_monai.studies import read_study
from tests.benchmarks.model_scores import write

SCANS = ("normal_001", "covid_P002")
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "mirrored": {"mirrored": True},
    "min_volume_ml=0.1": {"min_volume_ml": 0.1},
    "min_volume_ml=1": {"min_volume_ml": 1.0},
}


def infected_percent(run: Any, series: Path, options: dict[str, Any]) -> list[str]:
    """The infected share of each scan, in percent of the lungs."""
    model = cm.load(run, backend="torch", **options)
    shares = [model.predict(read_study(series / name)).measure().lungs["both"].infected_percent for name in SCANS]
    return [f"{share:.3f}" if isinstance(share, float) else share.reason for share in shares]


def main(runs: Path, shared: Path) -> None:
    """Measure each option, and the average of the folds."""
    series = shared / "chest_dicom_series"
    lines = [[name, *infected_percent(SHIPPED, series, options)] for name, options in OPTIONS.items()]
    lines.append(["five folds averaged", *infected_percent(sorted(map(str, runs.glob("fold_*"))), series, {})])
    write("options.csv", ["option", *(f"{name}_infected_percent" for name in SCANS)], lines)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
