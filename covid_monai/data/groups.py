"""Groups of near-duplicates in ``dataset.json``, for splits of slices whose patient is not known."""

from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from covid_monai.data.manifest import Case, Dataset, write_dataset
from covid_monai.data.similarity import THRESHOLD, fingerprint, joined, similar_pairs
from covid_monai.transforms.nifti import read_nifti


@dataclass(frozen=True)
class Grouping:
    """What :func:`group_cases` found: how many cases had no patient or volume, and the groups they are in now."""

    unknown: int
    groups: dict[str, tuple[str, ...]]


def group_cases(dataset: Dataset, threshold: float = THRESHOLD, progress: bool = False) -> Grouping:
    """Write the ``group`` of every case that has neither patient nor volume, and of those that look like it.

    A case that looks like no other is a group of its own. Groups that were there are replaced. Where every case
    has a patient or volume there is nothing to group.

    Args:
        dataset: the data set; its ``dataset.json`` is written anew in one step.
        threshold: similarity above which two slices are near-duplicates, between -1 and 1.
        progress: show a progress bar on stderr.

    Raises:
        InputError: an image cannot be read, or the folder cannot be written.
    """
    cases = dataset.cases
    unknown = [case.patient is None and case.volume is None for case in cases]
    groups: dict[str, list[str]] = {}
    names: list[str | None] = [None] * len(cases)
    if any(unknown):
        numbers = _numbers(dataset, unknown, threshold, progress)
        wanted = {number for number, is_unknown in zip(numbers, unknown, strict=True) if is_unknown}
        for place, (case, number) in enumerate(zip(cases, numbers, strict=True)):
            if number in wanted:
                # a group is called after its first case
                first = cases[numbers.index(number)].case
                names[place] = first
                groups.setdefault(first, []).append(case.case)
    grouped = tuple(replace(case, group=name) for case, name in zip(cases, names, strict=True))
    if grouped != cases:
        write_dataset(replace(dataset, cases=grouped))
    return Grouping(sum(unknown), {name: tuple(members) for name, members in groups.items()})


def _numbers(dataset: Dataset, unknown: list[bool], threshold: float, progress: bool) -> list[int]:
    bar = tqdm(dataset.cases, unit="slice", desc="reading", disable=not progress)
    pairs = similar_pairs([_fingerprint(dataset, case) for case in bar], threshold)
    keys: list[list[object]] = [[] for _ in unknown]
    for pair in pairs:
        # between two cases of known patients there is nothing to guess
        if unknown[pair.first] or unknown[pair.second]:
            keys[pair.first].append(pair)
            keys[pair.second].append(pair)
    return joined(keys)


def _fingerprint(dataset: Dataset, case: Case) -> np.ndarray:
    return fingerprint(np.asarray(read_nifti(dataset.folder / case.image).dataobj))
