"""What the options of prediction do on real scans: mirrored slices, the average of folds, small components left out.

    python -m tests.benchmarks.model_options SHARED RUN RUN...    # docs/results/model/options.csv

With the shipped model, the infected share of two scans that it has not seen and in which nothing is drawn:
``normal_001`` has no lesion, ``covid_P002`` some. With the RUNs, which are folds of one cross-validation, the Dice of
the five volumes coronacases_001 to 005, which none of them has seen: of each run by itself, of their average, and of
both mirrored. These volumes have a placeholder for their spacing, so components are left out of the two scans alone.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

import covid_monai as cm
from covid_monai.run.trained import SHIPPED
from covid_monai.studies import read_study
from tests.benchmarks.model_scores import write
from tests.benchmarks.model_volumes import dice

SCANS = ("normal_001", "covid_P002")
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "mirrored": {"mirrored": True},
    "min_volume_ml=0.1": {"min_volume_ml": 0.1},
    "min_volume_ml=1": {"min_volume_ml": 1.0},
}
VOLUMES = tuple(f"coronacases_{number:03d}" for number in range(1, 6))


def shares(shared: Path) -> Iterator[list[str]]:
    """The infected share of each scan in percent of the lungs, with the shipped model and each option."""
    studies = {name: read_study(shared / "chest_dicom_series" / name) for name in SCANS}
    for option, settings in OPTIONS.items():
        model = cm.load(SHIPPED, backend="torch", **settings)
        for name, study in studies.items():
            share = model.predict(study).measure().lungs["both"].infected_percent
            value = f"{share:.3f}" if isinstance(share, float) else share.reason
            yield ["shipped", option, name, "infected_percent", value]


def overlaps(shared: Path, runs: Sequence[Path]) -> Iterator[list[str]]:
    """The Dice of each whole volume, with each run and their average, mirrored and not."""
    models = [(run.name, [run]) for run in runs] + [("average", list(runs))]
    for name, each in models:
        for option in ("none", "mirrored"):
            model = cm.load(each, intensity="auto", backend="torch", **OPTIONS[option])
            for volume in VOLUMES:
                drawn = np.asanyarray(nibabel.load(shared / volume / "infection.nii.gz").dataobj) > 0
                found = model.predict(shared / volume / "ct.nii.gz").mask > 0
                yield [name, option, volume, "dice", f"{dice(found, drawn):.4f}"]


def main(shared: str, *runs: str) -> None:
    """Measure each option, and print the mean Dice of each model over the volumes."""
    lines = [*shares(Path(shared)), *overlaps(Path(shared), [Path(run) for run in runs])]
    write("options.csv", ["model", "option", "scan", "measure", "value"], lines)
    means: dict[tuple[str, str], list[float]] = {}
    for model, option, _, measure, value in lines:
        if measure == "dice":
            means.setdefault((model, option), []).append(float(value))
    for (model, option), values in means.items():
        print(f"{model}, {option}: {np.mean(values):.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
