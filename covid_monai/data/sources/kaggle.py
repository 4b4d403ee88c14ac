"""Kaggle "covid-segmentation": parts 1 and 2 as NumPy arrays, with one-hot masks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from covid_monai.data.sources import SourceSlice, lone_slice
from covid_monai.data.sources.labels import count_labels, map_labels
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.transforms.intensity import to_hu

PARTS = ("medseg", "radiopedia")
"""What the files are named after, spelled as they are."""


@dataclass(frozen=True)
class Published:
    """An array as it was published: slices, rows and columns, and the file's SHA-256."""

    shape: tuple[int, int, int]
    sha256: str


PUBLISHED = {
    "images_medseg.npy": Published((100, 512, 512), "3c3159cbc6015b69ed43f34551c16ce03ee363f9fa88a84b2881d851024f3337"),
    "masks_medseg.npy": Published((100, 512, 512), "517aa4c81400152d7b9ea7375a8603ff3544be2dd9281d069dd8fab7c674fb9d"),
    "images_radiopedia.npy": Published(
        (829, 512, 512), "b50efd4c267bc8b432ad28049af3ad2653a19776fe434f0e4422394a1d76b1b8"
    ),
    "masks_radiopedia.npy": Published(
        (829, 512, 512), "9ebf4817db25b7058d3b4fa1ed38d27da4bd1bcc3086dd81201477e9c4b9072b"
    ),
}

# rows and columns of all slices by which the scale of an array is judged
_JUDGED_EVERY = 4

CLASSES = {0: 1, 1: 2, 2: 0, 3: 0}
"""Channel of a mask to our label: ground-glass, consolidation; "other" (healthy lung) and background are background."""


class KaggleArrays:
    """Reads ``images_<part>.npy`` and ``masks_<part>.npy``; a :class:`covid_monai.data.sources.Source`.

    The arrays are mapped into memory, never read whole, and never unpickled. Patients and volumes are not known:
    the 829 slices of part 2 lie one after the other without a mark where a volume ends.

    Args:
        folder: holds the files of one part or of both.
        transpose: rows of a slice are the patient's x axis.
        flip_rows: posterior is at the top (after ``transpose``).

    Raises:
        InputError: a file is missing, is no such array, or is of the published size with another checksum; or
            images and masks differ.
    """

    name = "kaggle_covid_segmentation"
    licence = "those of its sources: part 1 CC0, part 2 CC BY-NC-SA"

    def __init__(self, folder: Path, transpose: bool = False, flip_rows: bool = False) -> None:
        self.label_map = dict(CLASSES)
        self._transpose, self._flip_rows = transpose, flip_rows
        self.notes = ["patients and volumes are not known: neighbouring slices can be of one person"]
        parts = [
            part for part in PARTS if any((folder / f"{kind}_{part}.npy").exists() for kind in ("images", "masks"))
        ]
        if not parts:
            raise InputError(f"{folder} has no images_medseg.npy or images_radiopedia.npy: give the unpacked download")
        self._arrays = [self._open_part(folder, part) for part in parts]
        self.inputs = [folder / f"{kind}_{part}.npy" for part in parts for kind in ("images", "masks")]
        self.count = sum(len(images) for _, images, _ in self._arrays)

    def __iter__(self) -> Iterator[SourceSlice]:
        """Read one slice after the other."""
        for path, images, masks in self._arrays:
            # the whole array has one scale, while a single slice may show no air
            to_hu(images[:, ::_JUDGED_EVERY, ::_JUDGED_EVERY], "checked", str(path))
            for index in range(len(images)):
                yield self._read(path, images[index], masks[index], index)

    def _read(self, path: Path, stored: npt.NDArray, mask: npt.NDArray, index: int) -> SourceSlice:
        where = f"slice {index} of {path}"
        if not np.all(np.isfinite(stored)):
            raise InputError(f"{where} holds NaN or infinity: download it again")
        values, kind = to_hu(stored, "hu", where)
        classes = _class_of(mask, where.replace("images_", "masks_"))
        label = map_labels(classes, self.label_map, where)
        case = f"{path.stem.removeprefix('images_')}_{index:03d}"
        return lone_slice(case, self._turn(values), self._turn(label), count_labels(label), index, kind)

    def _turn(self, picture: npt.NDArray) -> npt.NDArray:
        """From rows and columns as stored to (x, y, 1)."""
        displayed = picture.T if self._transpose else picture
        return (displayed[::-1] if self._flip_rows else displayed).T[..., None]

    def _open_part(self, folder: Path, part: str) -> tuple[Path, npt.NDArray, npt.NDArray]:
        paths = [folder / f"{kind}_{part}.npy" for kind in ("images", "masks")]
        images, masks = (_open(path) for path in paths)
        if images.ndim == 4 and images.shape[3] == 1:
            images = images[..., 0]
        if images.ndim != 3 or 0 in images.shape:
            raise InputError(f"{paths[0]} has shape {images.shape}, expected (slices, rows, columns, 1)")
        if masks.shape != (*images.shape, len(CLASSES)):
            raise InputError(f"{paths[1]} has shape {masks.shape}, expected {(*images.shape, len(CLASSES))}")
        for path in paths:
            self._compare(path, images.shape)
        return paths[0], images, masks

    def _compare(self, path: Path, shape: tuple[int, ...]) -> None:
        published = PUBLISHED[path.name]
        if shape != published.shape:
            self.notes.append(
                f"{path.name} is not of the published size {published.shape}: its checksum is not compared"
            )
        elif sha256_of(path) != published.sha256:
            raise InputError(f"{path} is damaged or changed: its SHA-256 is not {published.sha256}; download it again")


def _open(path: Path) -> npt.NDArray:
    if not path.is_file():
        raise InputError(f"{path} does not exist: images and masks are needed both")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise InputError(f"{path} is no readable array of numbers ({' '.join(str(error).split())[:150]})") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise InputError(f"{path} is no array of real numbers: expected a .npy file of them")
    return array


def _class_of(mask: npt.NDArray, where: str) -> npt.NDArray[np.uint8]:
    """The class of each pixel of a one-hot mask (rows, columns, classes); background where there is none."""
    if not np.all((mask == 0) | (mask == 1)):
        raise InputError(f"{where} is not one-hot: it holds values other than 0 and 1")
    classes = np.count_nonzero(mask, axis=2)
    if classes.max() > 1:
        raise InputError(f"{where} is not one-hot: {np.count_nonzero(classes > 1)} pixels have several classes")
    return np.where(classes == 1, np.argmax(mask, axis=2), len(CLASSES) - 1).astype(np.uint8)
