"""Masks in files and folders, matched by name and scored."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from covid_monai.data.patients import warn_of_similar_patients
from covid_monai.data.sources.unread_files import warn_of_unread_files
from covid_monai.errors import InputError, collecting_warnings
from covid_monai.exchange.reading import file_of_segmentation
from covid_monai.progress import progress_bar
from covid_monai.scoring.format import listed
from covid_monai.scoring.grids import AlignedMasks, LabelImage, align
from covid_monai.scoring.label_classes import LabelClasses
from covid_monai.scoring.mask_files import ENDINGS, is_lossy, mask_ending, mask_stem, read_mask_file
from covid_monai.scoring.scorer import Scorer
from covid_monai.scoring.summary import Summary


@dataclass
class Inputs:
    """What was scored against what, for ``scores.json``."""

    predictions: str
    references: str
    labels: dict[str, str]
    missing_as_empty: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    spacing_unknown: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


SPACINGS = ("auto", "known", "unknown")


@dataclass(frozen=True)
class Pairs:
    """Prediction and reference of each case; a missing prediction is None."""

    predictions: Path
    references: Path
    files: dict[str, tuple[Path | None, Path]]
    surplus: list[str]


def match_masks(predictions: Path, references: Path, *, missing_as_empty: bool = False) -> Pairs:
    """Match two mask files, or two folders of them by file name without ending, whatever its case.

    A folder that holds one DICOM-SEG alone stands for it, where the other is a file.
    Predictions that have no reference are listed as surplus; they cannot be scored.

    Raises:
        InputError: a path does not exist or has no masks, two files of a folder have one name, or predictions are
            missing (unless ``missing_as_empty``, and never all of them).
    """
    for path in (predictions, references):
        if not path.exists():
            raise InputError(f"{path} does not exist; give a mask file or a folder of masks ({', '.join(ENDINGS)})")
    if predictions.is_dir() != references.is_dir():
        # the folder of a series that an archive exported, beside a file
        predictions, references = map(file_of_segmentation, (predictions, references))
    if predictions.is_dir() != references.is_dir():
        raise InputError(f"{predictions} and {references}: give two folders or two files")
    if not references.is_dir():
        return Pairs(predictions, references, {mask_stem(references): (predictions, references)}, [])
    found, expected = _by_name(predictions), _by_name(references)
    missing = [mask_stem(path) for name, path in expected.items() if name not in found]
    if len(missing) == len(expected):
        raise InputError(f"{predictions} has no mask named like one of {references} (such as {missing[0]})")
    if missing and not missing_as_empty:
        raise InputError(
            f"{predictions} lacks the masks of {len(missing)} of {len(expected)} references ({listed(missing)}); "
            "add them, or count them as empty: `missing_as_empty=True`"
        )
    return Pairs(
        predictions,
        references,
        {mask_stem(path): (found.get(name), path) for name, path in expected.items()},
        [mask_stem(path) for name, path in found.items() if name not in expected],
    )


def score_pairs(
    pairs: Pairs,
    classes: LabelClasses,
    *,
    patients: Mapping[str, str] | None = None,
    spacing: str = "auto",
    tolerance_mm: float = 2.0,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    progress: bool = False,
) -> Summary:
    """Score matched masks; each file is a case, a volume file a volume too.

    Args:
        pairs: from :func:`match_masks`.
        classes: which labels are which class, in predictions and references alike.
        patients: patient of each case, whom the bootstrap then draws.
        spacing: whether the headers' spacing is real: "known", "unknown" (no measures in mm), or "auto", which takes
            1 x 1 x 1 mm for a placeholder.
        tolerance_mm: tolerance of the surface Dice.
        orientation: where the axes run in files that do not say; see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: how far in mm a voxel may lie from prediction to reference; None for 0.01.
        progress: show progress on stderr.

    Raises:
        InputError: a mask cannot be read or matched, or a case has no patient.
    """
    check_patients(pairs, patients)
    scorer = Scorer(classes.names, tolerance_mm)
    inputs = Inputs(str(pairs.predictions), str(pairs.references), classes.described(), surplus=pairs.surplus)
    with collecting_warnings() as warnings:
        warn_of_similar_patients((patients or {}).values(), "the patients' list")
    inputs.warnings += warnings
    large: dict[str, list[str]] = {"prediction": [], "reference": []}
    for case, (prediction, reference) in progress_bar(
        pairs.files.items(), description=pairs.predictions.name, unit="mask", total=len(pairs.files), shown=progress
    ):
        with collecting_warnings() as warnings:
            masks = _aligned(prediction, reference, classes, orientation=orientation, grid_tolerance=grid_tolerance)
        inputs.warnings += warnings
        known = masks.spacing if _is_real(masks.spacing, spacing) else None
        for noted, names in (
            (prediction is None, inputs.missing_as_empty),
            (masks.reordered, inputs.reordered),
            (known is None, inputs.spacing_unknown),
        ):
            if noted:
                names.append(case)
        scorer.add(
            case=case,
            prediction=masks.prediction,
            reference=masks.reference,
            spacing=known,
            patient=patients[case] if patients is not None else "",
        )
        for role, mask in (("prediction", masks.prediction), ("reference", masks.reference)):
            if 2 * np.count_nonzero(mask) > mask.size:
                large[role].append(case)
    inputs.warnings += [
        f"more than half of the voxels are lesion in {len(names)} of {len(pairs.files)} {role}s ({listed(names)}); "
        "they are scored as they are; if they are inverted, write 0 for the background"
        for role, names in large.items()
        if names
    ]
    summary = scorer.summary()
    return replace(summary, content={**summary.content, "inputs": asdict(inputs)})


def check_patients(pairs: Pairs, patients: Mapping[str, str] | None) -> None:
    """Every case has a patient, where patients are given.

    Raises:
        InputError: one has none.
    """
    without = [case for case in pairs.files if patients is not None and case not in patients]
    if without:
        raise InputError(
            f"the patients' list lacks {len(without)} cases ({listed(without)}); name every reference file once, "
            "without its ending"
        )


def _aligned(
    prediction: Path | None,
    reference: Path,
    classes: LabelClasses,
    *,
    orientation: str | None,
    grid_tolerance: float | None,
) -> AlignedMasks:
    expected = _in_classes(reference, classes, orientation, grid_tolerance)
    if prediction is None:
        return align(replace(expected, labels=np.zeros_like(expected.labels)), expected)
    found = _in_classes(prediction, classes, orientation, grid_tolerance)
    return align(found, expected, grid_tolerance=grid_tolerance)


def _in_classes(path: Path, classes: LabelClasses, orientation: str | None, grid_tolerance: float | None) -> LabelImage:
    image = read_mask_file(
        path, labels=dict(classes.classes) or None, orientation=orientation, grid_tolerance=grid_tolerance
    )
    return replace(image, labels=classes.apply(image.labels, image.path, coloured=image.coloured), coloured=False)


def _is_real(spacing: tuple[float, float, float] | None, mode: str) -> bool:
    if spacing is None or mode == "unknown":
        return False
    return mode == "known" or not np.allclose(spacing, 1.0)


def _by_name(folder: Path) -> dict[str, Path]:
    """The folder's masks, sorted, by their names in lower case without ending."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    except OSError as error:
        raise InputError(f"cannot read {folder}: {os.strerror(error.errno or 0)}") from error
    found: dict[str, Path] = {}
    for path in paths:
        if not mask_ending(path):
            continue
        name = mask_stem(path).casefold()
        if name in found:
            raise InputError(f"{folder} has {found[name].name} and {path.name}, which are one name; keep one of them")
        found[name] = path
    if not found:
        jpeg = "; JPEG changes a mask's values, export PNG" if any(map(is_lossy, paths)) else ""
        raise InputError(f"{folder} has no masks ({', '.join(ENDINGS)}){jpeg}")
    warn_of_unread_files(folder, found.values(), ENDINGS)
    return found
