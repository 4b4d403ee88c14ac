"""Splits: whole, of this data set, and no patient in two subsets of a fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

from covid_monai.data.checks.findings import Finding, error, note
from covid_monai.data.manifest import Case, Dataset
from covid_monai.data.patients import similar_in_words, similar_patients
from covid_monai.data.splits import GROUPED_PROTOCOLS, SUBSETS, Fold, dataset_hash, read_split
from covid_monai.errors import InputError


@dataclass(frozen=True)
class Subsets:
    """For each fold the subset of each case, under the protocol that put them there."""

    protocol: str
    folds: tuple[Mapping[str, str], ...]

    def torn(self, cases: Sequence[str]) -> list[int]:
        """The folds in which these cases are not all in one subset."""
        return [index for index, fold in enumerate(self.folds) if len({fold[c] for c in cases if c in fold}) > 1]

    def leak(self, check: str, message: str, cases: Sequence[str], folds: Sequence[int]) -> Finding:
        """One patient in two subsets: what ``grouped`` promises not to happen, and what the other protocols allow."""
        where = f"{message} in fold {', '.join(map(str, folds))}"
        if self.protocol in GROUPED_PROTOCOLS:
            return error(check, f"{where}: protocol {self.protocol} forbids it, make the split again", *cases)
        return note(check, f"{where}: known data leakage of protocol {self.protocol}", *cases)


def load_split(dataset: Dataset, path: str | PathLike[str]) -> tuple[Subsets | None, list[Finding]]:
    """Read a split file of a data set; what is wrong with it is a finding, and then there are no subsets."""
    try:
        split = read_split(path)
    except InputError as problem:
        return None, [error("split", str(problem))]
    if split.dataset != dataset_hash(dataset):
        return None, [error("split", f"{path} was made for another data set: make it again from this one")]
    findings = []
    if split.validation_is_test:
        findings.append(
            note(
                "split",
                f"{path}: the test subset validates too, so it chooses the weights: data leakage by design",
            )
        )
    return Subsets(split.protocol, tuple(_subsets_of(fold) for fold in split.folds)), findings


def given_split(dataset: Dataset) -> Subsets | None:
    """The source's own subsets, where it has them."""
    given = {case.case: case.part for case in dataset.cases if case.part is not None}
    return Subsets("given", (given,)) if given else None


def check_patients(cases: Sequence[Case], subsets: Subsets) -> list[Finding]:
    """Find patients, and volumes of unknown patients, whose slices are in two subsets of a fold."""
    together: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        if case.patient:
            together.setdefault(("patient", case.patient), []).append(case.case)
        elif case.volume:
            together.setdefault(("volume", case.volume), []).append(case.case)
    return [
        subsets.leak("split", f"{kind} {name} is in two subsets", names, folds)
        for (kind, name), names in together.items()
        if (folds := subsets.torn(names))
    ]


def check_spellings(cases: Sequence[Case]) -> list[Finding]:
    """Find patient IDs of a source that look alike, and may be one patient's."""
    findings = []
    for source in sorted({case.source for case in cases}):
        of_source = [case for case in cases if case.source == source]
        if similar := similar_patients(case.patient for case in of_source):
            names = {name for spellings in similar for name in spellings}
            alike = [case.case for case in of_source if case.patient in names]
            findings.append(note("split", f"{source}: {similar_in_words(similar)}", *alike))
    return findings


def _subsets_of(fold: Fold) -> dict[str, str]:
    return {name: subset for subset in SUBSETS for name in getattr(fold, subset)}
