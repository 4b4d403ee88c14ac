"""Splits of a data set into training, validation and test part, as files with seed and hash.

Three protocols:

- ``paper``: slices are drawn at random, as published work does; one patient's slices can fall on both sides.
- ``strict``: all slices of a patient stay in one part; where the patient is not known, those of a volume; where
  that is not known either, those of a group of near-duplicates, which leaves no *known* leak and claims no more.
- ``given``: the source's own training and test part.

The validation part is always cut from the training part, so that the test part decides nothing.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from covid_monai.data.manifest import Case, Dataset, read_dataset
from covid_monai.data.similarity import joined
from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json

FORMAT = "covid-monai split"
VERSION = 1
PROTOCOLS = ("paper", "strict", "given")
PARTS = ("train", "validation", "test")

Groups = list[list[str]]


@dataclass(frozen=True)
class Fold:
    """The case names of one fold's parts, each sorted; no case is in two parts."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Folds of one data set; ``dataset`` is :func:`dataset_hash` of it, ``kind`` folds, holdout or given."""

    protocol: str
    kind: str
    seed: int
    dataset: str
    folds: tuple[Fold, ...]


def dataset_hash(dataset: Dataset) -> str:
    """SHA-256 over the sorted case names and the hashes of their masks, as 64 hexadecimal digits."""
    lines = sorted(f"{case.case} {case.sha256['label']}\n" for case in dataset.cases)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def split_dataset(
    dataset: Dataset,
    protocol: str,
    folds: int | None = None,
    test_fraction: float | None = None,
    validation_fraction: float = 0.2,
    seed: int = 0,
) -> Split:
    """Split a data set. The result depends on the cases and the seed, not on the order of the cases.

    Args:
        dataset: the data set.
        protocol: ``paper`` (by slice), ``strict`` (by patient, volume, group) or ``given`` (by the source).
        folds: number of folds of a cross-validation; each case is in the test part of exactly one fold.
        test_fraction: share of the cases in the test part of a single hold-out fold, in (0, 1).
        validation_fraction: share of each fold's training cases that go to validation, in [0, 1); 0 for none.
        seed: seed of the draw.

    Raises:
        InputError: a setting is out of range, a patient is not known (``strict``), a part is not (``given``),
            or there are too few cases or patients.
    """
    _check_settings(protocol, folds, test_fraction, validation_fraction)
    if not dataset.cases:
        raise InputError(f"{dataset.folder} has no cases to split")
    generator = np.random.default_rng(seed)
    groups = _groups(dataset.cases, protocol)
    if protocol == "given":
        kind, tests = "given", [_given_test(dataset.cases)]
    elif folds is not None:
        kind, tests = "folds", _balanced_folds(groups, folds, generator)
    else:
        kind, tests = "holdout", [_draw(groups, test_fraction or 0.0, generator, "test")]
    made = tuple(_fold(groups, test, validation_fraction, generator) for test in tests)
    return Split(protocol, kind, seed, dataset_hash(dataset), made)


def write_split(path: str | PathLike[str], split: Split) -> None:
    """Write a split as JSON in one step."""
    content = {"format": FORMAT, "version": VERSION, **asdict(split), "sha256": _hash_of(split.folds)}
    write_json(path, content)


