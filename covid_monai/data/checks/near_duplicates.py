"""Slices that are there twice, and near-duplicates under two patient IDs."""

from collections.abc import Sequence
from itertools import combinations

from covid_monai.data.checks.cases import Look
from covid_monai.data.checks.findings import Finding, error, note
from covid_monai.data.checks.splits import Subsets
from covid_monai.data.manifest import Case
from covid_monai.data.near_duplicates import SimilarPair, joined_by_pairs, similar_pairs

Looks = Sequence[tuple[Case, Look]]


def check_duplicates(looks: Looks, subsets: Subsets | None) -> list[Finding]:
    """Compare all slices with each other, time growing with the square of their number.

    Identical slices are an error where they are of two patients or in two subsets of a fold, else a note.
    Near-duplicates are no finding within a patient or volume; of two known patients they are a note; where a patient is
    not known they are a note, and an error where a ``grouped`` split has them in two subsets.
    """
    cases = [case for case, _ in looks]
    pairs = similar_pairs([look.fingerprint for _, look in looks])
    identical = {frozenset(names) for names in _identical(looks)}
    others = [
        pair
        for pair in pairs
        if looks[pair.first][1].digest != looks[pair.second][1].digest
        and not _same_patient(cases[pair.first], cases[pair.second])
    ]
    findings = [_find_identical([case for case in cases if case.case in names], subsets) for names in identical]
    return sorted(findings, key=lambda finding: finding.cases) + _find_similar(cases, others, subsets)


def _identical(looks: Looks) -> list[list[str]]:
    by_digest: dict[str, list[str]] = {}
    for case, look in looks:
        by_digest.setdefault(look.digest, []).append(case.case)
    return [names for names in by_digest.values() if len(names) > 1]


def _find_identical(cases: Sequence[Case], subsets: Subsets | None) -> Finding:
    names = [case.case for case in cases]
    if any(_two_patients(first, second) for first, second in combinations(cases, 2)):
        return error("duplicate", "one image under two patients: one of the names is wrong", *names)
    if subsets is not None and (folds := subsets.torn(names)):
        where = ", ".join(map(str, folds))
        return error("duplicate", f"one image in two subsets of fold {where}: remove one", *names)
    return note("duplicate", "one image more than once: it counts as often", *names)


def _find_similar(cases: Sequence[Case], pairs: Sequence[SimilarPair], subsets: Subsets | None) -> list[Finding]:
    two_patients: dict[tuple[str, str], list[str]] = {}
    unsure = []
    for pair in pairs:
        first, second = cases[pair.first], cases[pair.second]
        if not _two_patients(first, second):
            unsure.append(pair)
            continue
        low, high = sorted((first.patient or "", second.patient or ""))
        two_patients.setdefault((low, high), []).extend((first.case, second.case))
    findings = [
        note("near-duplicate", f"patients {low} and {high} have near-duplicate slices", *dict.fromkeys(names))
        for (low, high), names in two_patients.items()
    ]
    for positions in joined_by_pairs(len(cases), unsure):
        names = [cases[position].case for position in positions]
        if subsets is not None and (folds := subsets.torn(names)):
            message = "near-duplicates, likely of one patient, are in two subsets"
            findings.append(subsets.leak("near-duplicate", message, names, folds))
        elif any(cases[position].group is None for position in positions):
            message = "near-duplicates, likely of one patient: `covid-monai data group` keeps them together"
            findings.append(note("near-duplicate", message, *names))
    return findings


def _same_patient(first: Case, second: Case) -> bool:
    same_volume = first.volume is not None and first.volume == second.volume
    return same_volume or (first.patient is not None and first.patient == second.patient)


def _two_patients(first: Case, second: Case) -> bool:
    return first.patient is not None and second.patient is not None and first.patient != second.patient
