"""The cases of an evaluation, ranked by Dice, with their pictures."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.data.manifest import Dataset, window_of
from covid_monai.errors import InputError
from covid_monai.report.overlays import OverlayCase
from covid_monai.report.volumes import read_image, read_mask
from covid_monai.scoring.overlap import confusion_matrix, overlap_counts, overlap_measures

_COLUMNS = ["level", "case", "class", "fp", "fn", "dice", "empty"]


def ranked_cases(evaluation: str | os.PathLike[str], lesion_class: str) -> pd.DataFrame:
    """The slices of ``scores.csv``, worst first; of equal Dice, the one with more wrong pixels first.

    Args:
        evaluation: a folder that ``covid-monai evaluate`` wrote.
        lesion_class: whose Dice ranks them.

    Raises:
        InputError: there is no readable scores.csv, or it has no such rows.
    """
    path = Path(evaluation) / "scores.csv"
    try:
        rows = pd.read_csv(path, usecols=_COLUMNS, dtype={"case": str}, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); run `covid-monai evaluate` again") from error
    rows = rows[(rows["level"] == "slice") & (rows["class"] == lesion_class)].copy()
    if rows.empty:
        raise InputError(f"{path} has no slice of class {lesion_class!r}; run `covid-monai evaluate` again")
    rows["wrong"] = rows["fp"] + rows["fn"]
    return rows.sort_values(["dice", "wrong", "case"], ascending=[True, False, True], ignore_index=True)


def worst_and_best(ranked: pd.DataFrame, count: int) -> tuple[list[str], list[str]]:
    """Names of up to ``count`` worst cases, worst first, and of up to as many best, best first; none in both.

    A case without lesion in prediction and reference has Dice 1 and shows nothing, so it is no best one.
    """
    worst = ranked["case"].head(min(count, -(-len(ranked) // 2))).tolist()
    seen = ranked[(ranked["empty"] != "both_empty") & ~ranked["case"].isin(worst)]
    return worst, seen["case"].tail(count).tolist()[::-1]


def load_case(
    name: str,
    dataset: Dataset,
    evaluation: str | os.PathLike[str],
    class_of_label: dict[int, int],
    dice: float,
) -> OverlayCase:
    """Read the image, reference and predicted mask of a case.

    Args:
        name: of the case in ``dataset``.
        dataset: the data set that was evaluated.
        evaluation: the evaluation's folder, with ``masks/``.
        class_of_label: the network's class of each label of the data set; other labels are background.
        dice: what the evaluation found for all lesion classes as one.

    Raises:
        InputError: the data set lacks the case, a file cannot be used, or the masks' Dice is not ``dice``.
    """
    found = [case for case in dataset.cases if case.case == name]
    if not found:
        raise InputError(
            f"case {name} was evaluated but is not in {dataset.folder}; give the evaluated data set by `data`"
        )
    image = read_image(dataset.folder / found[0].image)
    labels = read_mask(dataset.folder / found[0].label).values
    prediction = read_mask(Path(evaluation) / "masks" / f"{name}.nii.gz").values
    if not image.values.shape == labels.shape == prediction.shape or labels.shape[2] != 1:
        raise InputError(
            f"case {name} has an image of {image.values.shape}, a label of {labels.shape} and a predicted mask "
            f"of {prediction.shape} pixels; the data changed, so run `covid-monai evaluate` again"
        )
    reference = _classes(labels, class_of_label)
    drawn = _dice(prediction, reference)
    if abs(drawn - dice) > 1e-6:
        raise InputError(
            f"case {name} was scored with Dice {dice:.4f}, but its mask has {drawn:.4f} against the label in "
            f"{dataset.folder}; the data changed, so run `covid-monai evaluate` again"
        )
    slice_of = (slice(None), slice(None), 0)
    return OverlayCase(
        name,
        image.values[slice_of],
        prediction[slice_of],
        reference[slice_of],
        image.spacing[:2],
        dice,
        window_of(found[0]) or image.window,
    )


def _classes(labels: NDArray[Any], class_of_label: dict[int, int]) -> NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    for label, value in class_of_label.items():
        table[label] = value
    return table[labels]


def _dice(prediction: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    confusion = confusion_matrix(prediction > 0, reference > 0, 2)
    return float(overlap_measures(overlap_counts(confusion, (1,)))[0])
