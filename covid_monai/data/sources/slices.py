"""Picture slices: a folder of images, a folder of masks, and an index of what is known about each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import Canvas
from covid_monai.data.sources import SourceSlice
from covid_monai.data.sources.labels import count_labels, map_labels
from covid_monai.data.sources.mask_pictures import read_mask
from covid_monai.data.sources.picture_index import Layout, Picture, find_pictures
from covid_monai.data.sources.pictures import read_grey
from covid_monai.errors import InputError
from covid_monai.transforms.intensity import GREY_MODES, OUTSIDE_HU, mode_named, to_hu


class PictureSlices:
    """Reads picture slices; a :class:`covid_monai.data.sources.Source`.

    Args:
        folder: the folder that holds the image folder, the mask folder and the index.
        layout: how it is laid out.
        canvas: paste each slice on a square canvas of this size, filled with air: at its place where the
            index has it, else centred. None keeps the slices as they are.
        spacing: pixel size and slice distance (x, y, z) in mm; None where it is not known (1 mm stands in).
        intensity: a mode of :func:`covid_monai.transforms.intensity.to_hu`.

    Raises:
        InputError: a folder, file or index is missing or broken, or images, masks and index do not match.
    """

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        canvas: int | None = None,
        spacing: tuple[float, float, float] | None = None,
        intensity: str = "auto",
    ) -> None:
        if layout.label_map is None:
            raise InputError("what do the masks' values mean? give `label_map`, such as 255=lesion or 1=1,2=2")
        if mode_named(intensity) not in GREY_MODES:
            raise InputError(f"intensity is {intensity!r}, but 8-bit pictures hold no HU: use {', '.join(GREY_MODES)}")
        self.label_map = dict(layout.label_map)
        self.name, self.licence = layout.source, layout.licence
        self._layout, self._canvas, self._intensity = layout, canvas, intensity
        self._spacing, self._spacing_known = spacing or (1.0, 1.0, 1.0), spacing is not None
        self._pictures = find_pictures(folder, layout)
        self.count = len(self._pictures)
        self.inputs = [path for picture in self._pictures for path in (picture.image, picture.mask)]

    def __iter__(self) -> Iterator[SourceSlice]:
        """Read, turn and map one picture after the other."""
        for picture in self._pictures:
            yield self._read(picture)

    def _read(self, picture: Picture) -> SourceSlice:
        grey, read = read_grey(picture.image), read_mask(picture.mask, self.label_map)
        mask = read.labels
        if grey.shape != mask.shape:
            raise InputError(f"{picture.mask} is {_size(mask)}, its image is {_size(grey)}: they have to be equal")
        labels = map_labels(mask, self.label_map, str(picture.mask), coloured=read.coloured)
        pixels = count_labels(labels)
        self._compare_with_index(picture, mask)
        image, kind = to_hu(grey, self._intensity, str(picture.image))
        image, labels = self._turn(image), self._turn(labels)
        place = self._place(picture, image.shape)
        offset = place.offset if place and not self._canvas else (0, 0)
        if place and self._canvas:
            image, labels = paste(image, place, OUTSIDE_HU), paste(labels, place, 0)
        index = int(picture.row["slice"]) if picture.row.get("slice") else None
        volume = picture.row.get("volume") or None
        return SourceSlice(
            case=self._layout.case_prefix + picture.name,
            image=image[..., None],
            label=labels[..., None],
            affine=self._affine(offset, index if volume and index else 0),
            pixels=pixels,
            patient=picture.row.get("patient") or None,
            volume=volume,
            slice=index,
            part=picture.row.get("part") or None,
            intensity=kind,
            spacing_known=self._spacing_known,
            canvas=place,
        )

    def _compare_with_index(self, picture: Picture, mask: npt.NDArray) -> None:
        measured = {"height": mask.shape[0], "width": mask.shape[1]}
        measured |= {f"pixels {label}": np.count_nonzero(mask == label) for label in self._layout.pixel_columns}
        for column, found in measured.items():
            if picture.row.get(column) and int(picture.row[column]) != found:
                raise InputError(f"{picture.image}: the index says {column} {picture.row[column]}, found are {found}")

    def _turn(self, picture: npt.NDArray) -> npt.NDArray:
        """From rows and columns as stored to (x, y)."""
        displayed = picture.T if self._layout.transpose else picture
        return (displayed[::-1] if self._layout.flip_rows else displayed).T

    def _place(self, picture: Picture, shape: tuple[int, ...]) -> Canvas | None:
        """The canvas and the place on it, in (x, y) after turning; None where there is no canvas."""
        grid = self._layout.grid or self._canvas
        if not grid:
            return None
        if self._canvas not in (None, grid):
            raise InputError(f"`canvas` {self._canvas}: the index gives places on a canvas of {grid}")
        width, height = shape
        x, y = (grid - width) // 2, (grid - height) // 2
        if picture.row.get("x") and picture.row.get("y"):
            x, y = int(picture.row["x"]), int(picture.row["y"])
            x, y = (y, x) if self._layout.transpose else (x, y)
            y = grid - y - height if self._layout.flip_rows else y
        if min(x, y) < 0 or x + width > grid or y + height > grid:
            raise InputError(f"{picture.image} ({width} x {height} at {x}, {y}) does not fit a canvas of {grid}")
        return Canvas((grid, grid), (x, y))

    def _affine(self, offset: tuple[int, int], slice_index: int) -> npt.NDArray[np.float64]:
        x, y, z = self._spacing
        affine = np.diag([-x, -y, z, 1.0])
        # crops of one volume keep their place to each other
        affine[:3, 3] = -x * offset[0], -y * offset[1], z * slice_index
        return affine


def paste(picture: npt.NDArray, place: Canvas, fill: int) -> npt.NDArray:
    """Put a picture (x, y) at its place on its canvas, ``fill`` around it."""
    canvas = np.full(place.shape, fill, picture.dtype)
    (x, y), (width, height) = place.offset, picture.shape
    canvas[x : x + width, y : y + height] = picture
    return canvas


def _size(picture: npt.NDArray) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]} pixels"
