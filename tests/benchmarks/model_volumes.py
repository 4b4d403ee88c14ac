"""How the shipped model's recipe does on a whole volume that its training left out: overlap, shares, probabilities.

    python -m tests.benchmarks.model_volumes RUNS SPLIT DATA VOLUMES

RUNS has ``fold_0`` and so on (``tests.benchmarks.model_folds``); VOLUMES has ``coronacases_001/ct.nii.gz`` and
``infection.nii.gz``, which are segmented whole, as a user's are. Writes ``volumes.csv``, ``thresholds.csv`` and
``calibration.csv`` into ``docs/results/model``, and prints what the five volumes say together.
"""

import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score

import covid_monai as cm
from covid_monai.data.manifest import read_dataset
from covid_monai.data.splits import read_split
from covid_monai.inference.prediction import measure_study
from covid_monai.measurements import Measurements
from covid_monai.measurements.definitions import (
    FLOOR_ML,
    FLOOR_PERCENT,
    GROUND_GLASS_BELOW_HU,
    LEVELS,
    SIDES,
    Unknown,
)
from covid_monai.measurements.severity import ct_grade
from covid_monai.studies import read_study
from tests.benchmarks.model_scores import write

THRESHOLDS = tuple(round(0.1 * k, 1) for k in range(1, 10))
BINS = 10
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class VolumeScores:
    """A volume's line: the first two Dice count voxels of slices together; shares are of the lungs within the scan."""

    fold: int
    volume: str
    slices: int
    dice_lesion_slices: float
    dice_all_slices: float
    dice_mean_of_slices: float
    false_pixels_a_clean_slice: float
    lesion_voxels: int
    drawn_lesion_voxels: int
    infected_percent: float
    drawn_infected_percent: float
    grade: str
    drawn_grade: str
    zone_scores: str
    drawn_zone_scores: str
    expected_calibration_error: float


@dataclass(frozen=True)
class Judged:
    """A volume's scores, its Dice by threshold, and by bin of probability how many voxels there are and are lesion."""

    scores: VolumeScores
    dice_by_threshold: tuple[float, ...]
    probability_by_bin: NDArray[np.float64]
    voxels_by_bin: NDArray[np.int64]
    lesion_by_bin: NDArray[np.int64]


def dice(found: Mask, drawn: Mask) -> float:
    """Twice the overlap over the sum; NaN where both are empty."""
    total = int(found.sum()) + int(drawn.sum())
    return float(2 * int((found & drawn).sum()) / total) if total else float("nan")


def judge_volume(fold: int, run: Path, volume: Path) -> Judged:
    """Segment a volume with a fold's network, and hold it against the mask that was drawn."""
    study = read_study(volume / "ct.nii.gz")
    prediction = cm.load(run, intensity="hu", backend="torch").predict(study, probability=True)
    drawn = np.asanyarray(nibabel.load(volume / "infection.nii.gz").dataobj) > 0
    found = prediction.mask > 0
    measured = prediction.measure()
    reference = measure_study(
        study,
        drawn.astype(np.uint8),
        prediction.lungs,
        classes={1: "lesion"},
        ground_glass_below=GROUND_GLASS_BELOW_HU,
        floor_ml=FLOOR_ML,
        floor_percent=FLOOR_PERCENT,
    )
    # a lung that the scan cuts has no share of its own; what the scan shows of both can be compared all the same
    shares = [number(each.in_field.infected_percent) for each in (measured, reference)]
    grades = [ct_grade(share, floor_percent=FLOOR_PERCENT) for share in shares]
    lesion = drawn.any(axis=(0, 1))
    of_slices = [dice(found[:, :, k], drawn[:, :, k]) for k in np.flatnonzero(lesion)]
    # outside of lungs and lesions all is certain, and would hide what is not
    judged = (prediction.lungs.labels > 0) | drawn | found
    probability, truth = prediction.probability[judged], drawn[judged]
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    voxels = np.bincount(bins, minlength=BINS)
    means = np.bincount(bins, weights=probability, minlength=BINS) / np.maximum(voxels, 1)
    hits = np.bincount(bins, weights=truth, minlength=BINS).astype(np.int64)
    scores = VolumeScores(
        fold=fold,
        volume=volume.name,
        slices=drawn.shape[2],
        dice_lesion_slices=dice(found[:, :, lesion], drawn[:, :, lesion]),
        dice_all_slices=dice(found, drawn),
        dice_mean_of_slices=float(np.mean(of_slices)),
        false_pixels_a_clean_slice=float(found[:, :, ~lesion].sum() / max(1, int((~lesion).sum()))),
        lesion_voxels=int(found.sum()),
        drawn_lesion_voxels=int(drawn.sum()),
        infected_percent=shares[0],
        drawn_infected_percent=shares[1],
        grade=grades[0],
        drawn_grade=grades[1],
        zone_scores=zone_scores(measured),
        drawn_zone_scores=zone_scores(reference),
        expected_calibration_error=float(np.abs(means - hits / np.maximum(voxels, 1)) @ voxels / voxels.sum()),
    )
    by_threshold = tuple(dice(prediction.probability > threshold, drawn) for threshold in THRESHOLDS)
    return Judged(scores, by_threshold, means, voxels, hits)


