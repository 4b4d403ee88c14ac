"""Collects masks case by case and keeps their counts."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.scoring.checks import check_label_maps, check_probability, check_spacing
from covid_monai.scoring.overlap import (
    COUNTS,
    OVERLAP_MEASURES,
    confusion_matrix,
    empty_kind,
    overlap_counts,
    overlap_measures,
)
from covid_monai.scoring.summary import ANY_LESION, Summary, summarise
from covid_monai.scoring.surface import hausdorff95, surface_dice
from covid_monai.scoring.thresholds import NamedCurve, image_curve
from covid_monai.scoring.volumes import SPACING_UNKNOWN, Stack, StackedSlice, stack, stacked_slice
from covid_monai.scoring.write import write_summary


class Scorer:
    """Scores predicted label maps against reference label maps.

    Only counts and measures are kept, not masks, apart from the slices of a volume with real spacing: these
    wait, compressed, for its 3-D surface.

    Args:
        class_names: the class table; index 0 is the background, 1..n are the lesion classes. With n > 1 the
            union of the lesion classes is scored too, as ``"any lesion"``.
        tolerance_mm: tolerance of the surface Dice.
        seed: seed of the bootstrap.
        unspecified_lesions: whether a reference may have one label more than there are classes, for lesions of a kind
            that nobody wrote down. Where a reference has it, all lesions are scored as one, and no single kinds.

    Raises:
        InputError: fewer than one lesion class, more than 255, or a name that is not unique.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        tolerance_mm: float = 2.0,
        seed: int = 0,
        *,
        unspecified_lesions: bool = False,
    ) -> None:
        self.class_names = tuple(class_names)
        self.tolerance_mm = tolerance_mm
        self.seed = seed
        lesions = self.class_names[1:]
        if not 1 <= len(lesions) <= 255 or len({*self.class_names, ANY_LESION}) <= len(self.class_names):
            raise InputError(
                f"class names are {', '.join(map(repr, class_names)) or 'none'}; give the background, then "
                f"1 to 255 lesion classes, each name once and none {ANY_LESION!r}"
            )
        self._targets: dict[str, tuple[int, ...]] = {name: (label,) for label, name in enumerate(lesions, start=1)}
        if len(lesions) > 1:
            # a class beyond the names is a lesion too
            self._targets[ANY_LESION] = tuple(range(1, len(self.class_names) + unspecified_lesions))
        self._unspecified_lesions = unspecified_lesions
        self._kinds_known = True
        self._rows: list[dict[str, Any]] = []
        self._cases: set[str] = set()
        self._curves: list[NamedCurve] = []
        self._waiting: dict[str, list[StackedSlice]] = {}
        self._whole: dict[str, dict[str, dict[str, Any]]] = {}
        self._patient_of: dict[str, str] = {}
        self._source_of: dict[str, str] = {}

    def add(
        self,
        *,
        case: str,
        prediction: NDArray[Any],
        reference: NDArray[Any],
        spacing: tuple[float, float, float] | None,
        patient: str = "",
        volume: str = "",
        source: str = "",
        slice: int = -1,
        position_mm: float | None = None,
        probability: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        """Score one case.

        Args:
            case: its name, once per scorer.
            prediction: label map (x, y, 1) of a slice or (x, y, z) of a whole volume; any integer dtype.
            reference: label map of the same shape.
            spacing: voxel size in mm along x, y, z; None where it is not real, so that nothing is in mm.
            patient: "" where unknown.
            volume: the volume that a slice was cut from, "" if none; a whole volume without a name takes the
                case's.
            source: the collection that the case is of, within which units are resampled; "" where unknown.
            slice: a slice's index in its volume, -1 where unknown; a whole volume numbers its own.
            position_mm: a slice's position along z; where a volume's slices all have one, their steps are its
                slice spacing, otherwise ``spacing[2]`` is.
            probability: lesion probability 0..1 of the same shape, for the threshold curve.

        Raises:
            InputError: arrays that cannot be scored, a name given twice, or one volume with two patients.
                Nothing of the case is kept then.
        """
        prediction, reference = np.asarray(prediction), np.asarray(reference)
        classes = len(self.class_names)
        check_label_maps(case, prediction, reference, classes, unspecified_lesions=self._unspecified_lesions)
        check_spacing(case, spacing, position_mm)
        if probability is not None:
            probability = np.asarray(probability)
            check_probability(case, probability, prediction.shape)
        whole = prediction.shape[2] > 1
        volume = volume or (case if whole else "")
        self._check_names(case, patient, volume, -1 if whole else slice, whole)
        self._cases.add(case)
        if volume:
            self._patient_of[volume] = patient
            self._source_of.setdefault(volume, source)
        self._kinds_known &= not (reference == classes).any()
        names = {"case": case, "patient": patient, "volume": volume, "source": source}
        for k in range(prediction.shape[2]):
            index = k if whole else slice
            self._add_slice({**names, "slice": index}, prediction[:, :, k], reference[:, :, k], spacing)
            if probability is not None:
                clipped = np.clip(probability[:, :, k].astype(np.float64), 0, 1)
                curve = image_curve(clipped, reference[:, :, k] > 0)
                self._curves.append(NamedCurve(case, patient, volume, source, curve))
        if whole:
            self._whole[volume] = self._surfaces(prediction, reference, spacing)
        elif volume:
            kept = stacked_slice(slice, prediction[:, :, 0], reference[:, :, 0], spacing, position_mm)
            self._waiting.setdefault(volume, []).append(kept)

    @property
    def mask_bytes(self) -> int:
        """How many bytes of compressed masks wait for the rest of their volumes."""
        return sum(len(kept.prediction) + len(kept.reference) for slices in self._waiting.values() for kept in slices)

    def summary(self) -> Summary:
        """The measures of everything added so far.

        Raises:
            InputError: nothing was added.
        """
        if not self._rows:
            raise InputError("no case was scored; give at least one prediction with its reference")
        scored = tuple(self._targets) if self._kinds_known else (ANY_LESION,)
        rows = pd.DataFrame([*self._rows, *self._volume_rows()])
        rows = rows[rows["class"].isin(scored)].reset_index(drop=True)
        return summarise(rows, scored, self._curves, self.tolerance_mm, self.seed)

    def write(self, folder: str | os.PathLike[str]) -> Summary:
        """Write scores.csv, scores.json, scores.md, and where there were probabilities the two on thresholds.

        Raises:
            InputError: nothing was added, or the folder cannot be written.
        """
        summary = self.summary()
        write_summary(summary, folder)
        return summary

    def _check_names(self, case: str, patient: str, volume: str, index: int, whole: bool) -> None:
        if case in self._cases:
            raise InputError(f"case {case} was given twice; each case is scored once, rename or remove one")
        if not volume:
            return
        if volume in self._whole or (whole and volume in self._waiting):
            raise InputError(
                f"case {case}: volume {volume} was given before; give its slices or the whole volume, once"
            )
        if self._patient_of.get(volume, patient) != patient:
            raise InputError(
                f"case {case}: volume {volume} has patients {self._patient_of[volume]!r} and {patient!r}; "
                "a volume shows one patient, correct one of them"
            )
        if index >= 0 and any(index == kept.index for kept in self._waiting.get(volume, [])):
            raise InputError(f"case {case}: slice {index} of volume {volume} was given twice; remove one")

    def _add_slice(
        self,
        names: dict[str, Any],
        prediction: NDArray[Any],
        reference: NDArray[Any],
        spacing: tuple[float, float, float] | None,
    ) -> None:
        confusion = confusion_matrix(prediction, reference, len(self.class_names) + self._unspecified_lesions)
        in_plane = None if spacing is None else spacing[:2]
        surfaces = self._surfaces(prediction, reference, in_plane)
        for name, labels in self._targets.items():
            counts = overlap_counts(confusion, labels)
            self._rows.append(_row("slice", names, name, counts, surfaces[name]))

    def _surfaces(
        self, prediction: NDArray[Any], reference: NDArray[Any], spacing: Sequence[float] | None
    ) -> dict[str, dict[str, Any]]:
        """HD95 and surface Dice of each class, or why there are none."""
        if spacing is None:
            return self._no_surfaces(SPACING_UNKNOWN)
        measures: dict[str, dict[str, Any]] = {}
        for name, labels in self._targets.items():
            masks = np.isin(prediction, labels), np.isin(reference, labels)
            measures[name] = {
                "hd95_mm": hausdorff95(*masks, spacing),
                "surface_dice": surface_dice(*masks, spacing, self.tolerance_mm),
                "no_surface": "",
            }
        return measures

    def _no_surfaces(self, reason: str) -> dict[str, dict[str, Any]]:
        return {name: {"hd95_mm": np.nan, "surface_dice": np.nan, "no_surface": reason} for name in self._targets}

    def _volume_rows(self) -> list[dict[str, Any]]:
        counts: dict[tuple[str, str], NDArray[np.int64]] = {}
        for row in self._rows:
            if row["volume"]:
                key = row["volume"], row["class"]
                counts[key] = counts.get(key, np.zeros(4, np.int64)) + np.array([row[name] for name in COUNTS])
        surfaces = {volume: self._volume_surface(volume) for volume in self._patient_of}
        rows = []
        for (volume, name), summed in counts.items():
            names = {
                "case": "",
                "patient": self._patient_of[volume],
                "volume": volume,
                "source": self._source_of[volume],
                "slice": -1,
            }
            rows.append(_row("volume", names, name, summed, surfaces[volume][name]))
        return rows

    def _volume_surface(self, volume: str) -> dict[str, dict[str, Any]]:
        if volume in self._whole:
            return self._whole[volume]
        stacked = stack(self._waiting[volume])
        if isinstance(stacked, Stack):
            return self._surfaces(stacked.prediction, stacked.reference, stacked.spacing)
        return self._no_surfaces(stacked)


def _row(
    level: str, names: dict[str, Any], lesion_class: str, counts: NDArray[np.int64], surface: dict[str, Any]
) -> dict[str, Any]:
    tp, fp, fn, _ = counts
    return {
        "level": level,
        **names,
        "class": lesion_class,
        **dict(zip(COUNTS, map(int, counts), strict=True)),
        **dict(zip(OVERLAP_MEASURES, map(float, overlap_measures(counts)), strict=True)),
        **surface,
        "empty": empty_kind(tp + fp == 0, tp + fn == 0),
    }
