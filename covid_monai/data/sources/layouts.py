"""How known collections of picture slices lie on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """Where the pictures are, how they are turned, what their labels mean.

    ``columns`` names the columns of the index for: ``name`` (the pictures' file name without ending),
    ``patient``, ``volume``, ``slice``, ``part``, ``width`` and ``height`` of the picture as stored, ``x`` and
    ``y`` (column and row) of its place on a grid of ``grid`` x ``grid`` pixels, as stored. ``pixel_columns``
    names columns that hold the number of pixels of a source label. Without ``index`` an ``index.csv`` is used
    where there is one; all columns but ``name`` are optional where ``optional_columns`` says so. The standard
    display has anterior at the top and the patient's right at the left; ``transpose``, then ``flip_rows``
    bring a picture there.
    """

    source: str
    licence: str = ""
    images: str = "images"
    masks: str = "labels"
    index: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    optional_columns: bool = False
    pixel_columns: Mapping[int, str] = field(default_factory=dict)
    transpose: bool = False
    flip_rows: bool = False
    grid: int | None = None
    label_map: Mapping[int, int] | None = None
    case_prefix: str = ""


_PLAIN_COLUMNS = {name: name for name in ("name", "patient", "volume", "slice", "part", "width", "height", "x", "y")}
_MEDSEG_LICENCE = "original CC0; the 8-bit pictures: non-commercial research"

LAYOUTS = {
    "plain": Layout(source="slices", columns=_PLAIN_COLUMNS, optional_columns=True),
    # the slices are of unknown patients, the number is a place in a stack of them: no volume
    "medseg-part1": Layout(
        source="medseg_part1",
        licence=_MEDSEG_LICENCE,
        index="index.csv",
        columns={
            "name": "slice",
            "slice": "slice",
            "part": "official_split",
            "width": "width",
            "height": "height",
        },
        pixel_columns={1: "ground_glass_px", 2: "consolidation_px"},
        transpose=True,
        label_map={1: 1, 2: 2},
        case_prefix="part1_",
    ),
    "medseg-uncropped": Layout(
        source="medseg_uncropped",
        licence=_MEDSEG_LICENCE,
        transpose=True,
        label_map={0x0000FF: 1, 0x00FF00: 2, 0xFF0000: 3},
        case_prefix="uncropped_",
    ),
    "radiopaedia-part2": Layout(
        source="radiopaedia_part2",
        licence="CC BY-NC-SA",
        index="index.csv",
        columns={
            "name": "name",
            "patient": "patient",
            "volume": "volume",
            "slice": "slice",
            "width": "width",
            "height": "height",
            "x": "col_in_630",
            "y": "row_in_630",
        },
        pixel_columns={255: "lesion_px"},
        flip_rows=True,
        grid=630,
        label_map={255: 4},
    ),
}
