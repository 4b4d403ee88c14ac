"""A predicted volume on one picture, with the outline of a reference where there is one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.inference.mask_record import MaskRecord, read_record
from covid_monai.palette import CLASS_COLOURS, GREY, YELLOW
from covid_monai.report.style import fill_mask, new_figure, outline_mask, show_slice
from covid_monai.report.volumes import Volume, read_image, read_mask
from covid_monai.scoring.overlap import OVERLAP_MEASURES, confusion_matrix, overlap_counts, overlap_measures
from covid_monai.transforms.grid import GRID_TOLERANCE, corner_distance, differences

# faint, since what the network took for a lesion has to be seen
_OPACITY = 0.25
_AXIAL_SLICES = 6
_COLUMNS = 3
_PANEL_INCHES = 2.3
_PLANE_INCHES = 4.6


def draw_preview(
    image: str | os.PathLike[str],
    mask: str | os.PathLike[str],
    picture: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    *,
    reference: str | os.PathLike[str] | None = None,
) -> None:
    """Draw a volume with its mask: six axial slices with much lesion, and the coronal slice with most.

    The slices are spread over the lesion, so that neighbours do not show the same; without any lesion they
    are spread over the volume. The patient's right is at the left of every panel, and slices are counted from
    the feet. A file of one slice gives one panel.

    Args:
        image: CT as NIfTI, a volume or a slice.
        mask: its class map (0 background), as ``covid-monai predict`` writes it.
        picture: the PNG to write.
        class_names: the names of the mask's classes, background first; None for those of its record.
        reference: a mask to compare with, whose lesions of all kinds are outlined and count for the choice of slices.

    Raises:
        InputError: a file cannot be used, the grids differ, or the picture cannot be written.
    """
    record = read_record(mask)
    class_names = class_names or (record.class_names if record is not None else None)
    # they were told when the mask was made
    with collecting_warnings():
        volume, labels = _read_both(image, mask, record)
        truth = None if reference is None else _read_both(image, reference, record)[1].values > 0
    if (plane := _plane_of(volume.values.shape)) is not None:
        _draw_plane(image, volume, labels.values, truth, plane, picture, class_names)
        return
    lesion = labels.values > 0
    chosen = slices_with_lesion(lesion if truth is None else lesion | truth, _AXIAL_SLICES)
    columns = min(_COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    extent = np.array(volume.values.shape) * volume.spacing
    whole = volume.values.shape[2] > 1
    heights = [*[_panel_height(extent[1] / extent[0])] * rows, *([_coronal_height(extent, columns)] if whole else [])]
    width, height = columns * _PANEL_INCHES, sum(heights) * _PANEL_INCHES + 0.22 * len(heights) + 0.6
    with new_figure(width, height, picture) as figure:
        figure.suptitle(_title(Path(image).name, labels.values, truth), x=0.01, ha="left", fontsize=9)
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for index, k in enumerate(chosen):
            axes = figure.add_subplot(grid[divmod(index, columns)])
            show_slice(axes, volume.values[:, :, k], volume.spacing[:2], volume.window)
            _paint_classes(axes, labels.values[:, :, k])
            _outline_reference(axes, None if truth is None else truth[:, :, k])
            if whole:
                axes.set_title(f"slice {k + 1} of {volume.values.shape[2]}", loc="left", pad=3, fontsize=8)
            _mark_right(axes)
        if whole:
            _draw_coronal(figure.add_subplot(grid[-1, :]), volume, labels.values, truth, chosen)
        _add_legend(figure, labels.values, truth, class_names)


def _read_both(
    image: str | os.PathLike[str], mask: str | os.PathLike[str], record: MaskRecord | None
) -> tuple[Volume, Volume]:
    """A CT and its mask, read as when the mask was made."""
    grid: dict[str, Any] = {}
    if record is not None:
        grid = {"orientation": record.orientation, "grid_tolerance": record.grid_tolerance}
    volume = read_image(image, intensity=record.intensity if record is not None else None, **grid)
    labels = read_mask(mask, **grid)
    if volume.values.shape != labels.values.shape:
        raise InputError(
            f"{image} is {_size(volume)} and {mask} {_size(labels)} voxels; give a mask on the image's grid"
        )
    apart = corner_distance(volume.affine, labels.affine, volume.values.shape)
    if apart > (grid.get("grid_tolerance") or GRID_TOLERANCE):
        raise InputError(
            f"{mask} lies up to {apart:.3g} mm from {image} ({differences(labels.affine, volume.affine)}); give a mask "
            "on the image's grid"
        )
    return volume, labels


def slices_with_lesion(lesion: NDArray[np.bool_ | np.integer], count: int) -> list[int]:
    """Up to ``count`` axial slices of a mask (X, Y, Z), ascending: those with most lesion, kept apart.

    Without lesion they are spread evenly, away from the ends.
    """
    area = lesion.sum(axis=(0, 1))
    found = np.flatnonzero(area)
    if not len(found):
        inner = np.linspace(0, lesion.shape[2] - 1, min(count, lesion.shape[2]) + 2)[1:-1]
        return sorted({int(k) for k in np.rint(inner)})
    return kept_apart(sorted(found.tolist(), key=lambda k: (-area[k], k)), count)


def kept_apart(ranked: Sequence[int], count: int) -> list[int]:
    """Up to ``count`` of some slices, ascending: the first ones of a ranking that are no neighbours."""
    # two thirds of the distance that an even spread would have leaves room to choose
    apart = max(1, 2 * (max(ranked) - min(ranked)) // (3 * count))
    chosen: list[int] = []
    for k in ranked:
        if len(chosen) < count and all(abs(k - other) >= apart for other in chosen):
            chosen.append(k)
    return sorted(chosen)


def _plane_of(shape: tuple[int, ...]) -> int | None:
    """The axis that a sagittal (0) or coronal (1) slice has one voxel of; None for volumes and axial slices."""
    return next((axis for axis in (0, 1) if shape[axis] == 1 and shape[2] > 1), None)


def _draw_plane(
    image: str | os.PathLike[str],
    volume: Volume,
    labels: NDArray[np.uint8],
    truth: NDArray[np.bool_] | None,
    plane: int,
    picture: str | os.PathLike[str],
    class_names: Sequence[str] | None,
) -> None:
    across = 1 - plane
    extent = np.array(volume.values.shape) * volume.spacing
    height = _panel_height(extent[2] / extent[across])
    with new_figure(_PLANE_INCHES, height * _PLANE_INCHES + 0.8, picture) as figure:
        # its axial slices are rows of pixels, which nobody counts
        turned = None if truth is None else truth.swapaxes(plane, 2)
        figure.suptitle(_title(Path(image).name, labels.swapaxes(plane, 2), turned), x=0.01, ha="left", fontsize=9)
        axes = figure.add_subplot()
        spacing = (volume.spacing[across], volume.spacing[2])
        show_slice(axes, volume.values.take(0, axis=plane), spacing, volume.window, head_on_top=True)
        _paint_classes(axes, np.take(labels, 0, axis=plane))
        _outline_reference(axes, None if truth is None else np.take(truth, [0], axis=plane).squeeze(plane))
        if plane == 1:
            _mark_right(axes)
        _add_legend(figure, labels, truth, class_names)


def _panel_height(ratio: float) -> float:
    """In panel widths; a slice of few pixels in one direction stays within its panel."""
    return float(np.clip(ratio, 0.25, 3))


def _draw_coronal(
    axes: Any, volume: Volume, labels: NDArray[np.uint8], truth: NDArray[np.bool_] | None, chosen: list[int]
) -> None:
    lesion = ((labels > 0) if truth is None else (labels > 0) | truth).sum(axis=(0, 2))
    row = int(lesion.argmax()) if lesion.any() else labels.shape[1] // 2
    show_slice(axes, volume.values[:, row, :], (volume.spacing[0], volume.spacing[2]), volume.window, head_on_top=True)
    _paint_classes(axes, labels[:, row, :])
    _outline_reference(axes, None if truth is None else truth[:, row, :])
    axes.set_title(f"coronal slice {row + 1} of {labels.shape[1]}", loc="left", pad=3, fontsize=8)
    axes.set_anchor("C")
    _mark_right(axes)
    # where the axial slices lie; ticks outside leave the image as it is
    axes.set_yticks(chosen, [str(k + 1) for k in chosen], fontsize=7)
    axes.tick_params(axis="y", length=3, color=GREY, labelright=True, labelleft=False, right=True, left=False)


def _paint_classes(axes: Any, labels: NDArray[np.uint8]) -> None:
    for value in np.unique(labels[labels > 0]):
        fill_mask(axes, labels == value, _colour(value), _OPACITY)
        outline_mask(axes, labels == value, _colour(value))


def _outline_reference(axes: Any, truth: NDArray[np.bool_] | None) -> None:
    if truth is not None:
        outline_mask(axes, truth, YELLOW)


def _mark_right(axes: Any) -> None:
    axes.text(
        0.02,
        0.98,
        "R",
        transform=axes.transAxes,
        va="top",
        fontsize=8,
        color="white",
        bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5},
    )


def _add_legend(
    figure: Figure, labels: NDArray[np.uint8], truth: NDArray[np.bool_] | None, class_names: Sequence[str] | None
) -> None:
    values = np.unique(labels[labels > 0]).tolist()
    if class_names is None:
        class_names = [f"class {value}" for value in range(256)] if values != [1] else ["", "lesion"]
    handles: list[Artist] = [
        Patch(
            facecolor=_colour(value),
            label=class_names[value] if value < len(class_names) else f"class {value}",
        )
        for value in values
    ]
    if truth is not None:
        handles.append(Line2D([], [], color=YELLOW, label="reference"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)


def _title(name: str, labels: NDArray[np.uint8], truth: NDArray[np.bool_] | None) -> str:
    """What stands above: the file, how many slices have lesion, and the Dice of all lesions where it can be told."""
    lesion, slices = labels > 0, labels.shape[2]
    found = int(lesion.any(axis=(0, 1)).sum())
    parts = [] if slices == 1 else [f"lesion predicted in {found} of {slices} slices"]
    if not found:
        parts = ["no lesion predicted"]
    if truth is not None:
        drawn = int(truth.any(axis=(0, 1)).sum())
        parts.append(f"drawn in {drawn} of {slices}" if slices > 1 else "drawn" if drawn else "none drawn")
        if found or drawn:
            counts = overlap_counts(confusion_matrix(lesion, truth, 2), [1])
            parts.append(f"Dice {overlap_measures(counts)[OVERLAP_MEASURES.index('dice')]:.3f}")
    return ": ".join(filter(None, [name, ", ".join(parts)]))


def _coronal_height(extent: NDArray[np.float64], columns: int) -> float:
    """In panel widths; as tall as the picture is wide at most."""
    return float(np.clip(extent[2] / extent[0] * 1.5, 0.25, columns))


def _colour(value: int) -> str:
    return CLASS_COLOURS[(int(value) - 1) % len(CLASS_COLOURS)]


def _size(volume: Volume) -> str:
    return " x ".join(map(str, volume.values.shape))
