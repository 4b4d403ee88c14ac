"""Drawing the subsets of a split: groups of cases that have to stay together are drawn whole."""

from collections.abc import Iterable, Sequence
from os import PathLike
from shlex import quote

import numpy as np

from covid_monai.data.manifest import Case, Dataset
from covid_monai.data.near_duplicates import joined
from covid_monai.errors import InputError

_USUAL_FOLDS = 5

Groups = list[list[str]]
"""Names of the cases that have to stay together, each group sorted, and the groups too."""


def single_cases(cases: Iterable[Case]) -> Groups:
    """Every case as a group of its own, whatever is known about it."""
    return [[name] for name in sorted(case.case for case in cases)]


def tied_cases(cases: Sequence[Case]) -> Groups:
    """Cases that share a patient, a volume or a group, directly or through others; the rest stand alone.

    The result does not depend on the order of the cases.
    """
    together: dict[int, list[str]] = {}
    for case, number in zip(cases, joined([_ties(case) for case in cases]), strict=True):
        together.setdefault(number, []).append(case.case)
    return sorted(sorted(names) for names in together.values())


def refuse_unknown_cases(dataset: Dataset, wish: str, otherwise: str) -> None:
    """Refuse what needs patient IDs where there are cases of which nothing is known.

    Args:
        dataset: the data set.
        wish: what needs it, such as ``protocol grouped``.
        otherwise: what can be done beside grouping the cases.

    Raises:
        InputError: a case has neither patient nor volume nor group.
    """
    unknown = [case.case for case in dataset.cases if not _ties(case)]
    if unknown:
        raise InputError(
            f"{wish} needs patient IDs, but {len(unknown)} of {len(dataset.cases)} cases have "
            f"neither patient nor volume nor group (first: {unknown[0]}): group near-duplicates with "
            f"`covid-monai data group {quote(str(dataset.folder))}`, or {otherwise}"
        )


def refuse_leakage(protocol: str, validation_is_test: bool, without_near_duplicates: bool) -> None:
    """Refuse what a protocol promises not to do.

    Raises:
        InputError: the test subset is to validate under ``grouped``, or near-duplicates are to be left out of a subset
            that is drawn.
    """
    if validation_is_test and protocol == "grouped":
        raise InputError(
            "protocol grouped promises that the test subset decides nothing, so its validation subset cannot be the "
            "test subset: use protocol paper or given for that data leakage"
        )
    if without_near_duplicates and protocol != "given":
        raise InputError(
            f"near-duplicates are left out under protocol given alone, not {protocol}: grouped keeps them together "
            "anyway, and paper draws slices at random"
        )


def split_command(dataset: Dataset, path: str | PathLike[str], protocol: str | None = None) -> str:
    """A command line that splits a data set; it works when pasted into a shell.

    Args:
        dataset: the data set.
        path: the split file to write.
        protocol: the protocol; None takes ``grouped`` where patients, volumes or groups are known (``paper`` where it
            is but one), else ``given`` where the source has subsets, else ``grouped`` after grouping near-duplicates.
    """
    known = all(_ties(case) for case in dataset.cases)
    if protocol is None:
        subsets = {case.part for case in dataset.cases}
        protocol = "given" if not known and subsets == {"train", "test"} else "grouped"
        protocol = "paper" if known and len(tied_cases(dataset.cases)) == 1 else protocol
    folder = quote(str(dataset.folder))
    command = f"covid-monai data split {folder} -o {quote(str(path))} --protocol {protocol}"
    if protocol == "given":
        return command
    groups = single_cases(dataset.cases) if protocol == "paper" else tied_cases(dataset.cases)
    command += f" --folds {max(2, min(_USUAL_FOLDS, len(groups)))}"
    if len(groups) < 3:
        # the training subset of a fold is then one group, of which no validation subset can be cut
        command += " --validation-fraction 0"
    return command if known or protocol == "paper" else f"covid-monai data group {folder} && {command}"


def given_test(cases: Sequence[Case]) -> set[str]:
    """The source's own test subset.

    Raises:
        InputError: the source does not say of every case which subset it is of, or all are of one.
    """
    without = [case.case for case in cases if case.part is None]
    if without:
        raise InputError(
            f"protocol given needs the source's own subsets, but {len(without)} of {len(cases)} cases have none "
            f"(first: {without[0]}); use protocol paper or grouped"
        )
    test = {case.case for case in cases if case.part == "test"}
    if len(test) in (0, len(cases)):
        raise InputError("protocol given needs cases of both subsets, train and test; all are of one")
    return test


def balanced_folds(groups: Groups, folds: int, generator: np.random.Generator) -> list[set[str]]:
    """Deal the groups out, the largest first, each to the fold with the fewest cases so far.

    Raises:
        InputError: there are fewer groups than folds.
    """
    if folds > len(groups):
        raise InputError(f"{folds} folds need as many groups (cases or patients), there are {len(groups)}")
    tests: list[set[str]] = [set() for _ in range(folds)]
    # the sort is stable: among groups of one size the drawn order stays
    for group in sorted(_shuffled(groups, generator), key=len, reverse=True):
        min(tests, key=len).update(group)
    return tests


def drawn_subset(groups: Groups, fraction: float, generator: np.random.Generator, subset: str) -> set[str]:
    """Draw about ``fraction`` of the cases, whole groups, leaving at least one group behind.

    In a drawn order every group that still fits is taken; the smallest that is left follows where that comes
    closer to the target, and always where nothing fitted.

    Raises:
        InputError: there are fewer than two groups.
    """
    if len(groups) < 2:
        raise InputError(f"a {subset} subset needs at least two groups (cases or patients), there is {len(groups)}")
    target = fraction * sum(map(len, groups))
    taken: set[str] = set()
    left: Groups = []
    for group in _shuffled(groups, generator):
        if len(taken) + len(group) <= target:
            taken.update(group)
        else:
            left.append(group)
    smallest = min(left, key=len)
    comes_closer = abs(len(taken) + len(smallest) - target) < abs(len(taken) - target)
    if not taken or (comes_closer and len(left) > 1):
        taken.update(smallest)
    return taken


def redrawn_by_case(groups: Groups, tests: Sequence[set[str]], generator: np.random.Generator) -> list[set[str]]:
    """Test subsets of the sizes of ``tests``, disjoint as these are, of cases drawn at random."""
    names = [name for group in _shuffled(groups, generator) for name in group]
    ends = np.cumsum([len(test) for test in tests]).tolist()
    return [set(names[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def groups_to_train_on(groups: Groups, test: set[str], without_near_duplicates: bool) -> Groups:
    """The groups without the test subset's cases.

    Args:
        groups: of all cases.
        test: the cases of the test subset.
        without_near_duplicates: leave out whole groups that have a test case.

    Raises:
        InputError: nothing is left to train on.
    """
    kept = [group for group in groups if not (without_near_duplicates and test.intersection(group))]
    rest = [names for group in kept if (names := [name for name in group if name not in test])]
    if not rest:
        raise InputError("every training case is a near-duplicate of a test case: nothing is left to train on")
    return rest


def _ties(case: Case) -> list[tuple[str, str]]:
    """What ties a case to others: cases that share one of these are, or may be, of one patient."""
    known = (("patient", case.patient), ("volume", case.volume), ("group", case.group))
    return [(kind, name) for kind, name in known if name]


def _shuffled(groups: Groups, generator: np.random.Generator) -> Groups:
    return [groups[index] for index in generator.permutation(len(groups))]
