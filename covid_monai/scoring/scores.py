"""Scores as an object: values by measure and level, rows as a data frame, files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.scoring.comparison import Comparison
from covid_monai.scoring.summary import Summary
from covid_monai.scoring.write import markdown, write_comparison, write_summary

_FORMAT = ("covid-monai scores", 1)


@dataclass(frozen=True, repr=False)
class Scores:
    """What masks scored: of one set of predictions, or of several by name.

    Attributes:
        summaries: by the name of the predictions.
        comparison: of several predictions; None where there is one set alone.
        folder: where the scores stand, None where they were not written.
    """

    summaries: Mapping[str, Summary]
    comparison: Comparison | None = None
    folder: Path | None = None

    def __repr__(self) -> str:
        values = (f"{name}: pooled Dice {self.value('dice', name=name):.3f}" for name in self.summaries)
        return f"Scores({'; '.join(values)})"

    def summary(self, name: str | None = None) -> Summary:
        """The summary of the predictions called ``name``; of the only ones if None.

        Raises:
            InputError: there are several and none was named, or none has this name.
        """
        if name is None and len(self.summaries) == 1:
            return next(iter(self.summaries.values()))
        if name is None or name not in self.summaries:
            raise InputError(f"name is {name!r}; the predictions are {', '.join(self.summaries)}")
        return self.summaries[name]

    def value(
        self, measure: str, *, level: str = "pooled", lesion_class: str | None = None, name: str | None = None
    ) -> float:
        """One measure, such as ``value("dice")``; NaN where it is undefined.

        Args:
            measure: such as ``dice``, ``sensitivity`` (0 to 1) or ``hd95_mm`` (mm).
            level: ``pooled``, ``slice``, ``slice_with_lesion``, ``volume`` or ``volume_with_lesion``; see
                :data:`covid_monai.scoring.summary.LEVELS`.
            lesion_class: all lesion classes as one if None.
            name: of the predictions, where there are several.

        Raises:
            InputError: there is no such measure, level, class or name.
        """
        found = self.summary(name).value(level, measure, lesion_class or "")
        return float("nan") if found is None else found

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of ``scores.csv``: a row a level, case and class.

        Of several predictions a column ``predictions`` has their names.
        """
        if len(self.summaries) == 1:
            return self.summary().rows.copy()
        named = [one.rows.assign(predictions=name) for name, one in self.summaries.items()]
        return pd.concat(named, ignore_index=True)

    @property
    def markdown(self) -> str:
        """The content of ``scores.md`` of one set of predictions."""
        return markdown(self.summary().content)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write scores.csv, scores.json and scores.md; of several predictions a folder each, and their comparison.

        Raises:
            InputError: the folder cannot be written.
        """
        target = Path(folder)
        if self.comparison is not None:
            write_comparison(self.comparison, self.summaries, target)
        for name, summary in self.summaries.items():
            write_summary(summary, target if len(self.summaries) == 1 else target / name)
        return target

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> "Scores":
        """Read what ``covid-monai evaluate`` or :meth:`save` wrote for one set of predictions.

        Raises:
            InputError: the folder holds no scores.
        """
        home = Path(folder)
        content = read_json(home / "scores.json")
        if not isinstance(content, dict) or (content.get("format"), content.get("version")) != _FORMAT:
            raise InputError(f"{home / 'scores.json'} holds no scores of covid-monai; run covid-monai evaluate first")
        tables = [_table(home / name) for name in ("scores.csv", "thresholds.csv", "slice_thresholds.csv")]
        if tables[0] is None:
            raise InputError(f"{home} has no scores.csv beside its scores.json; score again")
        return cls({home.name: Summary(tables[0], content, tables[1], tables[2])}, folder=home)


def _table(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    names = ("level", "case", "patient", "volume", "class", "no_surface", "empty")
    measures = ("dice", "iou", "sensitivity", "specificity", "precision", "accuracy", "hd95_mm", "surface_dice")
    blank = {name: [""] for name in measures}
    return pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=blank)
