"""Splits of a data set into training, validation and test subset, as files with seed and hash.

Protocols:

- ``paper``: slices are drawn at random, as published work does; one patient's slices can be in training and
  test alike.
- ``grouped``: all slices of a patient stay in one subset; where the patient is not known, those of a volume; where
  that is not known either, those of a group of near-duplicates, which leaves no *known* data leakage and claims no
  more.
- ``given``: the source's own training and test subset.
- ``control-grouped`` and ``control-ungrouped``: a pair that differs in grouping alone. The test subsets of the first
  are those of ``grouped``; those of the second have the same sizes, of slices drawn at random. Under both all other
  slices are trained on and the test subset validates, so that a difference of scores is none of fewer training slices
  or of another validation subset.

The validation subset is cut from the training subset, so that the test subset decides nothing, unless a split is asked
for that repeats the data leakage of papers which stop training on their only held-out subset, and says so.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from covid_monai.data.drawing import (
    balanced_folds,
    drawn_subset,
    given_test,
    groups_to_train_on,
    redrawn_by_case,
    refuse_leakage,
    refuse_unknown_cases,
    single_cases,
    tied_cases,
)
from covid_monai.data.manifest import FILE_NAME as MANIFEST_FILE
from covid_monai.data.manifest import Case, Dataset, read_dataset
from covid_monai.data.patients import warn_of_similar_patients
from covid_monai.data.verified import refuse_changed_files
from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json

FORMAT = "covid-monai split"
VERSION = 1
FILE_NAME = "split.json"
"""Of a data set's split, where no other is named."""
CONTROL_PROTOCOLS = ("control-grouped", "control-ungrouped")
GROUPED_PROTOCOLS = ("grouped", "control-grouped")
"""Those that keep the cases of a patient, volume or group in one subset."""
PROTOCOLS = ("paper", "grouped", "given", *CONTROL_PROTOCOLS)
OLD_PROTOCOLS = {"strict": "grouped"}
"""Names of release 0.1, which split files still have."""
SUBSETS = ("train", "validation", "test")

_LEFT_OUT_ON_DISK = "without_look_alikes"


@dataclass(frozen=True)
class Fold:
    """The case names of one fold's subsets, each sorted; no case is in two subsets.

    Where the split says that validation is test, these two subsets are one and the same.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Folds of one data set; ``dataset`` is :func:`dataset_hash` of it, ``kind`` folds, holdout or given.

    ``validation_is_test`` says that the validation subset is the test subset, data leakage by design;
    ``without_near_duplicates`` that cases which may be of a patient in the test subset are in no subset.
    """

    protocol: str
    kind: str
    seed: int
    dataset: str
    folds: tuple[Fold, ...]
    validation_is_test: bool = False
    without_near_duplicates: bool = False


def protocol_named(name: str) -> str:
    """A protocol by its present name, for a present or an old one; what is neither stays as it is."""
    return OLD_PROTOCOLS.get(name, name)


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
    validation_is_test: bool = False,
    without_near_duplicates: bool = False,
) -> Split:
    """Split a data set. The result depends on the cases and the seed, not on the order of the cases.

    Args:
        dataset: the data set.
        protocol: ``paper`` (by slice), ``grouped`` (by patient, volume, group), ``given`` (by the source), or one of
            the pair ``control-grouped`` and ``control-ungrouped``, where the test subset always validates.
        folds: number of folds of a cross-validation; each case is in the test subset of exactly one fold.
        test_fraction: share of the cases in the test subset of a single hold-out fold, in (0, 1).
        validation_fraction: share of each fold's training cases that go to validation, in [0, 1); 0 for none. Of no
            meaning where ``validation_is_test``.
        seed: seed of the draw. The same seed draws the same test subsets whatever the validation subset is.
        validation_is_test: make the test subset the validation subset too, as papers have it which stop training on
            the loss of their only held-out subset: the test subset then chooses the weights. Not for ``grouped``, which
            promises the opposite.
        without_near_duplicates: for ``given``: leave training cases out that share patient, volume or group with a test
            case, directly or through others. They are in no subset.

    Raises:
        InputError: a setting is out of range, a patient is not known (``grouped``, ``control-...``,
            ``without_near_duplicates``), a subset is not (``given``), or there are too few cases or patients.
    """
    protocol = protocol_named(protocol)
    validation_is_test = validation_is_test or protocol in CONTROL_PROTOCOLS
    _check_settings(protocol, folds, test_fraction, validation_fraction)
    refuse_leakage(protocol, validation_is_test, without_near_duplicates)
    if not dataset.cases:
        raise InputError(f"{dataset.folder} has no cases to split")
    _check_patients(dataset, protocol, without_near_duplicates)
    groups = single_cases(dataset.cases) if protocol == "paper" else tied_cases(dataset.cases)
    generator = np.random.default_rng(seed)
    if protocol == "given":
        kind, tests = "given", [given_test(dataset.cases)]
    elif folds is not None:
        kind, tests = "folds", balanced_folds(groups, folds, generator)
    else:
        kind, tests = "holdout", [drawn_subset(groups, test_fraction or 0.0, generator, "test")]
    if protocol == "control-ungrouped":
        groups = single_cases(dataset.cases)
        tests = redrawn_by_case(groups, tests, generator)
    drawn = []
    for test in tests:
        rest = groups_to_train_on(groups, test, without_near_duplicates)
        if validation_is_test:
            validation = test
        else:
            validation = (
                drawn_subset(rest, validation_fraction, generator, "validation") if validation_fraction else set()
            )
        train = set(chain.from_iterable(rest)) - validation
        drawn.append(Fold(*(tuple(sorted(names)) for names in (train, validation, test))))
    return Split(protocol, kind, seed, dataset_hash(dataset), tuple(drawn), validation_is_test, without_near_duplicates)


