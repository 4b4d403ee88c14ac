"""Reading pictures as arrays (rows, columns)."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from covid_monai.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def read_grey(path: Path) -> npt.NDArray:
    """Read a grey picture as (rows, columns).

    Raises:
        InputError: the file is no picture, is truncated, or has colours.
    """
    values = _read_picture(path, keep_palette=False)
    if values.ndim == 3 and values.shape[2] == 3 and np.all(values == values[..., :1]):
        values = values[..., 0]
    if values.ndim != 2 or not np.all(np.isfinite(values)):
        raise InputError(f"{path} is not a grey picture: colours, transparency and NaN are not allowed in an image")
    return values


def read_mask(path: Path) -> npt.NDArray:
    """Read a mask as (rows, columns): palette indices, grey values, or 0xRRGGBB where it has colours.

    Raises:
        InputError: the file is no picture, is truncated, or has transparency.
    """
    values = _read_picture(path, keep_palette=True)
    if values.ndim == 2:
        return values
    if values.shape[2] != 3:
        raise InputError(f"{path} has transparency: save the mask as grey, palette or RGB picture")
    red, green, blue = np.moveaxis(values.astype(np.int64), 2, 0)
    grey = np.array_equal(red, green) and np.array_equal(green, blue)
    return red if grey else (red << 16) | (green << 8) | blue


def _read_picture(path: Path, keep_palette: bool) -> npt.NDArray:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB") if picture.mode == "P" and not keep_palette else picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not a readable picture ({error}): replace or remove it") from error
