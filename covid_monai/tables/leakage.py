"""Data leakage between training and test in the splits of the jobs: patients, near-duplicates, identical slices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean

from covid_monai.data.checks.cases import Look, check_case
from covid_monai.data.checks.findings import CHECKS, Finding
from covid_monai.data.checks.near_duplicates import check_duplicates
from covid_monai.data.checks.splits import Subsets, check_patients, load_split
from covid_monai.data.drawing import tied_cases
from covid_monai.data.manifest import Case, Dataset
from covid_monai.data.near_duplicates import joined, similar_pairs
from covid_monai.tables.folder import split_file
from covid_monai.tables.results import Results
from covid_monai.tables.table import CONTROL_ARMS

AUDIT_RULE = (
    "Counted over all folds of the split, whether or not their jobs are done. In training and test: in the test subset "
    "of a fold, and in its training or validation subset (where that is not the test subset itself). A pair of "
    "near-duplicates is two slices that are not of one known patient or volume and whose similarity is above the "
    "threshold of `covid-monai data group`; it can be one person or chance. Exposed: a test slice with another slice "
    "of its patient, volume or group, a near-duplicate or an identical slice in training or validation."
)


@dataclass(frozen=True)
class SplitAudit:
    """What leaks between training and test in a split.

    ``leaks`` has, for patients, volumes, groups of near-duplicates, pairs of near-duplicates and of identical slices,
    how many are in training and test, and of how many; ``exposed`` is how many of the ``tested`` slices have any such
    relative, ``exposed_groups`` their names, those together that are relatives of each other. ``trained``
    is the mean number of training slices of a fold. ``findings`` are those of
    ``covid-monai data check``, errors first.
    """

    name: str
    protocol: str
    tested: int
    exposed: int
    trained: float
    leaks: dict[str, tuple[int, int]]
    findings: tuple[Finding, ...]
    exposed_groups: tuple[tuple[str, ...], ...] = ()


def audit_splits(results: Results) -> list[SplitAudit]:
    """Audit the split of each protocol and variant that has finished jobs.

    Raises:
        InputError: an image cannot be read.
    """
    jobs = results.jobs[["protocol", "variant"]].drop_duplicates()
    audits = []
    for variant in jobs["variant"].unique():
        dataset = results.datasets[variant]
        checked = [(case, *check_case(dataset, case)) for case in dataset.cases]
        looks = [(case, look) for case, _, look in checked if look is not None]
        of_files = [finding for _, found, _ in checked for finding in found]
        relatives = _Relatives(dataset, looks)
        for protocol in jobs.loc[jobs["variant"] == variant, "protocol"]:
            path = split_file(protocol, variant, results.output)
            audits.append(_audit(dataset, path, looks, of_files, relatives))
    order = ("paper", "grouped", *CONTROL_ARMS)
    return sorted(audits, key=lambda audit: ([not audit.name.startswith(name) for name in order], audit.name))


def exposed_groups(folds: Sequence[Mapping[str, str]], sets: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The test slices with a relative that their fold trains or validates on, those that are relatives together.

    Args:
        folds: of each the subset of each case.
        sets: cases that are relatives of each other.
    """
    sets_of: dict[str, list[int]] = {}
    for number, names in enumerate(sets):
        for fold in folds:
            if _is_torn(names, fold):
                for name in names:
                    if fold.get(name) == "test":
                        sets_of.setdefault(name, []).append(number)
    groups: dict[int, list[str]] = {}
    for name, group in zip(sorted(sets_of), joined([sets_of[name] for name in sorted(sets_of)]), strict=True):
        groups.setdefault(group, []).append(name)
    return tuple(tuple(names) for names in groups.values())


