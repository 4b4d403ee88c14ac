"""A paper's table as data: its rows, settings, published values and protocols."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from covid_monai.tables.margins import Judging
from covid_monai.tables.paper_claims import PaperClaim

PROTOCOLS = ("paper", "grouped")
"""Those that a table's YAML describes."""

CONTROL_ARMS = ("control-grouped", "control-ungrouped")
"""The pair that differs in grouping alone: equal numbers of training and test slices, and the test part validates."""

COMPARED_PROTOCOLS = (("paper", "grouped"), ("control-ungrouped", "control-grouped"))
"""Whose difference is an optimism: the first may leak, the second has no known leak."""

DATA_VARIANTS = ("augment_before_folds",)
"""Rows that are run on data of their own: ``augment_before_folds`` on slices with their copies (Chen et al. 2020)."""

VARIANTS = (*DATA_VARIANTS, "isensee2017", "matlab", "ronneberger2015")
"""Rows that read a paper in another way than its own row does. Beside those with data of their own: what a paper
leaves open as in the Keras port of Isensee et al. 2017, or as in MATLAB, or the U-Net of Ronneberger et al. 2015."""

OVER_THRESHOLDS = "thresholds"
"""The averaging of measures over 256 thresholds; the others are levels of the scores."""

FULL = "full"
QUICK = "quick"
"""The budget that every table has beside itself."""

CLASS_MEAN = "mean over lesion classes"


@dataclass(frozen=True)
class Theirs:
    """What the paper says of its data, canvas, classes, averaging and split, in words; ``speed`` where it says one."""

    data: str
    canvas: str
    classes: str
    averaging: str
    split: str
    speed: str | None = None


@dataclass(frozen=True)
class Needs:
    """What a data set has to be for the paper's values to be comparable.

    ``sources`` are the names of :attr:`covid_monai.data.manifest.Case.source`; ``canvas`` says whether the slices
    have to lie on their full canvas.
    """

    sources: tuple[str, ...]
    canvas: bool


@dataclass(frozen=True)
class DoubtfulGroup:
    """Cases that are taken for near-duplicates and may be of different patients, and why that is doubted."""

    cases: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Protocol:
    """How one protocol splits the data and which weights it keeps.

    ``split`` is a protocol of :mod:`covid_monai.data.splits`. ``validation`` is the share of the training cases that
    is for validation; None where the test part is, as in papers that stop training on their only held-out part.
    ``weights`` is ``best`` (by the validation) or ``last``.
    """

    name: str
    split: str
    validation: float | None
    weights: str
    without_near_duplicates: bool


@dataclass(frozen=True)
class Measure:
    """A column of the table.

    ``averaging`` is a level of ``scores.json`` or :data:`OVER_THRESHOLDS`; the paper's values are ``scale`` times ours.
    ``not_comparable`` is the reason why the paper's value is not held against ours, None where it is. ``beside`` is
    another averaging whose value is shown, not judged.
    """

    name: str
    averaging: str
    scale: float
    not_comparable: str | None
    beside: str | None = None


@dataclass(frozen=True)
class Row:
    """A line of the table, numbered from 1; without ``bundle`` it is published only and never run.

    ``paper`` has the paper's values by measure, in the paper's scale; ``place`` is where they stand in the paper.
    ``slug`` names the row's folders. ``first_seed`` is what its seeds count from: two rows that train the same network
    with the same loss differ by chance only if their seeds differ.
    """

    number: int
    label: str
    slug: str
    bundle: str | None
    settings: Mapping[str, Any]
    paper: Mapping[str, float]
    place: str
    variant: str | None
    first_seed: int


@dataclass(frozen=True)
class Budget:
    """What a smaller version of a table changes: the number of folds, and settings.

    ``settings`` are those of all rows, ``bundle_settings`` over them those of a bundle's rows, ``row_settings`` over
    both those of single rows, by their labels. ``label`` says what it is wherever a result stands.
    """

    label: str
    folds: int
    settings: Mapping[str, Any]
    bundle_settings: Mapping[str, Mapping[str, Any]]
    row_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table; ``sha256`` is that of its YAML file. ``lesion_class`` is a class of the scores, or ``CLASS_MEAN``.

    ``grid`` is the paper's, on which jobs are scored beside the data's own: pixels along both edges, None for the own
    alone.
    ``budgets`` are the smaller versions by name, :data:`QUICK` among them; :data:`FULL` is the table as it is.
    Without ``judging`` there are no verdicts on values. ``claims`` are the paper's differences between rows.
    What leaks are worth is told with and without ``doubtful_groups``.
    """

    name: str
    path: Path
    sha256: str
    title: str
    paper: str
    theirs: Theirs
    needs: Needs
    folds: int
    protocols: Mapping[str, Protocol]
    lesion_class: str
    measures: Mapping[str, Measure]
    settings: Mapping[str, Any]
    budgets: Mapping[str, Budget]
    rows: tuple[Row, ...]
    grid: int | None = None
    judging: Judging | None = None
    claims: tuple[PaperClaim, ...] = ()
    doubtful_groups: tuple[DoubtfulGroup, ...] = ()

    @property
    def all_protocols(self) -> Mapping[str, Protocol]:
        """``protocols`` and the control arms; a table whose test part is given has none, as no grouping draws it."""
        grouped = self.protocols.get("grouped")
        if grouped is None or grouped.split != "grouped":
            return self.protocols
        weights = self.protocols.get("paper", grouped).weights
        return {**self.protocols, **{name: Protocol(name, name, None, weights, False) for name in CONTROL_ARMS}}

    def half_unit(self, measure: str) -> float:
        """Half a unit of the last digit that the paper prints of a measure, in the paper's scale."""
        return 0.5 * 10.0 ** -self.printed_decimals(measure)

    def printed_decimals(self, measure: str) -> int:
        """The most decimals that a published value of the measure has."""
        printed = [f"{row.paper[measure]:.10g}" for row in self.rows if measure in row.paper]
        return max((len(text.partition(".")[2]) for text in printed), default=0)

    def settings_of(self, row: Row, budget: str) -> dict[str, Any]:
        """A row's settings under a budget: the table's, the row's over them, the budget's over both."""
        settings = {**self.settings, **row.settings}
        if budget != FULL:
            smaller = self.budgets[budget]
            settings |= {**smaller.settings, **smaller.bundle_settings.get(row.bundle or "", {})}
            settings |= smaller.row_settings.get(row.label, {})
        return settings
