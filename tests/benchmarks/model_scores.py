"""The shipped model's measures on slices that its folds left out, and on scans of other countries: its card.

    python -m tests.benchmarks.model_scores folds DATA RUNS    # RUNS/fold_0 ...: folds.csv and kinds.csv
    python -m tests.benchmarks.model_scores others SHARED      # others.json

in ``docs/results/model``. DATA is what the folds were trained on; SHARED has ``chest_dicom_series`` and
``chest_ct_dicom``.
Whole volumes are those of ``tests.benchmarks.model_volumes``.
"""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import covid_monai as cm
from covid_monai.data.manifest import Case, read_dataset
from covid_monai.data.splits import read_split
from covid_monai.measurements.definitions import GROUND_GLASS_BELOW_HU
from covid_monai.studies import read_study

FOLDER = Path(__file__).parents[2] / "docs" / "results" / "model"
COLUMNS = ("fold", "source", "left_out", "slices", "dice_pooled", "dice_mean_of_slices")
"""The first Dice counts the pixels of the slices together; all are slices with lesions."""
KINDS = {1: "ground-glass", 2: "consolidation"}


def folds(data: Path, runs: Path) -> None:
    """Score what every fold left out of parts 1 and 2, and write the tables."""
    cases = {case.case: case for case in read_dataset(data).cases}
    lines: list[list[Any]] = []
    counts = np.zeros((len(KINDS), 3, 3), dtype=np.int64)
    for run in sorted(runs.glob("fold_*")):
        index = int(run.name.rpartition("_")[2])
        frame = cm.Run(run).evaluate(subset="test").frame
        slices = frame[(frame["level"] == "slice") & (frame["class"] == "any lesion")]
        for source in ("radiopaedia_part2", "medseg_part1"):
            of_source = slices[slices["source"] == source]
            names = of_source["patient"].replace("", "patients unknown")
            for patient, rows in of_source.groupby(names):
                tp, fp, fn = (int(rows[name].sum()) for name in ("tp", "fp", "fn"))
                lines.append(
                    [index, source, patient, len(rows), 2 * tp / (2 * tp + fp + fn), float(rows["dice"].mean())]
                )
        left_out = [cases[name] for name in read_split(run / "split.json").folds[index].test]
        with_kinds = [case for case in left_out if case.source == "medseg_part1"]
        counts += sum(counts_of_kinds(data, run / "evaluation" / "test" / "masks", case) for case in with_kinds)
    write("folds.csv", COLUMNS, lines)
    ways = (
        "the model's two classes",
        f"its lesions, divided at {GROUND_GLASS_BELOW_HU:g} HU",
        "the drawn lesions, so divided",
    )
    dice = 2 * counts[..., 0] / (2 * counts[..., 0] + counts[..., 1] + counts[..., 2])
    write("kinds.csv", ["by", *KINDS.values()], [[way, *map(float, dice[:, k])] for k, way in enumerate(ways)])


def counts_of_kinds(data: Path, masks: Path, case: Case) -> NDArray[np.int64]:
    """By kind and way of telling kinds apart: true positive, false positive and false negative pixels of a slice."""
    hu, drawn, found = (
        np.asanyarray(nibabel.load(path).dataobj)[..., 0]
        for path in (data / case.image, data / case.label, masks / f"{case.case}.nii.gz")
    )
    by_rule = np.where(hu < GROUND_GLASS_BELOW_HU, 1, 2)
    ways = (found, np.where(found > 0, by_rule, 0), np.where(np.isin(drawn, list(KINDS)), by_rule, 0))
    return np.array(
        [
            [
                [
                    ((way == kind) & (drawn == kind)).sum(),
                    ((way == kind) & (drawn != kind)).sum(),
                    ((way != kind) & (drawn == kind)).sum(),
                ]
                for way in ways
            ]
            for kind in KINDS
        ]
    )


def write(name: str, header: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Write a table, floats with four decimals, and print it."""
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for line in lines:
            writer.writerow([round(value, 4) if isinstance(value, float) else value for value in line])
            print(*line)


def others(shared: Path) -> None:
    """What the shipped model finds in scans that nobody drew masks of."""
    model = cm.load(backend="torch")
    content: dict[str, Any] = {"weights_sha256": model.origin.weights}
    scans = {name: shared / "chest_dicom_series" / name for name in ("covid_P002", "normal_001")}
    scans["chest_ct_dicom"] = shared / "chest_ct_dicom" / "phantom.nii.gz"
    for name, path in scans.items():
        prediction = model.predict(read_study(path))
        share = prediction.measure().lungs["both"].infected_percent
        marked = prediction.mask > 0
        content[name] = {
            # where the scan shows one lung alone, the reason stands in its place
            "infected_percent": share if isinstance(share, float) else share.reason,
            "marked_voxels": int(marked.sum()),
            "marked_percent": round(100 * float(marked.mean()), 4),
        }
        if name == "covid_P002":
            content[name] |= against_labels(prediction, pd.read_csv(path.with_name(f"{name}_labels.csv")))
    (FOLDER / "others.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=2))


def against_labels(prediction: cm.Prediction, labels: pd.DataFrame) -> dict[str, Any]:
    """How well the area of lesion in a slice tells slices labelled as infected, and which side it lies on.

    The rows are said to ascend with the slice's location, which here is from the feet upwards. By their lobes they
    descend: those with an infected upper lobe would otherwise lie under those with an infected lower one. Both are
    given, and what slices between infected ones, labelled as clean, have of lesion.
    """
    truth = labels.sort_values("slice_by_location")["infection"].to_numpy() > 0
    area = (prediction.mask > 0).sum(axis=(0, 1))
    upwards = area if prediction.affine[2, 2] > 0 else area[::-1]
    downwards = upwards[::-1]
    infected = np.flatnonzero(truth)
    between = ~truth & (np.arange(truth.size) > infected[0]) & (np.arange(truth.size) < infected[-1])
    sides = [int(((prediction.mask > 0) & (prediction.lungs.labels == side)).sum()) for side in (1, 2)]
    return {
        "auc": round(float(roc_auc_score(truth, downwards)), 4),
        "auc_rows_upwards": round(float(roc_auc_score(truth, upwards)), 4),
        "auc_without_clean_slices_between": round(float(roc_auc_score(truth[~between], downwards[~between])), 4),
        "clean_slices_between": int(between.sum()),
        "their_median_marked_voxels": float(np.median(downwards[between])),
        "marked_voxels_right_left": sides,
        "labelled_sides": [side for side in "RL" if labels.filter(regex=f"^{side}").to_numpy().any()],
    }


if __name__ == "__main__":
    {"folds": folds, "others": others}[sys.argv[1]](*map(Path, sys.argv[2:]))
