"""Whether a data set is what a table's paper used: its sources, and its slices on their full canvas."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from covid_monai.data.manifest import Case, Dataset
from covid_monai.errors import InputError, did_you_mean
from covid_monai.tables.table import Table
from covid_monai.transforms.nifti import grid_shape, open_nifti

DEVIATIONS = ("canvas", "sources")
"""What of a table's needs can be missing and be accepted all the same."""


class UnmetNeeds(InputError):
    """Data that a table cannot be reproduced with; ``deviations`` are those of :data:`DEVIATIONS` to be accepted."""

    def __init__(self, message: str, deviations: tuple[str, ...]) -> None:
        super().__init__(message)
        self.deviations = deviations

    def __reduce__(self) -> tuple[type["UnmetNeeds"], tuple[str, tuple[str, ...]]]:
        """Both arguments, which an exception would not keep on its way to another process."""
        return UnmetNeeds, (str(self), self.deviations)


@dataclass(frozen=True)
class CanvasOfSlices:
    """``text`` says what the slices show; ``crops`` how many are crops, ``pasted`` how many crops are pasted back."""

    text: str
    crops: int
    pasted: int


def canvas_of_slices(dataset: Dataset) -> CanvasOfSlices:
    """What the slices of a data set show, by its manifest and the headers of its images.

    Raises:
        InputError: an image is missing or no NIfTI file.
    """
    kinds: Counter[str] = Counter()
    crops = pasted = 0
    for source, cases in cases_by_source(dataset.cases).items():
        shapes = [grid_shape(open_nifti(dataset.folder / case.image))[:2] for case in cases]
        # nobody says of these whether they are crops, but crops differ in size
        alike = len({shape for case, shape in zip(cases, shapes, strict=True) if case.canvas is None}) == 1
        for case, shape in zip(cases, shapes, strict=True):
            size = " x ".join(map(str, shape))
            if case.canvas is None:
                cut = not alike
                kinds[f"crops of differing size of {source}" if cut else f"{size}, as {source} has them"] += 1
            else:
                cut = tuple(shape) != tuple(case.canvas.shape)
                full = " x ".join(map(str, case.canvas.shape))
                kinds[f"crops of {full}" if cut else f"{full}, pasted back with air around"] += 1
                pasted += not cut
            crops += cut
    return CanvasOfSlices("; ".join(f"{count} slices: {kind}" for kind, count in kinds.items()), crops, pasted)


def cases_by_source(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases by the name of their source, in the order of the data set."""
    by_source: dict[str, list[Case]] = {}
    for case in cases:
        by_source.setdefault(case.source, []).append(case)
    return by_source


def check_deviations(names: Collection[str]) -> None:
    """Refuse names that are not in :data:`DEVIATIONS`.

    Raises:
        InputError: a name is not one of them.
    """
    for name in names:
        if name not in DEVIATIONS:
            near = did_you_mean(name, list(DEVIATIONS))
            raise InputError(f"deviation {name!r} cannot be allowed{near}; it can be {' or '.join(DEVIATIONS)}")


def check_needs(table: Table, dataset: Dataset, allowed: Collection[str]) -> None:
    """Refuse data that miss what a table needs, unless it is allowed.

    Args:
        table: the table.
        dataset: the prepared data set.
        allowed: those of :data:`DEVIATIONS` that are accepted.

    Raises:
        UnmetNeeds: something is missing; the message says what to prepare.
        InputError: an image is missing or no NIfTI file.
    """
    unmet: dict[str, str] = {}
    found, needed = {case.source for case in dataset.cases}, set(table.needs.sources)
    if found != needed and "sources" not in allowed:
        unmet["sources"] = (
            f"{table.name} needs data of {', '.join(sorted(needed))}, but {dataset.folder} has "
            f"{', '.join(sorted(found)) or 'none'}: prepare these with `covid-monai data prepare`"
        )
    if table.needs.canvas and "canvas" not in allowed:
        crops = canvas_of_slices(dataset).crops
        if crops:
            unmet["canvas"] = (
                f"{table.name} needs whole slices, but {crops} of {len(dataset.cases)} slices of {dataset.folder} are "
                "crops: prepare them with `covid-monai data prepare ... --canvas 512`"
            )
    if unmet:
        raise UnmetNeeds(f"{'; '.join(unmet.values())}; or allow this deviation: {', '.join(unmet)}", tuple(unmet))
