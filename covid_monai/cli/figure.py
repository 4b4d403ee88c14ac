"""``covid-monai figure``: masks of several tools on one study, as a figure for a paper."""

from pathlib import Path
from typing import Any

import click

from covid_monai.cli.options import INTENSITY, grid_tolerance_option, orientation_option
from covid_monai.errors import InputError

_PATH = click.Path(path_type=Path)


class _Numbers(click.ParamType):
    """Whole numbers with commas between."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A tuple of them."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of whole numbers; give it like 40,55,70", param, ctx)


class _Window(click.ParamType):
    """A window by its name or by the HU of black and white."""

    name = "window"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """(name, (HU of black, HU of white))."""
        from covid_monai.palette import LUNG_WINDOW, SOFT_TISSUE_WINDOW

        if isinstance(value, tuple):
            return value
        named = {"lung": ("Lung window", LUNG_WINDOW), "soft-tissue": ("Soft-tissue window", SOFT_TISSUE_WINDOW)}
        if value in named:
            return named[value]
        try:
            low, high = map(float, str(value).split(","))
        except ValueError:
            low = high = 0.0
        if not low < high:
            self.fail(
                f"{value!r} is no window; give lung, soft-tissue, or HU of black and white like -1000,200", param, ctx
            )
        return "Window", (low, high)


@click.command()
@click.argument("study", type=_PATH)
@click.argument("masks", nargs=-1, required=True, metavar="[NAME=]MASK...")
@click.option("-o", "--output", required=True, type=_PATH, help="The figure: .png (300 dpi), .svg or .pdf.")
@click.option("--reference", type=_PATH, metavar="MASK", help="The mask that the others are held against.")
@click.option("--slices", type=_Numbers(), metavar="N,...", help="Slices to show, from 1 at the feet.")
@click.option(
    "--choose",
    type=click.Choice(["largest", "worst"]),
    default="largest",
    show_default=True,
    help="Without --slices: those with most lesion, or with the lowest Dice.",
)
@click.option("--count", type=click.IntRange(1, 20), default=4, show_default=True, help="How many are chosen.")
@click.option(
    "--window", type=_Window(), default="lung", show_default=True, help="lung, soft-tissue, or HU of black and white."
)
@click.option(
    "--colours",
    type=click.Choice(["agreement", "classes"]),
    help="What colours show.  [default: agreement where there is a reference, else classes]",
)
@click.option(
    "--width-mm", type=click.FloatRange(40, 1000), default=180.0, show_default=True, help="Of the figure, in mm."
)
@click.option(
    "--labels",
    metavar="VALUE=CLASS,...",
    help="Such as 1=ground-glass,2=consolidation or 1=lesion.  [default: as the JSON beside each mask says]",
)
@click.option("--series", metavar="UID", help="Series of the study to take, as `data studies` lists them.")
@click.option(
    "--spacing",
    type=click.Choice(["auto", "known", "unknown"]),
    default="auto",
    show_default=True,
    help="Whether the spacing is real; auto takes 1 x 1 x 1 mm for a placeholder, except in DICOM.",
)
@click.option("--intensity", default="checked", show_default=True, type=INTENSITY, help="As for predict.")
@orientation_option
@grid_tolerance_option
def figure(
    study: Path,
    masks: tuple[str, ...],
    output: Path,
    reference: Path | None,
    slices: tuple[int, ...] | None,
    choose: str,
    count: int,
    window: tuple[str, tuple[float, float]],
    colours: str | None,
    width_mm: float,
    labels: str | None,
    series: str | None,
    spacing: str,
    intensity: str,
    orientation: str | None,
    grid_tolerance: float | None,
) -> None:
    """Draw slices of STUDY with the MASKs of several tools side by side, as the figures of papers have them.

    STUDY is a folder, a zip archive or a DICOMDIR of DICOM, or a NIfTI, NRRD or MetaImage file; MASKs lie on its grid,
    their axes in any order. With --reference the colours show what each mask found, missed and raised falsely, with the
    Dice of each slice and of the study, all classes as one; else they show the classes.
    """
    from covid_monai.files import protecting
    from covid_monai.report.compared_masks import numbered_slices, read_comparison, slices_with_most, worst_slices
    from covid_monai.report.montage import draw_montage

    named = _named(masks)
    comparison = read_comparison(
        study,
        named,
        reference=reference,
        labels=labels,
        series=series,
        intensity=intensity,
        spacing_known={"auto": None, "known": True, "unknown": False}[spacing],
        orientation=orientation,
        grid_tolerance=grid_tolerance,
    )
    if slices:
        chosen = numbered_slices(comparison, slices)
    else:
        chosen = (worst_slices if choose == "worst" else slices_with_most)(comparison, count)
    with protecting(study, *named.values(), *([reference] if reference is not None else [])):
        draw_montage(
            comparison,
            chosen,
            output,
            window=window[1],
            window_name=window[0],
            agreements=None if colours is None else colours == "agreement",
            width_mm=width_mm,
        )
    numbers = ", ".join(str(k + 1) for k in chosen)
    click.echo(f"{output}: slices {numbers} of {comparison.hu.shape[2]}, from the feet")


def _named(masks: tuple[str, ...]) -> dict[str, Path]:
    """Files by their names; one that is given as NAME=FILE takes that name."""
    from covid_monai.scoring.mask_files import mask_stem

    found: dict[str, Path] = {}
    for given in masks:
        name, equals, place = given.partition("=")
        if not equals or Path(given).exists():
            name, place = mask_stem(Path(given)), given
        if not name or not place:
            raise InputError(f"{given!r} names no mask; give NAME=FILE or FILE")
        if name in found:
            raise InputError(f"two masks are named {name!r}; name them apart, as NAME=FILE")
        found[name] = Path(place)
    return found
