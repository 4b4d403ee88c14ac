"""What the options of prediction do to the shipped model's results: mirrored slices, small components, averaged folds.

    python -m tests.benchmarks.model_options RUNS VOLUMES SHARED    # docs/results/model/options.csv

RUNS has ``fold_0`` to ``fold_4``, VOLUMES the volumes that they left out (``tests.benchmarks.model_volumes``), and
SHARED ``chest_dicom_series``. Components are removed by mL, so only where the spacing is real; folds are averaged only
where no fold was trained.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

import covid_monai as cm
from covid_monai.measurements.definitions import Unknown
from covid_monai.run.trained import SHIPPED
from covid_monai.studies import read_study
from tests.benchmarks.model_scores import write
from tests.benchmarks.model_volumes import dice

LEFT_OUT = ("coronacases_005", "coronacases_004", "coronacases_001", "coronacases_002", "coronacases_003")
"""By fold."""

MIN_VOLUME_ML = 0.1


def mean_dice(runs: Path, volumes: Path, **options: Any) -> float:
    """The mean Dice of the five whole volumes, each by the fold that left it out."""
    found = []
    for fold, name in enumerate(LEFT_OUT):
        model = cm.load(runs / f"fold_{fold}", intensity="hu", backend="torch", **options)
        drawn = np.asanyarray(nibabel.load(volumes / name / "infection.nii.gz").dataobj) > 0
        found.append(dice(model.predict(volumes / name / "ct.nii.gz").mask > 0, drawn))
    return float(np.mean(found))


def infected(series: Path, names: Sequence[str], run: Any, **options: Any) -> list[float | str]:
    """The infected share of each study, in percent."""
    model = cm.load(run, backend="torch", **options)
    shares = [model.predict(read_study(series / name)).measure().lungs["both"].infected_percent for name in names]
    return [share.reason if isinstance(share, Unknown) else round(share, 3) for share in shares]


def main(runs: Path, volumes: Path, shared: Path) -> None:
    """Measure each option against none."""
    series, names = shared / "chest_dicom_series", ("normal_001", "covid_P002")
    folds = sorted(map(str, runs.glob("fold_*")))
    lines: list[list[Any]] = [
        ["none", mean_dice(runs, volumes), *infected(series, names, SHIPPED)],
        ["mirrored", mean_dice(runs, volumes, mirrored=True), *infected(series, names, SHIPPED, mirrored=True)],
        [f"min_volume_ml={MIN_VOLUME_ML}", "", *infected(series, names, SHIPPED, min_volume_ml=MIN_VOLUME_ML)],
        ["five folds averaged", "", *infected(series, names, folds)],
    ]
    write("options.csv", ["option", "dice_whole_volumes", *(f"{name}_infected_percent" for name in names)], lines)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
