"""What all figures share: fonts, how a slice and a mask are drawn, and how a figure becomes a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from covid_monai.files import replacing
from covid_monai.palette import GREY, LUNG_WINDOW

DOTS_PER_INCH = 200
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "covid-monai",
    "pdf.fonttype": 42,
}
_UNDATED: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


@contextmanager
def new_figure(
    width: float, height: float, picture: str | os.PathLike[str], *, dots_per_inch: int = DOTS_PER_INCH
) -> Iterator[Figure]:
    """Yield a white figure of this size in inches, and write it to ``picture`` in one step.

    It is PNG, or SVG or PDF where the name ends so; these hold text as text. No display is needed, pyplot's state is
    not touched, and the same figure makes the same bytes.

    Raises:
        InputError: the folder cannot be written.
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
        yield figure
        with replacing(picture) as temporary:
            kind = Path(picture).suffix.lower().removeprefix(".")
            kind = kind if kind in _UNDATED else "png"
            figure.savefig(temporary, format=kind, dpi=dots_per_inch, metadata=_UNDATED[kind])


def plain_axes(axes: Axes) -> None:
    """Leave away what carries no information: the upper and right frame; a faint grid helps reading."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)


def show_slice(
    axes: Axes,
    image: NDArray[Any],
    spacing: tuple[float, float],
    window: tuple[float, float] = LUNG_WINDOW,
    head_on_top: bool = False,
) -> None:
    """Show a slice of CT, in the lung window by default.

    Args:
        axes: where to.
        image: HU along the picture's (column, row), as LPS arrays give it: (x, y) of an axial slice, which
            puts anterior at the top and the patient's right at the left; (x, z) of a coronal one.
        spacing: pixel size along these, in mm.
        window: HU of black and white.
        head_on_top: the second axis ascends to the head, as z does.
    """
    low, high = window
    axes.imshow(
        image.T,
        cmap="gray",
        vmin=low,
        vmax=high,
        aspect=spacing[1] / spacing[0],
        origin="lower" if head_on_top else "upper",
        interpolation="antialiased",
    )
    axes.set(xticks=[], yticks=[], anchor="N")
    # soft tissue is as white as the page
    axes.spines[:].set(color=GREY, linewidth=0.5)


def fill_mask(axes: Axes, mask: NDArray[np.bool_], colour: str, opacity: float) -> None:
    """Fill a mask, laid out as the image that ``show_slice`` showed on ``axes``."""
    pixels = np.zeros((*mask.T.shape, 4))
    pixels[mask.T] = to_rgba(colour, opacity)
    axes.imshow(pixels, aspect=axes.get_aspect(), origin=axes.images[0].origin, interpolation="nearest")


def outline_mask(axes: Axes, mask: NDArray[np.bool_], colour: str) -> None:
    """Draw a mask's edge, laid out as ``fill_mask`` does."""
    # an empty frame closes the outline of what touches the image's border
    framed = np.pad(mask, 1).astype(np.float32)
    columns, rows = (np.arange(-1, length + 1) for length in mask.shape)
    limits = axes.axis()
    if mask.any():
        axes.contour(columns, rows, framed.T, levels=[0.5], colors=[colour], linewidths=0.8)
    axes.axis(limits)
