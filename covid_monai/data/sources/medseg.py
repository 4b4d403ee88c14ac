"""MedSeg / SIRM "COVID-19 CT segmentation dataset", part 1, as published: one stack of slices in NIfTI files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from covid_monai.data.sources import SourceSlice, lone_slice
from covid_monai.data.sources.labels import count_labels, map_labels
from covid_monai.data.sources.mask_values import read_nifti_mask
from covid_monai.errors import InputError
from covid_monai.transforms.intensity import to_hu
from covid_monai.transforms.nifti import grid_shape, open_nifti, read_nifti

IMAGES, MASKS, UNLABELLED = "tr_im.nii.gz", "tr_mask.nii.gz", "val_im.nii.gz"


class MedsegStack:
    """Reads ``tr_im.nii.gz`` and ``tr_mask.nii.gz``; a :class:`covid_monai.data.sources.Source`.

    Every slice of the stack is a case by itself: its patient is not known and the stack is no volume. The array
    is taken as it is stored, axis 0 from the patient's right to left and axis 1 from front to back; the header
    tells neither the orientation nor the pixel size of slices that came from pictures, so it is not used.

    Args:
        folder: holds the two files.

    Raises:
        InputError: a file is missing or broken, or the two differ in shape.
    """

    name = "medseg_part1"
    licence = "CC0"

    def __init__(self, folder: Path) -> None:
        self._images, self._masks = folder / IMAGES, folder / MASKS
        self.inputs = [self._images, self._masks]
        self.label_map = {1: 1, 2: 2, 3: 3}
        for path in (self._images, self._masks):
            if not path.is_file():
                raise InputError(
                    f"{path} does not exist: give the folder with {IMAGES} and {MASKS}, which "
                    "`covid-monai data download medseg` fetches"
                )
        shape, expected = (grid_shape(open_nifti(path)) for path in (self._masks, self._images))
        if shape != expected:
            raise InputError(f"{self._masks} has shape {shape}, {IMAGES} has {expected}: they have to be equal")
        self.count = shape[2]
        self.notes = ["the patients of the slices are not known: neighbouring slices can be of one person"]
        if (folder / UNLABELLED).is_file():
            self.notes.append(f"{UNLABELLED} has no labels and is not imported")

    def __iter__(self) -> Iterator[SourceSlice]:
        """Read the stack, then yield one slice after the other."""
        image = np.asanyarray(read_nifti(self._images).dataobj)
        # one scale for the stack: a single slice may show no air
        values, kind = to_hu(image, "auto", str(self._images))
        labels = map_labels(read_nifti_mask(self._masks)[0], self.label_map, str(self._masks))
        for index in range(self.count):
            label = labels[:, :, index : index + 1]
            image = values[:, :, index : index + 1]
            yield lone_slice(f"part1_{index:03d}", image, label, count_labels(label), index, kind)