def number(value: float | Unknown) -> float:
    """A value, NaN where it cannot be told."""
    return float("nan") if isinstance(value, Unknown) else float(value)


def zone_scores(measurements: Measurements) -> str:
    """The six scores from the right upper zone to the left lower one, such as ``z012112``; ``?`` is unknown."""
    found = measurements.severity.zone_scores
    scores = [found[side][level] for side in SIDES for level in LEVELS]
    # the letter keeps spreadsheets from dropping leading zeros
    return "z" + "".join("?" if isinstance(score, Unknown) else str(int(score)) for score in scores)


def of_mean(values: Sequence[float]) -> str:
    """The mean with its 95 % interval by Student's t, which takes the patients as a sample of normal spread."""
    mean, half = float(np.mean(values)), float("nan")
    if len(values) > 1:
        half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def together(scores: Sequence[VolumeScores]) -> str:
    """What the volumes say together: means, agreement of the infected share, of grades and of zone scores."""
    differences = np.array([each.infected_percent - each.drawn_infected_percent for each in scores])
    limits = 1.96 * differences.std(ddof=1) if len(scores) > 1 else float("nan")
    zones = [
        (int(a), int(b))
        for each in scores
        for a, b in zip(each.zone_scores[1:], each.drawn_zone_scores[1:], strict=True)
        if "?" not in (a, b)
    ]
    found, drawn = zip(*zones, strict=True)
    same = sum(each.grade == each.drawn_grade for each in scores)
    return "\n".join(
        [
            f"Dice of lesion slices {of_mean([each.dice_lesion_slices for each in scores])}",
            f"Dice of whole volumes {of_mean([each.dice_all_slices for each in scores])}",
            f"infected share, percentage points: bias {differences.mean():.2f}, "
            f"limits of agreement {differences.mean() - limits:.2f} to {differences.mean() + limits:.2f}",
            f"grades: {same} of {len(scores)} the same",
            f"zone scores: {sum(a == b for a, b in zones)} of {len(zones)} the same, "
            f"quadratic weighted kappa {cohen_kappa_score(found, drawn, weights='quadratic', labels=range(5)):.3f}",
        ]
    )


def main(runs: Path, split: Path, data: Path, volumes: Path) -> None:
    """Judge every fold's volume, and write the tables."""
    patients = {case.case: case.patient for case in read_dataset(data).cases if case.source == "coronacases"}
    judged = []
    for index, fold in enumerate(read_split(split).folds):
        for volume in sorted({str(patients[case]) for case in fold.test if case in patients}):
            judged.append(judge_volume(index, runs / f"fold_{index}", volumes / volume))
            print(*astuple(judged[-1].scores), flush=True)
    judged.sort(key=lambda each: each.scores.volume)
    names = [each.scores.volume for each in judged]
    write("volumes.csv", [field.name for field in fields(VolumeScores)], [astuple(each.scores) for each in judged])
    curves = list(zip(THRESHOLDS, *(each.dice_by_threshold for each in judged), strict=True))
    write("thresholds.csv", ["threshold", *names], curves)
    bins = [
        [
            each.scores.volume,
            k,
            float(each.probability_by_bin[k]),
            int(each.voxels_by_bin[k]),
            int(each.lesion_by_bin[k]),
        ]
        for each in judged
        for k in range(BINS)
    ]
    write("calibration.csv", ["volume", "bin", "mean_probability", "voxels", "lesion_voxels"], bins)
    print(together([each.scores for each in judged]))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
