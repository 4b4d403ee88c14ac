"""Zenodo record 3757476, "COVID-19 CT Lung and Infection Segmentation Dataset": 20 volumes on two scales."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from covid_monai.data.sources import SourceSlice
from covid_monai.data.sources.archive import unpacked
from covid_monai.data.sources.folders import find_pairs
from covid_monai.data.sources.nifti import NiftiSlices, Pair
from covid_monai.data.sources.radiopaedia import patient_of
from covid_monai.errors import InputError
from covid_monai.transforms.intensity import SOURCE_WINDOWS

IMAGES = "COVID-19-CT-Seg_20cases"
MASKS = {"Infection_Mask": {1: 4}, "Lung_and_Infection_Mask": {1: 0, 2: 0, 3: 4}}
"""Mask folders in the order in which they are looked for, and their labels; 1 and 2 of the second are the lungs."""

WINDOW = SOURCE_WINDOWS["zenodo_3757476"]
"""HU of grey values 0 and 255 of the radiopaedia volumes, as the authors of the set made them."""


class ZenodoVolumes:
    """Reads the record's folders or zip archives; a :class:`covid_monai.data.sources.Source`.

    The ``coronacases`` volumes are in HU. The ``radiopaedia`` volumes are 8-bit: the window [-1250, 250] HU mapped
    to 0..255; they are mapped back by it, and what lay outside is lost. The kind of lesion is not told.

    Args:
        folder: holds the images and one of the mask folders, unpacked or as zip archives.
        lesion_slices_only: leave out slices without lesion.
        flip_radiopaedia: turn the radiopaedia volumes front to back. Their arrays run from front to back where
            those of the coronacases run from back to front, and their headers do not say so.

    Raises:
        InputError: something is missing or broken, or images and masks do not match.
    """

    name = "zenodo_3757476"
    licence = "CC BY 4.0 (record); its Radiopaedia and Coronacases volumes: CC BY-NC-SA"

    def __init__(self, folder: Path, lesion_slices_only: bool = False, flip_radiopaedia: bool = True) -> None:
        images = unpacked(folder, IMAGES)
        found = ((unpacked(folder, name), label_map) for name, label_map in MASKS.items())
        masks, label_map = next(((path, labels) for path, labels in found if path), (None, {}))
        if images is None or masks is None:
            raise InputError(
                f"{folder} lacks {IMAGES} or {', '.join(MASKS)} (folders or .zip): "
                "`covid-monai data download zenodo` fetches them"
            )
        self.label_map: dict[int, int] = dict(label_map)
        pairs = find_pairs(images, masks)
        self._flip_radiopaedia = flip_radiopaedia
        self._hu = self._volumes([pair for pair in pairs if not patient_of(pair.name)], lesion_slices_only, "auto")
        self._grey = self._volumes([pair for pair in pairs if patient_of(pair.name)], lesion_slices_only, "window")
        turned = "turned front to back" if flip_radiopaedia else "taken as their headers say"
        self.notes = [
            f"radiopaedia volumes: 8-bit, mapped by the window [{WINDOW[0]:g}, {WINDOW[1]:g}] HU and {turned}",
            "nine of the radiopaedia volumes are in radiopaedia_part2 too: do not train on one and test on the other",
        ]

    @property
    def inputs(self) -> list[Path]:
        """Images and masks."""
        return [*self._hu.inputs, *self._grey.inputs]

    @property
    def count(self) -> int | None:
        """Number of slices; None where slices without lesion are left out."""
        parts = [self._hu.count, self._grey.count]
        return None if None in parts else sum(part or 0 for part in parts)

    def __iter__(self) -> Iterator[SourceSlice]:
        """Read one volume after the other: those in HU, then the 8-bit ones."""
        for item in self._hu:
            if item.intensity != "hu":
                raise InputError(f"{item.volume} is 8-bit; only the radiopaedia volumes of this record are")
            yield item
        for item in self._grey:
            if self._flip_radiopaedia:
                yield replace(item, image=item.image[:, ::-1], label=item.label[:, ::-1])
            else:
                yield item

    def _volumes(self, pairs: list[Pair], lesion_slices_only: bool, intensity: str) -> NiftiSlices:
        return NiftiSlices(
            pairs,
            self.label_map,
            self.name,
            self.licence,
            patients={pair.name: patient_of(pair.name) or pair.name for pair in pairs},
            lesion_slices_only=lesion_slices_only,
            intensity=intensity,
            window=WINDOW,
        )
