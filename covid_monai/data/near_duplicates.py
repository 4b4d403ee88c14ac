"""Near-duplicates: slices so alike that they are likely of one patient, and groups of them."""

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import Case, Dataset, write_dataset
from covid_monai.progress import progress_bar
from covid_monai.transforms.intensity import WINDOW
from covid_monai.transforms.nifti import read_nifti

THRESHOLD = 0.55
"""Similarity above which two slices count as near-duplicates."""

SIZE = 64
# sigma of the Gaussian, in pixels of the 64, below which a structure is kept
_FINEST = 2.0
# lung crops of neighbouring slices differ by up to this many of the 64 pixels
_SHIFT = 3
_BODY_ABOVE_HU = -500.0
# rows that compared with all others take some tens of megabytes
_ROWS = 1000


@dataclass(frozen=True)
class SimilarPair:
    """Two slices by their positions, ``first < second``, and their similarity (at most 1)."""

    first: int
    second: int
    similarity: float


def fingerprint(image: npt.NDArray) -> npt.NDArray[np.float32]:
    """The fine structure of a slice, an array (64, 64).

    Args:
        image: one slice (X, Y) or (X, Y, 1) in HU, finite.
    """
    from scipy.ndimage import affine_transform, gaussian_filter

    body = _cut_to_body(np.clip(image.reshape(image.shape[:2]).astype(np.float32), *WINDOW))
    step = np.array(body.shape) / SIZE
    # pixel centres onto pixel centres; the blur keeps what is finer than a step from turning into noise
    smooth = gaussian_filter(body, np.where(step > 1, step / 2, 0))
    small = affine_transform(smooth, step, offset=step / 2 - 0.5, output_shape=(SIZE, SIZE), order=1, mode="nearest")
    fine: npt.NDArray[np.float32] = small - gaussian_filter(small, _FINEST)
    return fine


def similar_pairs(fingerprints: Sequence[npt.NDArray], threshold: float = THRESHOLD) -> list[SimilarPair]:
    """All pairs whose similarity is above ``threshold``; time grows with the square of the number of slices.

    Args:
        fingerprints: of N slices, (64, 64) each.
        threshold: between -1 and 1.
    """
    if len(fingerprints) < 2:
        return []
    stack = np.stack(fingerprints)
    best = np.concatenate(list(_similarity_rows(stack)))
    # each was shifted against the other; the better of both makes the order of slices irrelevant
    best = np.maximum(best, best.T)
    found = np.argwhere(np.triu(best > threshold, 1))
    return [SimilarPair(int(first), int(second), float(best[first, second])) for first, second in found]


def joined(keys: Sequence[Collection[Hashable]]) -> list[int]:
    """Which items belong together: items that share a key, directly or through others, get the same number.

    Args:
        keys: of each item; an item without keys stands alone.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places: dict[Hashable, int] = {}
    edges = [(item, len(keys) + places.setdefault(key, len(places))) for item, own in enumerate(keys) for key in own]
    nodes = len(keys) + len(places)
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (ends[0], ends[1])), shape=(nodes, nodes))
    numbers: list[int] = connected_components(graph, directed=False)[1][: len(keys)].tolist()
    return numbers


def joined_by_pairs(count: int, pairs: Sequence[SimilarPair]) -> list[list[int]]:
    """The positions 0..count-1 that pairs connect, as sorted lists of two and more."""
    keys: list[list[SimilarPair]] = [[] for _ in range(count)]
    for pair in pairs:
        keys[pair.first].append(pair)
        keys[pair.second].append(pair)
    members: dict[int, list[int]] = {}
    for position, number in enumerate(joined(keys)):
        members.setdefault(number, []).append(position)
    return [positions for positions in members.values() if len(positions) > 1]


def _cut_to_body(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Cut away the air around: what a canvas adds, and what a crop lacks, must not matter."""
    body = image > _BODY_ABOVE_HU
    for axis in (0, 1):
        inside = np.flatnonzero(body.any(axis=1 - axis))
        if len(inside) < 2:
            return image
        image = image.take(range(inside[0], inside[-1] + 1), axis=axis)
    return image


def _similarity_rows(stack: npt.NDArray) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks of rows of the similarity matrix (N, N): the row's middle against all shifts of the column."""
    width = SIZE - 2 * _SHIFT
    middles = _unit_vectors(stack[:, _SHIFT : _SHIFT + width, _SHIFT : _SHIFT + width])
    for start in range(0, len(stack), _ROWS):
        best = np.full((len(middles[start : start + _ROWS]), len(stack)), -1, dtype=np.float32)
        for x, y in product(range(2 * _SHIFT + 1), repeat=2):
            shifted = _unit_vectors(stack[:, x : x + width, y : y + width])
            np.maximum(best, middles[start : start + _ROWS] @ shifted.T, out=best)
        yield best


def _unit_vectors(pictures: npt.NDArray) -> npt.NDArray[np.float32]:
    vectors = pictures.reshape(len(pictures), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # a picture without structure is similar to nothing
    units: npt.NDArray[np.float32] = np.where(lengths > 1e-3, vectors / np.maximum(lengths, 1e-3), 0)
    return units


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
    bar = progress_bar(dataset.cases, description="reading", unit="slice", shown=progress)
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