def write_split(path: str | PathLike[str], split: Split) -> None:
    """Write a split as JSON in one step."""
    write_json(path, {"format": FORMAT, "version": VERSION, **_on_disk(split), "sha256": _hash_of(split)})


def read_split(path: str | PathLike[str]) -> Split:
    """Read a split file and check its hash and that no case is in two subsets of a fold.

    Where the split says that validation is test, these two have to be the same cases, and training none of them.

    Raises:
        InputError: the file is missing, is no split file, or was changed by hand.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise InputError(f"{path} is not a split file of version {VERSION}: make one with `covid-monai data split`")
    try:
        folds = tuple(Fold(*(tuple(map(str, entry[subset])) for subset in SUBSETS)) for entry in content["folds"])
        split = Split(
            protocol=protocol_named(content["protocol"]),
            kind=content["kind"],
            seed=content["seed"],
            dataset=content["dataset"],
            folds=folds,
            # files that were written before these two existed lack them
            validation_is_test=_flag(content, "validation_is_test", path),
            without_near_duplicates=_flag(content, _LEFT_OUT_ON_DISK, path),
        )
        expected = content["sha256"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is not a complete split file: {error!r}") from error
    if _hash_of(split) != expected:
        raise InputError(f"{path} was changed after it was written (its hash differs): make it again")
    for index, fold in enumerate(folds):
        if split.validation_is_test and fold.validation != fold.test:
            raise InputError(f"{path}: validation of fold {index} is not its test subset, as the file says it is")
        names = [*fold.train, *(() if split.validation_is_test else fold.validation), *fold.test]
        if len(names) != len(set(names)):
            raise InputError(f"{path}: fold {index} has a case in two subsets")
    return split


def datalist(
    dataset_dir: str | PathLike[str],
    split_file: str | PathLike[str] | None,
    fold: int,
    subset: str | None = None,
    *,
    part: str | None = None,
) -> list[dict[str, Any]]:
    """The cases of one subset of one fold, as dictionaries for MONAI's data sets.

    Args:
        dataset_dir: a prepared folder.
        split_file: a split file; ``None`` or ``""`` takes all cases as every subset.
        fold: index of the fold, from 0.
        subset: ``train``, ``validation``, ``test`` or ``all``.
        part: the name of ``subset`` in release 0.1.

    Returns:
        One dictionary a case, in the order of the manifest: ``image`` and ``label`` (absolute paths),
        ``case``, ``patient`` and ``volume`` (``""`` where unknown), ``source``, ``slice`` (-1 where unknown)
        and ``spacing_known``.

    Raises:
        InputError: the split is of another data set, or of this one before it was changed, the fold or subset does not
            exist or is empty, or a file is missing or was changed (see
            :func:`covid_monai.data.verified.refuse_changed_files`).
    """
    subset = part if subset is None else subset
    if subset not in (*SUBSETS, "all"):
        raise InputError(f"subset is {subset!r}, allowed: {', '.join(SUBSETS)}, all")
    dataset = read_dataset(dataset_dir)
    cases = dataset.cases
    if split_file:
        names = _names_of(dataset, read_split(split_file), split_file, fold, subset)
        cases = tuple(case for case in cases if case.case in names)
    if not cases:
        place = f"the {subset} subset of fold {fold} in {split_file}" if split_file else str(dataset_dir)
        raise InputError(f"{place} is empty: make a split with a larger share for it")
    refuse_changed_files(dataset, cases)
    return [_entry(dataset.folder.resolve(), case) for case in cases]


def _check_settings(protocol: str, folds: int | None, test_fraction: float | None, validation_fraction: float) -> None:
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol is {protocol!r}, allowed: {', '.join(PROTOCOLS)}")
    if protocol == "given" and (folds is not None or test_fraction is not None):
        raise InputError("protocol given takes the source's own subsets: leave `folds` and `test_fraction` away")
    if protocol != "given" and (folds is None) == (test_fraction is None):
        raise InputError(f"protocol {protocol} needs either a number of folds or a test fraction")
    if folds is not None and folds < 2:
        raise InputError(f"folds is {folds}, at least 2 are needed")
    if test_fraction is not None and not 0 < test_fraction < 1:
        raise InputError(f"test fraction is {test_fraction}, it has to lie between 0 and 1")
    if not 0 <= validation_fraction < 1:
        raise InputError(f"validation fraction is {validation_fraction}, it has to be at least 0 and under 1")


def _check_patients(dataset: Dataset, protocol: str, without_near_duplicates: bool) -> None:
    """Refuse cases of which nothing is known, and warn of patient IDs that look alike, where patients matter."""
    needed = protocol in (*GROUPED_PROTOCOLS, *CONTROL_PROTOCOLS)
    if needed:
        refuse_unknown_cases(dataset, f"protocol {protocol}", "use protocol paper or given")
    if without_near_duplicates:
        refuse_unknown_cases(dataset, "leaving near-duplicates out", "leave them in")
    if needed or without_near_duplicates:
        for source in sorted({case.source for case in dataset.cases}):
            warn_of_similar_patients((case.patient for case in dataset.cases if case.source == source), source)


def _flag(content: Mapping[str, Any], key: str, path: str | PathLike[str]) -> bool:
    value = content.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f"{path}: {key} is {value!r}; it can be true or false")
    return value


def _on_disk(split: Split) -> dict[str, Any]:
    """A split's fields under the names that its file and its hash have had from the first release on."""
    content = asdict(split)
    content[_LEFT_OUT_ON_DISK] = content.pop("without_near_duplicates")
    return content