def read_split(path: str | PathLike[str]) -> Split:
    """Read a split file and check its hash and that no case is in two parts of a fold.

    Raises:
        InputError: the file is missing, is no split file, or was changed by hand.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise InputError(f"{path} is not a split file of version {VERSION}: make one with `covid-monai data split`")
    try:
        folds = tuple(Fold(*(tuple(map(str, entry[part])) for part in PARTS)) for entry in content["folds"])
        split = Split(content["protocol"], content["kind"], content["seed"], content["dataset"], folds)
        expected = content["sha256"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is not a complete split file: {error!r}") from error
    if _hash_of(folds) != expected:
        raise InputError(f"{path} was changed after it was written (its hash differs): make it again")
    for index, fold in enumerate(folds):
        names = [*fold.train, *fold.validation, *fold.test]
        if len(names) != len(set(names)):
            raise InputError(f"{path}: fold {index} has a case in two parts")
    return split


def datalist(
    dataset_dir: str | PathLike[str], split_file: str | PathLike[str] | None, fold: int, part: str
) -> list[dict[str, Any]]:
    """The cases of one part of one fold, as dictionaries for MONAI's data sets.

    Args:
        dataset_dir: a prepared folder.
        split_file: a split file; ``None`` or ``""`` when ``part`` is to be all cases.
        fold: index of the fold, from 0.
        part: ``train``, ``validation``, ``test`` or ``all``. Without a split file every part is all cases.

    Returns:
        One dictionary a case, in the order of the manifest: ``image`` and ``label`` (absolute paths),
        ``case``, ``patient`` and ``volume`` (``""`` where unknown), ``source``, ``slice`` (-1 where unknown)
        and ``spacing_known``.

    Raises:
        InputError: the split is of another data set, the fold or part does not exist or is empty, or a file
            is missing.
    """
    if part not in (*PARTS, "all"):
        raise InputError(f"part is {part!r}, allowed: {', '.join(PARTS)}, all")
    dataset = read_dataset(dataset_dir)
    cases = dataset.cases
    if split_file:
        names = _names_of(dataset, read_split(split_file), split_file, fold, part)
        cases = tuple(case for case in cases if case.case in names)
    if not cases:
        place = f"the {part} part of fold {fold} in {split_file}" if split_file else str(dataset_dir)
        raise InputError(f"{place} is empty: make a split with a larger share for it")
    return [_entry(dataset.folder.resolve(), case) for case in cases]


def _check_settings(protocol: str, folds: int | None, test_fraction: float | None, validation_fraction: float) -> None:
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol is {protocol!r}, allowed: {', '.join(PROTOCOLS)}")
    if protocol == "given" and (folds is not None or test_fraction is not None):
        raise InputError("protocol given takes the source's parts: leave folds and test fraction away")
    if protocol != "given" and (folds is None) == (test_fraction is None):
        raise InputError(f"protocol {protocol} needs either a number of folds or a test fraction")
    if folds is not None and folds < 2:
        raise InputError(f"folds is {folds}, at least 2 are needed")
    if test_fraction is not None and not 0 < test_fraction < 1:
        raise InputError(f"test fraction is {test_fraction}, it has to lie between 0 and 1")
    if not 0 <= validation_fraction < 1:
        raise InputError(f"validation fraction is {validation_fraction}, it has to be at least 0 and under 1")


def _groups(cases: Sequence[Case], protocol: str) -> Groups:
    """Case names that have to stay together, sorted, so that the order of the manifest does not matter."""
    if protocol == "paper":
        return [[name] for name in sorted(case.case for case in cases)]
    keys = [_ties(case) for case in cases]
    unknown = [case.case for case, own in zip(cases, keys, strict=True) if not own]
    if unknown and protocol == "strict":
        raise InputError(
            f"protocol strict needs to know who is who, but {len(unknown)} of {len(cases)} cases have "
            f"neither patient nor volume nor group (first: {unknown[0]}): group near-duplicates with "
            "`covid-monai data group`, or use protocol paper or given"
        )
    together: dict[int, list[str]] = {}
    for case, number in zip(cases, joined(keys), strict=True):
        together.setdefault(number, []).append(case.case)
    return sorted(sorted(names) for names in together.values())


def _ties(case: Case) -> list[tuple[str, str]]:
    """What ties a case to others: cases that share one of these are, or may be, of one person."""
    known = (("patient", case.patient), ("volume", case.volume), ("group", case.group))
    return [(kind, name) for kind, name in known if name]


def _given_test(cases: Sequence[Case]) -> set[str]:
    without = [case.case for case in cases if case.part is None]
    if without:
        raise InputError(
            f"protocol given needs the source's parts, but {len(without)} of {len(cases)} cases have none "
            f"(first: {without[0]}); use protocol paper or strict"
        )
    test = {case.case for case in cases if case.part == "test"}
    if len(test) in (0, len(cases)):
        raise InputError("protocol given needs cases of both parts, train and test; all are of one part")
    return test


def _balanced_folds(groups: Groups, folds: int, generator: np.random.Generator) -> list[set[str]]:
    """Deal the groups out, the largest first, each to the fold with the fewest cases so far."""
    if folds > len(groups):
        raise InputError(f"{folds} folds need as many groups (cases or patients), there are {len(groups)}")
    made: list[set[str]] = [set() for _ in range(folds)]
    # the sort is stable: among groups of one size the drawn order stays
    for group in sorted(_shuffled(groups, generator), key=len, reverse=True):
        min(made, key=len).update(group)
    return made


def _draw(groups: Groups, fraction: float, generator: np.random.Generator, part: str) -> set[str]:
    """Draw about ``fraction`` of the cases, whole groups, leaving at least one group behind.

    In a drawn order every group that still fits is taken; the smallest that is left follows where that comes
    closer to the target, and always where nothing fitted.
    """
    if len(groups) < 2:
        raise InputError(f"a {part} part needs at least two groups (cases or patients), there is {len(groups)}")
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


def _fold(groups: Groups, test: set[str], fraction: float, generator: np.random.Generator) -> Fold:
    rest = [kept for group in groups if (kept := [name for name in group if name not in test])]
    validation = _draw(rest, fraction, generator, "validation") if fraction else set()
    train = set(chain.from_iterable(rest)) - validation
    return Fold(*(tuple(sorted(names)) for names in (train, validation, test)))


def _shuffled(groups: Groups, generator: np.random.Generator) -> Groups:
    return [groups[index] for index in generator.permutation(len(groups))]


def _hash_of(folds: Sequence[Fold]) -> str:
    return hashlib.sha256(json.dumps([asdict(fold) for fold in folds]).encode()).hexdigest()


def _names_of(dataset: Dataset, split: Split, path: str | PathLike[str], fold: int, part: str) -> set[str]:
    if split.dataset != dataset_hash(dataset):
        raise InputError(f"{path} was made for another data set than {dataset.folder}: make it again from this one")
    if not 0 <= fold < len(split.folds):
        raise InputError(f"fold {fold} does not exist: {path} has folds 0 to {len(split.folds) - 1}")
    if part == "all":
        return {case.case for case in dataset.cases}
    return set(getattr(split.folds[fold], part))


def _entry(folder: Path, case: Case) -> dict[str, Any]:
    paths = {"image": folder / case.image, "label": folder / case.label}
    for path in paths.values():
        if not path.is_file():
            raise InputError(f"{path} is missing: dataset.json names it; prepare the data again")
    return {
        **{key: str(path) for key, path in paths.items()},
        "case": case.case,
        "patient": case.patient or "",
        "volume": case.volume or "",
        "source": case.source,
        "slice": -1 if case.slice is None else case.slice,
        "spacing_known": case.spacing_known,
    }