class _Relatives:
    """Sets of cases that should not be torn apart, by their kind."""

    def __init__(self, dataset: Dataset, looks: Sequence[tuple[Case, Look]]) -> None:
        cases = dataset.cases
        digests: dict[str, list[str]] = {}
        for case, look in looks:
            digests.setdefault(look.digest, []).append(case.case)
        identical: list[tuple[str, ...]] = [pair for names in digests.values() for pair in combinations(names, 2)]
        alike = [
            (looks[pair.first][0], looks[pair.second][0])
            for pair in similar_pairs([look.fingerprint for _, look in looks])
            if looks[pair.first][1].digest != looks[pair.second][1].digest
        ]
        self.kinds: dict[str, list[tuple[str, ...]]] = {
            "patients": _shared(cases, "patient"),
            "volumes": _shared(cases, "volume"),
            "groups of near-duplicates": _shared(cases, "group"),
            "pairs of near-duplicates": [
                (entry.case, other.case)
                for entry, other in alike
                if not (_same(entry, other) or _different_patients(entry, other))
            ],
            "pairs of identical slices": identical,
        }
        self.tied = [tuple(names) for names in tied_cases(cases)]


def _audit(
    dataset: Dataset,
    path: Path,
    looks: Sequence[tuple[Case, Look]],
    of_files: Iterable[Finding],
    relatives: _Relatives,
) -> SplitAudit:
    parts, found = load_split(dataset, path)
    findings = [*of_files, *found]
    tested, exposed, trained = 0, 0, 0.0
    groups: tuple[tuple[str, ...], ...] = ()
    leaks = dict.fromkeys(relatives.kinds, (0, 0))
    if parts is not None:
        findings += [*check_patients(dataset.cases, parts), *check_duplicates(looks, parts)]
        leaks = {
            kind: (sum(_leaks(names, parts) for names in sets), len(sets)) for kind, sets in relatives.kinds.items()
        }
        trained = fmean(sum(part == "train" for part in fold.values()) for fold in parts.folds)
        sets = [*relatives.tied, *(names for each in relatives.kinds.values() for names in each)]
        tested, exposed = _exposure(parts, sets)
        groups = exposed_groups(parts.folds, sets)
    # whoever reads it elsewhere has these folders in other places
    for place in (path.parents[1], dataset.folder):
        findings = [
            replace(each_finding, message=each_finding.message.replace(f"{place}/", "")) for each_finding in findings
        ]
    findings.sort(key=lambda finding: (finding.severity != "error", CHECKS.index(finding.check)))
    return SplitAudit(
        name=path.stem,
        protocol=parts.protocol if parts is not None else "unreadable",
        tested=tested,
        exposed=exposed,
        trained=trained,
        leaks=leaks,
        findings=tuple(findings),
        exposed_groups=groups,
    )


def _leaks(names: Sequence[str], parts: Subsets) -> bool:
    return any(_is_torn(names, fold) for fold in parts.folds)


def _is_torn(names: Sequence[str], fold: Mapping[str, str]) -> bool:
    return len({fold[name] == "test" for name in names if name in fold}) > 1


def _exposure(parts: Subsets, sets: Sequence[Sequence[str]]) -> tuple[int, int]:
    """How many test slices there are, and how many have a relative that their fold trains or validates on."""
    tested = exposed = 0
    for fold in parts.folds:
        tested += sum(part == "test" for part in fold.values())
        torn = [names for names in sets if _is_torn(names, fold)]
        exposed += len({name for names in torn for name in names if fold.get(name) == "test"})
    return tested, exposed


def _shared(cases: Iterable[Case], key: str) -> list[tuple[str, ...]]:
    """The cases of each patient, volume or group."""
    members: dict[str, list[str]] = {}
    for case in cases:
        if getattr(case, key) is not None:
            members.setdefault(getattr(case, key), []).append(case.case)
    return [tuple(names) for names in members.values()]


def _same(case: Case, other: Case) -> bool:
    return any(
        getattr(case, key) is not None and getattr(case, key) == getattr(other, key) for key in ("patient", "volume")
    )


def _different_patients(case: Case, other: Case) -> bool:
    return case.patient is not None and other.patient is not None and case.patient != other.patient
