"""Turned and scaled copies of a data set's slices, each a case of its own."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from covid_monai.data.drawing import refuse_unknown_cases
from covid_monai.data.manifest import Canvas, Case, Dataset, files_of, read_dataset, write_dataset
from covid_monai.data.sources import SourceSlice
from covid_monai.data.sources.labels import count_labels
from covid_monai.data.writer import carry_case, staged, write_cases
from covid_monai.errors import InputError
from covid_monai.files import protecting
from covid_monai.transforms.intensity import OUTSIDE_HU
from covid_monai.transforms.nifti import read_nifti


def augmented_copies(
    cases: Sequence[Mapping[str, Any]], quarter_turns: Sequence[int], scalings: Sequence[float]
) -> list[dict[str, Any]]:
    """Every case as it is, and once for each turn and each scaling.

    Chen et al. 2020 turn every slice by 90, 180 and 270 degrees and scale it by 0.5 and 1.5: 600 slices of 100.

    Args:
        cases: a datalist, as :func:`covid_monai.data.datalist` makes it; only ever that of a training subset, or the
            copies leak into what is scored.
        quarter_turns: turns by 90 degrees, 1 to 3.
        scalings: factors over 0 about the slice's centre; the canvas stays.

    Returns:
        The cases with ``quarter_turns`` and ``scaling``, which :class:`covid_monai.transforms.AugmentedCopyd`
        reads; a copy's ``case`` says what it is, such as ``p1_s4 turned 90`` or ``p1_s4 scaled 0.5``.

    Raises:
        InputError: a turn or scaling is impossible.
    """
    if any(turns not in (1, 2, 3) for turns in quarter_turns):
        raise InputError(f"quarter turns are {list(quarter_turns)}; each can be 1, 2 or 3 (times 90 degrees)")
    if any(not scaling > 0 for scaling in scalings):
        raise InputError(f"scalings are {list(scalings)}; each must be over 0, such as 0.5 or 1.5")
    copies = []
    for case in cases:
        name = case["case"]
        copies.append({**case, "quarter_turns": 0, "scaling": 1.0})
        copies += [
            {**case, "case": f"{name} turned {90 * turns}", "quarter_turns": turns, "scaling": 1.0}
            for turns in quarter_turns
        ]
        copies += [
            {**case, "case": f"{name} scaled {scaling:g}", "quarter_turns": 0, "scaling": float(scaling)}
            for scaling in scalings
        ]
    return copies


# less leaves nothing of a slice, more shows a few of its pixels and takes gigabytes on the way
_SCALINGS = (0.1, 10)


def write_copies(
    data: Path,
    output: Path,
    quarter_turns: Sequence[int],
    scalings: Sequence[float],
    overwrite: bool = False,
    progress: bool = False,
) -> Dataset:
    """Write a data set of the cases of ``data`` and their turned and scaled copies.

    A copy has the source, patient, volume, group and part of its original, so that a grouped split keeps the two
    together; it is no slice of the volume, so its slice index is not known. What comes in from outside the slice is
    -1024 HU and background.

    Args:
        data: a prepared folder, of each of whose cases the patient, volume or group is known.
        output: where to; new or empty, unless ``overwrite`` is set.
        quarter_turns: turns by 90 degrees, 1 to 3, each a copy: ``<case>_turned90``.
        scalings: factors from 0.1 to 10 about the slice's centre, each a copy: ``<case>_scaled0.5``.
        overwrite: replace the data set that is there.
        progress: show a progress bar on stderr.

    Raises:
        InputError: the data, a turn, a scaling or the output cannot be used. The output is then as it was before.
    """
    if os.path.realpath(output) == os.path.realpath(data):
        raise InputError(f"the output folder is the data set {data}: give another one")
    dataset = read_dataset(data)
    # a copy looks like nothing else, so nothing could tie it to its original afterwards
    refuse_unknown_cases(dataset, "making copies", "give the patient IDs when you prepare them")
    source = SliceCopies(dataset, quarter_turns, scalings)
    with protecting(*source.inputs), staged(output, overwrite) as staging:
        copies = write_cases(source, staging, progress).cases
        for case in dataset.cases:
            carry_case(case, dataset.folder, staging)
        originals = (case for case, _ in source.copies)
        tied = (
            replace(copy, source=original.source, group=original.group)
            for copy, original in zip(copies, originals, strict=True)
        )
        write_dataset(replace(dataset, folder=staging, name=f"{dataset.name}+copies", cases=(*dataset.cases, *tied)))
    return read_dataset(output)


class SliceCopies:
    """Reads the copies alone; a :class:`covid_monai.data.sources.Source`.

    Args:
        dataset: of what.
        quarter_turns: see :func:`write_copies`.
        scalings: see :func:`write_copies`.

    Raises:
        InputError: there is nothing to make, or a turn or scaling is impossible or there twice.
    """

    def __init__(self, dataset: Dataset, quarter_turns: Sequence[int], scalings: Sequence[float]) -> None:
        if not (quarter_turns or scalings):
            raise InputError("no turn and no scaling given: without one there are no copies")
        low, high = _SCALINGS
        if not all(low <= scaling <= high and scaling != 1 for scaling in scalings):
            raise InputError(f"scalings are {list(scalings)}; each must lie between {low} and {high} and not be 1")
        for wanted in (quarter_turns, scalings):
            if len({*wanted}) < len(wanted):
                raise InputError(f"turns or scalings are {list(wanted)}; give each once")
        self.name, self.licence, self.label_map = dataset.name, dataset.licence, dataset.label_map
        self.folder, self.inputs = dataset.folder, files_of(dataset)
        self.copies: list[tuple[Case, dict[str, Any]]] = [
            (case, copy)
            for case in dataset.cases
            # the first is the case as it is
            for copy in augmented_copies([{"case": case.case}], quarter_turns, scalings)[1:]
        ]
        self.count = len(self.copies)

    def __iter__(self) -> Iterator[SourceSlice]:
        """Make one copy after the other."""
        for case, copy in self.copies:
            yield self._make(case, copy["quarter_turns"], copy["scaling"])

    def _make(self, case: Case, quarter_turns: int, scaling: float) -> SourceSlice:
        stored = read_nifti(self.folder / case.image)
        image = np.asarray(stored.dataobj)
        label = np.asarray(read_nifti(self.folder / case.label).dataobj)
        changed, labels = _copied(image, label, quarter_turns, scaling)
        return SourceSlice(
            case=case.case + (f"_turned{90 * quarter_turns}" if quarter_turns else f"_scaled{scaling:g}"),
            image=changed,
            label=labels,
            affine=_affine(stored.affine, image.shape, changed.shape, quarter_turns, scaling),
            pixels=count_labels(labels),
            patient=case.patient,
            volume=case.volume,
            slice=None,
            part=case.part,
            intensity=case.intensity,
            spacing_known=case.spacing_known,
            canvas=_canvas(case.canvas, image.shape, quarter_turns),
        )


def _copied(
    image: npt.NDArray, label: npt.NDArray, quarter_turns: int, scaling: float
) -> tuple[npt.NDArray, npt.NDArray[np.uint8]]:
    """Image and label (X, Y, 1), changed as training changes them; whole HU stay whole."""
    from covid_monai.transforms.label_resizing import LARGEST_SHARE
    from covid_monai.transforms.slices import AugmentedCopyd

    change = AugmentedCopyd(keys=["image", "label"], mode=["bilinear", LARGEST_SHARE])
    changed = change(
        {
            # the transform brings in zeros
            "image": image[None, :, :, 0].astype(np.float32) - OUTSIDE_HU,
            "label": label[None, :, :, 0].astype(np.float32),
            "quarter_turns": quarter_turns,
            "scaling": scaling,
        }
    )
    values = np.asarray(changed["image"])[0, :, :, None] + OUTSIDE_HU
    if np.issubdtype(image.dtype, np.integer):
        values = np.rint(values)
    return values.astype(image.dtype), np.rint(np.asarray(changed["label"])[0, :, :, None]).astype(np.uint8)


def _affine(
    affine: npt.NDArray[np.float64],
    before: tuple[int, ...],
    after: tuple[int, ...],
    quarter_turns: int,
    scaling: float,
) -> npt.NDArray[np.float64]:
    """The copy's grid: axes and centre as they were, pixels as large as what they show."""
    across, along = np.linalg.norm(affine[:3, :2], axis=0)
    changed_affine = affine.copy()
    if quarter_turns % 2:
        changed_affine[:3, :2] *= along / across, across / along
    changed_affine[:3, :2] /= scaling
    centre, moved = ((np.array([*shape[:2], 1]) - 1) / 2 for shape in (before, after))
    changed_affine[:3, 3] += affine[:3, :3] @ centre - changed_affine[:3, :3] @ moved
    return changed_affine


def _canvas(canvas: Canvas | None, shape: tuple[int, ...], quarter_turns: int) -> Canvas | None:
    """The canvas of a copy: turned with it; a slice that fills its canvas still does."""
    if canvas is None:
        return None
    (width, height), (grid_x, grid_y) = shape[:2], canvas.shape
    x, y = (0, 0) if (width, height) == canvas.shape else canvas.offset
    for _ in range(quarter_turns):
        x, y, width, height, grid_x, grid_y = grid_y - y - height, x, height, width, grid_y, grid_x
    return Canvas((grid_x, grid_y), (x, y))
