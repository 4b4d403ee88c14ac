"""The shipped model's measures on what its folds left out, and on scans of other countries: its card.

    python -m tests.benchmarks.model_scores folds DATA RUNS VOLUMES   # RUNS/fold_0 ...: docs/results/model/folds.csv
    python -m tests.benchmarks.model_scores others SHARED             # docs/results/model/others.json

DATA is what the folds were trained on; VOLUMES has ``coronacases_001/ct.nii.gz`` and ``infection.nii.gz`` and so on,
which are segmented whole, as a user's are. SHARED has ``chest_dicom_series`` and ``chest_ct_dicom``.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import covid_monai as cm
from covid_monai.data.manifest import read_dataset
from covid_monai.data.splits import read_split
from covid_monai.studies import read_study

FOLDER = Path(__file__).parents[2] / "docs" / "results" / "model"
FOLDS = FOLDER / "folds.csv"
COLUMNS = (
    "fold",
    "source",
    "left_out",
    "slices",
    "dice_lesion_slices",
    "dice_all_slices",
    "dice_mean_of_slices",
    "false_pixels_a_clean_slice",
)
"""The first two Dice count the pixels of slices together; parts 1 and 2 have lesion slices alone."""


def dice(found: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> float:
    """Twice the overlap over the sum; NaN where both are empty."""
    total = int(found.sum()) + int(drawn.sum())
    return float(2 * int((found & drawn).sum()) / total) if total else float("nan")


def scores_of_volume(run: Path, volume: Path) -> list[Any]:
    """Slices, Dice of the lesion slices and of all together, mean of the lesion slices', false pixels a clean slice."""
    drawn = np.asanyarray(nibabel.load(volume / "infection.nii.gz").dataobj) > 0
    found = cm.load(run, intensity="hu").predict(volume / "ct.nii.gz").mask > 0
    lesion = drawn.any(axis=(0, 1))
    false = found[:, :, ~lesion].sum() / max(1, int((~lesion).sum()))
    of_slices = [dice(found[:, :, k], drawn[:, :, k]) for k in np.flatnonzero(lesion)]
    pooled = dice(found[:, :, lesion], drawn[:, :, lesion])
    return [drawn.shape[2], pooled, dice(found, drawn), float(np.mean(of_slices)), float(false)]


def folds(data: Path, runs: Path, volumes: Path) -> None:
    """Score every fold that is trained to its end, and write the table."""
    cases = {case.case: case for case in read_dataset(data).cases}
    lines: list[list[Any]] = []
    for run in sorted(runs.glob("fold_*")):
        index = int(run.name.rpartition("_")[2])
        left_out = [cases[name] for name in read_split(run / "split.json").folds[index].test]
        for volume in sorted({str(case.patient) for case in left_out if case.source == "coronacases"}):
            lines.append([index, "coronacases", volume, *scores_of_volume(run, volumes / volume)])
        frame = cm.Run(run).evaluate(subset="test").frame
        slices = frame[(frame["level"] == "slice") & (frame["class"] == "any lesion")]
        for source in ("radiopaedia_part2", "medseg_part1"):
            of_source = slices[slices["source"] == source]
            names = of_source["patient"].replace("", "patients unknown")
            for patient, rows in of_source.groupby(names):
                tp, fp, fn = (int(rows[name].sum()) for name in ("tp", "fp", "fn"))
                pooled = 2 * tp / (2 * tp + fp + fn)
                lines.append([index, source, patient, len(rows), pooled, "", float(rows["dice"].mean()), ""])
    with FOLDS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in lines:
            writer.writerow([round(value, 4) if isinstance(value, float) else value for value in line])
            print(*line)


def others(shared: Path) -> None:
    """What the shipped model finds in scans that nobody drew masks of."""
    model = cm.load()
    content: dict[str, Any] = {"weights_sha256": model.origin.weights}
    scans = {name: shared / "chest_dicom_series" / name for name in ("covid_P002", "normal_001")}
    scans["chest_ct_dicom"] = shared / "chest_ct_dicom" / "phantom.nii.gz"
    for name, path in scans.items():
        prediction = model.predict(read_study(path))
        share = prediction.measure().lungs["both"].infected_percent
        marked = prediction.mask > 0
        content[name] = {
            # where the scan shows one lung alone, the reason stands in its place
            "infected_percent": share if isinstance(share, float) else str(share),
            "marked_voxels": int(marked.sum()),
            "marked_percent": round(100 * float(marked.mean()), 4),
        }
        if name == "covid_P002":
            labels = path.with_name(f"{name}_labels.csv")
            content[name]["auc"] = areas_under_curve(prediction, labels)
    (FOLDER / "others.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=2))


def areas_under_curve(prediction: cm.Prediction, labels: Path) -> dict[str, float]:
    """How well the area of lesion in a slice tells slices labelled as infected, in all and in each lung."""
    rows = pd.read_csv(labels).sort_values("slice_by_location")
    upwards = prediction.affine[2, 2] > 0
    sides = {"both": ["infection"], "right": ["RLL", "RML", "RUL"], "left": ["LLL", "LUL"]}
    areas = {"both": prediction.mask > 0}
    for label, side in ((1, "right"), (2, "left")):
        areas[side] = areas["both"] & (prediction.lungs.labels == label)
    found = {}
    for side, columns in sides.items():
        area = areas[side].sum(axis=(0, 1))
        truth = rows[columns].max(axis=1).to_numpy() > 0
        found[side] = round(float(roc_auc_score(truth, area if upwards else area[::-1])), 4)
    return found


if __name__ == "__main__":
    {"folds": folds, "others": others}[sys.argv[1]](*map(Path, sys.argv[2:]))