def _hash_of(split: Split) -> str:
    folds = [asdict(fold) for fold in split.folds]
    # a split without these has the hash that it had before they existed
    flags = [key for key in ("validation_is_test", _LEFT_OUT_ON_DISK) if _on_disk(split)[key]]
    return hashlib.sha256(json.dumps([folds, flags] if flags else folds).encode()).hexdigest()


def _names_of(dataset: Dataset, split: Split, path: str | PathLike[str], fold: int, subset: str) -> set[str]:
    if split.dataset != dataset_hash(dataset):
        raise InputError(f"{path} was made for another data set than {dataset.folder}: make it again from this one")
    if not 0 <= fold < len(split.folds):
        raise InputError(f"fold {fold} does not exist: {path} has folds 0 to {len(split.folds) - 1}")
    if subset == "all":
        return {case.case for case in dataset.cases}
    _refuse_changed_patients(dataset, split, path, fold)
    return set(getattr(split.folds[fold], subset))


def _refuse_changed_patients(dataset: Dataset, split: Split, path: str | PathLike[str], fold: int) -> None:
    """Refuse a split that does not keep its protocol's promise with what ``dataset.json`` says now."""
    again = f"{dataset.folder / MANIFEST_FILE} was changed after the split was made: make {path} again"
    if split.protocol == "given" and set(split.folds[fold].test) != given_test(dataset.cases):
        raise InputError(f"the test subset of {path} is not the one that the source gives; {again}")
    if split.protocol not in GROUPED_PROTOCOLS:
        return
    home = {name: subset for subset in SUBSETS for name in getattr(split.folds[fold], subset)}
    for names in tied_cases(dataset.cases):
        if len({home.get(name) for name in names}) > 1:
            raise InputError(
                f"fold {fold} of {path} is grouped, but has cases of one patient, volume or group in several subsets "
                f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''}); {again}"
            )


def _entry(folder: Path, case: Case) -> dict[str, Any]:
    paths = {"image": folder / case.image, "label": folder / case.label}
    return {
        **{key: str(path) for key, path in paths.items()},
        "case": case.case,
        "patient": case.patient or "",
        "volume": case.volume or "",
        "source": case.source,
        "slice": -1 if case.slice is None else case.slice,
        "spacing_known": case.spacing_known,
    }
