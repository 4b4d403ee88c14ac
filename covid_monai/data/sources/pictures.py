"""Reading pictures as arrays (rows, columns), turned as their EXIF data say."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from covid_monai.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")

GREY_MODES = ("1", "L", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's names of pictures of one value a pixel."""

_COLOUR_MODES = ("RGB", "RGBA", "LA", "P")
# whatever Pillow's parsers come upon in a damaged file
_UNREADABLE = (
    *(OSError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, EOFError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """Yield a picture of one page, read to its end and turned as its EXIF data say.

    Raises:
        InputError: the file is no picture, is truncated, has several pages, or is neither grey, RGB nor of a palette.
    """
    try:
        # by its path Pillow would map an uncompressed TIFF into memory, and garble it where it is to be turned
        with open(path, "rb") as file, Image.open(file) as picture:
            form = picture.format
            turned = ImageOps.exif_transpose(picture)
            pages = getattr(picture, "n_frames", 1)
    except _UNREADABLE as error:
        raise InputError(f"{path} is not a readable picture ({_reason(path, error)}): replace or remove it") from error
    if pages > 1:
        raise InputError(f"{path} has {pages} pages: save each page as a picture of its own, images and masks alike")
    if turned.mode not in (*GREY_MODES, *_COLOUR_MODES):
        raise InputError(f"{path} is a {turned.mode} picture: save it as grey or RGB (PNG)")
    turned.format = form
    yield turned


def _reason(path: Path, error: Exception) -> str:
    if path.is_file() and path.stat().st_size == 0:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "its content is of no kind that is known, whatever its name says"
    return f"it is truncated or damaged: {error}" if not isinstance(error, FileNotFoundError) else "there is no file"


def read_grey(path: Path) -> NDArray[Any]:
    """Read a grey picture as (rows, columns).

    Raises:
        InputError: see :func:`opened_picture`; or the picture has colours, transparent pixels or NaN.
    """
    with opened_picture(path) as picture:
        values = np.asarray(picture) if picture.mode in GREY_MODES else opaque_colours(picture, path)
    if values.ndim == 3:
        coloured = np.count_nonzero(np.any(values != values[..., :1], axis=2))
        if coloured:
            raise InputError(
                f"{path} is not a grey picture: {coloured} of {values[..., 0].size} pixels have a colour; an image "
                "holds one grey value a pixel, save it as grey without overlays"
            )
        values = values[..., 0]
    if not np.all(np.isfinite(values)):
        raise InputError(f"{path} holds NaN or infinity: an image holds one grey value a pixel, save it again")
    return values


def opaque_colours(picture: Image.Image, path: Path) -> NDArray[np.uint8]:
    """The colours of a picture of any colour mode, (rows, columns, 3).

    Raises:
        InputError: a pixel is transparent.
    """
    colours = np.asarray(picture.convert("RGBA"))
    transparent = np.count_nonzero(colours[..., 3] < 255)
    if transparent:
        raise InputError(
            f"{path} has {transparent} transparent pixels of {colours[..., 3].size}: what stands there is not sure; "
            "flatten it on black and save it without transparency"
        )
    return colours[..., :3]
