"""Scoring masks of any tool: files or folders in, summaries and a comparison out, and their tables."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from covid_monai.data.patients import read_patients
from covid_monai.errors import InputError
from covid_monai.files import protecting, refuse_to_replace_input
from covid_monai.scoring.comparison import Comparison, compare
from covid_monai.scoring.folders import SPACINGS, check_patients, match_masks, score_pairs
from covid_monai.scoring.format import in_words, listed, measure_cell
from covid_monai.scoring.label_classes import LabelClasses, parse_label_classes
from covid_monai.scoring.measures import MEASURES
from covid_monai.scoring.summary import Summary
from covid_monai.scoring.write import read_comparison, read_summary, write_comparison, write_summary
from covid_monai.staging import is_interrupted, staged_files

_WRITTEN = ("scores.csv", "scores.json", "scores.md", "thresholds.csv", "slice_thresholds.csv")
_STAGING = ".scoring"
_WRITTEN_COMPARISON = ("comparison.csv", "comparison.json", "comparison.md")


@dataclass(frozen=True, repr=False)
class Scores:
    """Scores of masks, of one prediction folder or of several.

    Attributes:
        summaries: the summary of each prediction folder, by its name.
        comparison: their comparison, pair by pair; None where there is one alone.
        folder: where the scores were read from; None where they were not.
    """

    summaries: dict[str, Summary]
    comparison: Comparison | None = None
    folder: Path | None = None

    def value(
        self, measure: str, *, level: str = "pooled", lesion_class: str | None = None, prediction: str | None = None
    ) -> float:
        """A measure's mean, or of the level ``pooled`` the measure of all pixels counted together.

        Args:
            measure: ``dice``, ``iou``, ``sensitivity``, ``specificity``, ``precision``, ``accuracy`` (0..1); unless the
                level is ``pooled`` also ``hd95_mm`` (mm) and ``surface_dice`` (0..1).
            level: ``slice``, ``slice_with_lesion``, ``pooled``, and where volumes are known ``volume`` and
                ``volume_with_lesion``.
            lesion_class: a class's name, or ``mean of classes``; all lesion classes as one if None.
            prediction: which of several prediction folders.

        Returns:
            NaN where the measure is undefined, such as an HD95 without a single pair of masks.

        Raises:
            InputError: there is no such level, class, measure or prediction.
        """
        return self._summary(prediction).value(measure, level=level, lesion_class=lesion_class)

    def interval(
        self, measure: str, *, level: str = "pooled", lesion_class: str | None = None, prediction: str | None = None
    ) -> tuple[float, float] | None:
        """The 95 % interval of :meth:`value` (:mod:`covid_monai.scoring.intervals`); None where there is none."""
        return self._summary(prediction).interval(measure, level=level, lesion_class=lesion_class)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of scores.csv, one per slice and class, and one per volume and class.

        Several prediction folders stand below each other, with their names in a first column ``prediction``.
        """
        if len(self.summaries) == 1:
            return self._summary(None).rows.copy()
        frames = [summary.rows.assign(prediction=name) for name, summary in self.summaries.items()]
        frame = pd.concat(frames, ignore_index=True)
        return frame[["prediction", *frame.columns.drop("prediction")]]

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write scores.csv, scores.json, scores.md and, where there were probabilities, the tables of thresholds.

        Several prediction folders get a subfolder each by their names, beside comparison.csv, .json and .md.

        Raises:
            InputError: the folder cannot be written, or holds scores and ``overwrite`` is False.
        """
        folder = Path(folder)
        with _saving(folder, list(self.summaries), overwrite) as staging:
            self._write(staging)

    def _write(self, folder: Path) -> None:
        if self.comparison is not None:
            write_comparison(self.comparison, self.summaries, folder)
        for name, place in _folders(list(self.summaries), folder).items():
            write_summary(self.summaries[name], place)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> "Scores":
        """The scores that :meth:`save`, ``covid-monai score`` or ``covid-monai evaluate`` wrote to ``folder``.

        Raises:
            InputError: it holds none, or damaged ones.
        """
        folder = Path(folder)
        if not (folder / "comparison.json").exists():
            summary = read_summary(folder)
            scored = summary.content.get("inputs", {}).get("predictions", folder)
            return cls({name_of(scored): summary}, folder=folder)
        comparison = read_comparison(folder)
        names = dict.fromkeys(rating.name for rating in comparison.ratings)
        return cls({name: read_summary(folder / name) for name in names}, comparison, folder)

    def __repr__(self) -> str:
        return f"Scores of {', '.join(self.summaries)}\n{self._overview().to_string()}"

    def _repr_html_(self) -> str:
        return self._overview().to_html()

    def _overview(self) -> pd.DataFrame:
        """All lesion classes as one: a row per prediction folder and level, a column per measure."""
        rows = {}
        for name, summary in self.summaries.items():
            for level, scored in summary.content["levels"].items():
                measures = scored["classes"][summary.content["classes"][-1]]["measures"]
                cells = [measure_cell(measures.get(measure), measure) for measure in MEASURES]
                rows[name, in_words(level)] = [f"{cell.value} {cell.interval}".strip() for cell in cells]
        headings = [measure.heading for measure in MEASURES.values()]
        overview = pd.DataFrame(rows.values(), pd.MultiIndex.from_tuples(rows), headings)
        return overview if len(self.summaries) > 1 else overview.droplevel(0)

    def _summary(self, prediction: str | None) -> Summary:
        if prediction is None and len(self.summaries) == 1:
            return next(iter(self.summaries.values()))
        if prediction not in self.summaries:
            given = "there are several predictions" if prediction is None else f"prediction is {prediction!r}"
            raise InputError(f"{given}; name one of {', '.join(self.summaries)}, as in prediction=...")
        return self.summaries[prediction]


def score(
    predictions: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
    references: str | os.PathLike[str],
    *,
    labels: str | None = None,
    patients: str | os.PathLike[str] | None = None,
    missing_as_empty: bool = False,
    spacing: str = "auto",
    tolerance_mm: float = 2.0,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Scores:
    """Scores of masks against references, and of several predictions against each other.

    Args:
        predictions: a folder of masks (NIfTI, NRRD, MetaImage, PNG) or one file; or several of them by names.
        references: a folder whose files have the same names, or one file.
        labels: the classes, as ``1=ground-glass,2=consolidation`` or ``1,2,3=lesion``; all over 0 are lesion if None.
        patients: CSV with the columns case and patient; intervals and tests then go by patient.
        missing_as_empty: count a missing prediction as an empty mask.
        spacing: whether the headers' spacing is real: ``known``, ``unknown``, or ``auto``, which takes 1 x 1 x 1 mm for
            a placeholder.
        tolerance_mm: tolerance of the surface Dice, 0 or more.
        orientation: where x, y and z run, such as ``LPS``, in NIfTI files that do not say; None assumes LAS for them,
            with a warning.
        grid_tolerance: how far in mm a voxel may lie from one grid to another that should be the same: prediction and
            reference, sform and qform; None for 0.01.
        output: a folder where they are saved, as :meth:`Scores.save` does; whether it can be written is known before
            the scoring begins.
        overwrite: whether scores that ``output`` already holds may be replaced.
        progress: show progress on stderr.

    Raises:
        InputError: masks are missing, cannot be read or lie on other grids; an argument is not allowed; ``output``
            cannot be written or holds scores.
    """
    if spacing not in SPACINGS:
        raise InputError(f"spacing is {spacing!r}; it can be one of {', '.join(SPACINGS)}")
    if not 0 <= tolerance_mm < math.inf:
        raise InputError(f"`tolerance_mm` is {tolerance_mm:g}; it must be a number of 0 or more")
    several = predictions if isinstance(predictions, Mapping) else {name_of(predictions): predictions}
    check_names(several)
    classes = parse_label_classes(labels) if labels is not None else LabelClasses()
    pairs = {
        name: match_masks(Path(place), Path(references), missing_as_empty=missing_as_empty)
        for name, place in several.items()
    }
    patient_of = read_patients(Path(patients)) if patients is not None else None
    for matched in pairs.values():
        check_patients(matched, patient_of)
    inputs = [path for matched in pairs.values() for pair in matched.files.values() for path in pair if path]
    saving = nullcontext() if output is None else _saving(Path(output), list(several), overwrite)
    # whether it can be written is known before the scoring begins
    with protecting(*inputs, *([patients] if patients is not None else [])), saving as staging:
        summaries = {
            name: score_pairs(
                matched,
                classes,
                patients=patient_of,
                spacing=spacing,
                tolerance_mm=tolerance_mm,
                orientation=orientation,
                grid_tolerance=grid_tolerance,
                progress=progress,
            )
            for name, matched in pairs.items()
        }
        scores = Scores(summaries, compare(summaries) if len(summaries) > 1 else None)
        if staging is not None:
            scores._write(staging)
    return scores


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


def _folders(names: Sequence[str], output: Path) -> dict[str, Path]:
    return {name: output / name if len(names) > 1 else output for name in names}


@contextmanager
def _saving(output: Path, names: Sequence[str], overwrite: bool) -> Iterator[Path]:
    """A folder to write scores into, which all appear in ``output`` afterwards, in the place of those that are there.

    Raises:
        InputError: these may not be replaced, or nothing can be written there.
    """
    last = "comparison.json" if len(names) > 1 else "scores.json"
    if not is_interrupted(output, _STAGING):
        _refuse_scores(output, names, overwrite)
    with staged_files(output, _STAGING, last) as staging:
        _refuse_scores(output, names, overwrite or staging.complete)
        yield staging.path
        # what is not written anew must not stand beside it
        staging.publish(_scores_in(output, names), overwrite=overwrite)


def _scores_in(output: Path, names: Sequence[str]) -> list[Path]:
    written = [output / name for name in _WRITTEN_COMPARISON]
    written += [folder / name for folder in (output, *_folders(names, output).values()) for name in _WRITTEN]
    return list(dict.fromkeys(path for path in written if path.exists()))


def _refuse_scores(output: Path, names: Sequence[str], overwrite: bool) -> None:
    there = _scores_in(output, names)
    for path in there:
        refuse_to_replace_input(path)
    if there and not overwrite:
        found = listed([str(path.relative_to(output)) for path in there])
        raise InputError(
            f"{output} holds scores already ({found}); choose another folder, or replace them: `overwrite=True`"
        )
