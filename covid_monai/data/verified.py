"""Images and masks held against their hashes in ``dataset.json``, each read once as long as it stays as it is."""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from covid_monai.data.manifest import FILE_NAME, Case, Dataset
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json

CACHE_FILE = ".verified.json"
"""In the data set's folder: the SHA-256 of its files, and the state that each had when it was read."""

_FORMAT = "covid-monai verified files"
_NAMED = 3
# a file may change twice within a tick of its clock, and look the same; clocks of file servers tick by up to 2 s
_SETTLED_NS = 2 * 10**9

State = list[int]
"""Of a file: size in bytes, modification and change time in ns, inode."""


def refuse_changed_files(dataset: Dataset, cases: Iterable[Case]) -> None:
    """Refuse images and masks that are not those which were prepared.

    A file is read again only when its size, modification time, change time or inode is another one than when it was
    read before. What was found stands in ``.verified.json`` in the data set's folder, or in the user's cache where that
    folder cannot be written. Whoever sets a file's times back changes its change time; on file systems that keep none,
    such as FAT, a file of the same size whose modification time was set back passes.

    Args:
        dataset: a prepared folder.
        cases: those of its cases that are used.

    Raises:
        InputError: a file is missing, unreadable or another one; it is named, with what to do.
    """
    cache = _cache_of(dataset.folder)
    known = _known(cache)
    found: dict[str, tuple[State, str]] = {}
    changed = []
    for case in cases:
        for kind, name in (("image", case.image), ("label", case.label)):
            path = dataset.folder / name
            state, digest = _read(path, known.get(name))
            if digest != case.sha256[kind]:
                changed.append(path)
            if (state, digest) != known.get(name) and time.time_ns() - max(state[1:3]) > _SETTLED_NS:
                found[name] = (state, digest)
    if found:
        _keep(cache, found)
    if changed:
        named = ", ".join(map(str, changed[:_NAMED])) + (
            f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        )
        raise InputError(
            f"changed after the data were prepared, as the SHA-256 in {FILE_NAME} says: {named}; put back what was "
            "prepared, or prepare the data again and split them again"
        )


def _read(path: Path, known: tuple[State, str] | None) -> tuple[State, str]:
    """A file's state, and its SHA-256, which is known already where the state is the known one."""
    try:
        state = _state_of(path)
        if known is not None and known[0] == state:
            return known
        digest = sha256_of(path)
        # one that changes while it is read has no state that goes with what was read
        return (state if _state_of(path) == state else [0, time.time_ns(), 0, 0]), digest
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: {FILE_NAME} names it; prepare the data again") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; prepare the data again") from error


def _state_of(path: Path) -> State:
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _cache_of(folder: Path) -> Path:
    """Where it is kept: with the data, or in the user's cache where these cannot be written."""
    if os.access(folder, os.W_OK):
        return folder / CACHE_FILE
    import pooch

    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return Path(pooch.os_cache("covid-monai")) / "verified" / f"{name}.json"


def _known(cache: Path) -> dict[str, tuple[State, str]]:
    """What a cache knows; one that is missing or damaged knows nothing."""
    try:
        content = read_json(cache)
        if content["format"] != _FORMAT:
            return {}
        return {str(name): (list(entry["state"]), str(entry["sha256"])) for name, entry in content["files"].items()}
    except (InputError, KeyError, TypeError, AttributeError):
        return {}


def _keep(cache: Path, found: Mapping[str, tuple[State, str]]) -> None:
    # another process may have kept what it read meanwhile; what is lost between the two is read again
    together = _known(cache) | dict(found)
    entries = {name: {"state": state, "sha256": digest} for name, (state, digest) in sorted(together.items())}
    with suppress(InputError):
        write_json(cache, {"format": _FORMAT, "files": entries})
