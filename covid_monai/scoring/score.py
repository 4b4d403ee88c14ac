"""Scoring masks of any tool: files or folders in, summaries and a comparison out, and their tables."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from covid_monai.data.sources.folders import read_patients
from covid_monai.errors import InputError
from covid_monai.scoring.comparison import compare
from covid_monai.scoring.folders import SPACINGS, check_patients, match_masks, score_pairs
from covid_monai.scoring.format import listed
from covid_monai.scoring.label_classes import LabelClasses, parse_label_classes
from covid_monai.scoring.scores import Scores
from covid_monai.scoring.write import write_comparison, write_summary

_WRITTEN = ("scores.csv", "scores.json", "scores.md", "thresholds.csv", "slice_thresholds.csv")
_WRITTEN_COMPARISON = ("comparison.csv", "comparison.json", "comparison.md")


def score(
    predictions: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
    references: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    labels: str | None = None,
    patients: str | os.PathLike[str] | None = None,
    missing_as_empty: bool = False,
    spacing: str = "auto",
    tolerance_mm: float = 2.0,
    overwrite: bool = False,
    progress: bool = False,
) -> Scores:
    """Score masks against references, and several predictions against each other.

    Args:
        predictions: a folder of masks (NIfTI, NRRD, MetaImage, PNG) or one file; or several of them by names.
        references: a folder whose files have the same names, or one file.
        output: gets scores.csv, scores.json and scores.md; with several predictions a folder by each one's name gets
            them, and ``output`` comparison.csv, comparison.json and comparison.md. Nothing is written if None.
        labels: the classes, as ``1=ground-glass,2=consolidation`` or ``1,2,3=lesion``; all over 0 are lesion if None.
        patients: CSV with the columns case and patient; intervals and tests then go by patient.
        missing_as_empty: count a missing prediction as an empty mask.
        spacing: whether the headers' spacing is real: ``known``, ``unknown``, or ``auto``, which takes 1 x 1 x 1 mm for
            a placeholder.
        tolerance_mm: tolerance of the surface Dice, 0 or more.
        overwrite: whether scores that ``output`` already holds may be replaced.
        progress: show a progress bar on stderr where it is a terminal.

    Raises:
        InputError: masks are missing, cannot be read or lie on other grids; an argument is not allowed; ``output``
            cannot be written or holds scores.
    """
    if spacing not in SPACINGS:
        raise InputError(f"spacing is {spacing!r}; it can be one of {', '.join(SPACINGS)}")
    if tolerance_mm < 0:
        raise InputError(f"tolerance_mm is {tolerance_mm:g}; it must be 0 or more")
    several = predictions if isinstance(predictions, Mapping) else {name_of(predictions): predictions}
    check_names(several)
    classes = parse_label_classes(labels) if labels is not None else LabelClasses()
    pairs = {name: match_masks(Path(one), Path(references), missing_as_empty) for name, one in several.items()}
    people = read_patients(Path(patients)) if patients is not None else None
    for matched in pairs.values():
        check_patients(matched, people)
    folders = _folders(several, Path(output)) if output is not None else {}
    replaced = _check_output(Path(output), folders, overwrite) if output is not None else []
    summaries = {
        name: score_pairs(matched, classes, people, spacing, tolerance_mm, progress) for name, matched in pairs.items()
    }
    comparison = compare(summaries) if len(summaries) > 1 else None
    # what is not written anew must not stand beside it
    for path in replaced:
        path.unlink()
    if comparison is not None and output is not None:
        write_comparison(comparison, summaries, output)
    for name, folder in folders.items():
        write_summary(summaries[name], folder)
    return Scores(summaries, comparison, None if output is None else Path(output))


def name_of(path: str | os.PathLike[str]) -> str:
    """What predictions are called that were given no name: as their folder or file."""
    return Path(path).resolve().name


def check_names(names: Iterable[str]) -> None:
    """Names become rows of a table and folders.

    Raises:
        InputError: there is none, one is no plain name, or two are alike.
    """
    taken: set[str] = set()
    for name in names:
        if not name or name in (".", "..") or "/" in name or "\\" in name:
            raise InputError(f"{name!r} is no name for a table's row and folder; give the predictions another one")
        if name.casefold() in taken:
            raise InputError(f"two predictions are named {name!r}; name them apart")
        taken.add(name.casefold())
    if not taken:
        raise InputError("there are no predictions; give one folder or file of masks at least")


def _folders(names: Iterable[str], output: Path) -> dict[str, Path]:
    names = list(names)
    return {name: output / name if len(names) > 1 else output for name in names}


def _check_output(output: Path, folders: Mapping[str, Path], overwrite: bool) -> list[Path]:
    """The scores that are to be replaced; what must not be is told before an hour of scoring, not after it."""
    written = [output / name for name in _WRITTEN_COMPARISON]
    written += [folder / name for folder in (output, *folders.values()) for name in _WRITTEN]
    there = list(dict.fromkeys(path for path in written if path.exists()))
    if there and not overwrite:
        names = listed([str(path.relative_to(output)) for path in there])
        raise InputError(
            f"{output} holds scores already ({names}); choose another folder, or replace them: --overwrite"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise InputError(f"cannot write to {output}: {error.strerror}; choose another --output") from error
    return there
