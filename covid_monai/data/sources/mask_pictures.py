"""Reading masks from pictures: which number of a pixel is its label, a grey value, a colour or a palette's index."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covid_monai.data.sources.mask_values import label_in_words, names_colours, whole_labels
from covid_monai.data.sources.pictures import GREY_MODES, opaque_colours, opened_picture
from covid_monai.errors import InputError

_MOST_GREY = 255
_LISTED = 6


@dataclass(frozen=True)
class MaskPicture:
    """Labels (rows, columns), integers, and whether they are colours 0xRRGGBB."""

    labels: NDArray[np.integer]
    coloured: bool

    @property
    def found(self) -> list[int]:
        """The labels that occur, sorted."""
        return [int(label) for label in np.unique(self.labels)]

    def in_words(self) -> str:
        """The labels that occur, as a label map names them."""
        found = self.found
        words = ", ".join(label_in_words(label, self.coloured) for label in found[:_LISTED])
        return words + (f", ... ({len(found)})" if len(found) > _LISTED else "")


def read_mask(path: Path, meanings: Mapping[int, int] | None = None, *, argument: str = "label_map") -> MaskPicture:
    """Read a mask of labels that are grey values, colours or a palette's indices.

    A picture of a palette is read by its indices or its colours, whichever ``meanings`` names, and a picture of one bit
    a pixel as 0 and 1 or 0 and 255. Where both fit they have to come to the same. A grey value g of 8 bits is the
    colour 0xgggggg in a picture that has colours, and everywhere once ``meanings`` names a colour over 0xffff.

    Args:
        path: the file.
        meanings: what each label stands for; None where everything over 0 is one thing.
        argument: where the user says so, for the errors.

    Raises:
        InputError: the file is no picture of one page, is truncated or has transparent pixels; neither or both readings
            of a palette fit; or it is a JPEG whose values are not all in ``meanings``.
    """
    with opened_picture(path) as picture:
        form = picture.format
        zero = _background_of_palette(picture) if picture.mode == "P" else 0
        readings = _readings(picture, path, by_colour=names_colours(meanings or ()))
    fitting = readings if meanings is None else [each for each in readings if {*each.found} <= {0, *meanings}]
    if not fitting:
        if form in ("JPEG", "MPO"):
            raise InputError(
                f"{path} is a JPEG, which changes the values of a mask (it has {readings[0].in_words()}): export the "
                "mask as PNG, or threshold it (values > 127) and save that as PNG"
            )
        if len(readings) > 1:
            raise InputError(f"{_both(path, readings)}; `{argument}` has to name all of the one or all of the other")
        return readings[0]
    first, *others = fitting
    if any(not np.array_equal(_meant(first, meanings), _meant(other, meanings)) for other in others):
        raise InputError(f"{_both(path, readings)}, and both could be meant; {_remedy(readings, argument)}")
    if first is readings[0] and zero and not others:
        raise InputError(
            f"{_both(path, readings)}; its index 0, the background, is the colour {label_in_words(zero, True)}, so the "
            f"indices may not be what is meant; {_remedy(readings, argument)}"
        )
    return first


def _readings(picture: Image.Image, path: Path, *, by_colour: bool) -> list[MaskPicture]:
    """All that the pixels' numbers can be, the indices of a palette first."""
    if picture.mode == "1":
        bits = np.asarray(picture).astype(np.uint8)
        return [MaskPicture(bits, False), _of_grey(bits * np.uint8(_MOST_GREY), by_colour)]
    if picture.mode == "P":
        indices = np.asarray(picture)
        # what a palette says of transparency is about how indices are shown, all of which are labels
        picture.info.pop("transparency", None)
        return [MaskPicture(indices, False), _of_colours(np.asarray(picture.convert("RGB")), by_colour)]
    if picture.mode == "L":
        return [_of_grey(np.asarray(picture), by_colour)]
    if picture.mode in GREY_MODES:
        return [MaskPicture(whole_labels(np.asarray(picture), str(path)), False)]
    return [_of_colours(opaque_colours(picture, path), by_colour)]


def _of_grey(values: NDArray[np.uint8], by_colour: bool) -> MaskPicture:
    return MaskPicture(values.astype(np.int32) * 0x010101, True) if by_colour else MaskPicture(values, False)


def _of_colours(colours: NDArray[np.uint8], by_colour: bool) -> MaskPicture:
    red, green, blue = np.moveaxis(colours.astype(np.int32), 2, 0)
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return _of_grey(colours[..., 0], by_colour)
    return MaskPicture((red << 16) | (green << 8) | blue, True)


def _background_of_palette(picture: Image.Image) -> int:
    """The colour of index 0, as 0xRRGGBB; 0 where it is black or transparent, as the background is."""
    transparency: Any = picture.info.get("transparency")
    if transparency == 0 or (isinstance(transparency, bytes) and transparency[:1] == b"\0"):
        return 0
    red, green, blue = (*(picture.getpalette("RGB") or ()), 0, 0, 0)[:3]
    return (red << 16) | (green << 8) | blue


def _meant(reading: MaskPicture, meanings: Mapping[int, int] | None) -> NDArray[Any]:
    if meanings is None:
        return reading.labels != 0
    found = reading.found
    known = {0: 0, **meanings}
    meant: NDArray[Any] = np.array([known[label] for label in found])[np.searchsorted(found, reading.labels)]
    return meant


def _both(path: Path, readings: list[MaskPicture]) -> str:
    first, second = (each.in_words() for each in readings)
    return f"{path} is a picture of a palette or of one bit a pixel, of the indices {first} and the colours {second}"


def _remedy(readings: list[MaskPicture], argument: str) -> str:
    colours = readings[1]
    found = [label if colours.coloured else label * 0x010101 for label in colours.found if label]
    example = label_in_words(found[-1] if found else 0xFFFFFF, True)
    return (
        f"if the colours are, name them in full in `{argument}`, such as {example}=lesion; if the indices "
        "are, save them as a grey picture"
    )
