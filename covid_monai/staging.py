"""Several files that appear in a folder together: all of them, or none."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from covid_monai.errors import InputError
from covid_monai.files import naming_disk_errors, read_json, refuse_to_replace_input, sha256_of, write_json

_JOURNAL = ".journal.json"


class BusyError(InputError):
    """Another process is writing what this one was about to write."""


@dataclass(frozen=True)
class Staging:
    """A hidden folder to write files into, from which they are published together; see :func:`staged_files`.

    Attributes:
        folder: where the files are to appear.
        path: where to write them.
        last: the file that is moved last.
        complete: a killed command left its staging folder beside a complete set of files, which may be its own.
    """

    folder: Path
    path: Path
    last: str
    complete: bool

    def publish(self, stale: Iterable[Path] = (), *, overwrite: bool = True) -> None:
        """Move all that was written to the folder.

        A journal of what is moved and removed makes it possible to take it back when the process is killed.

        Args:
            stale: files of an earlier set, inside the folder, that are removed as far as they are not replaced.
            overwrite: whether another set may be replaced where :attr:`complete`; the same one is left as it is.

        Raises:
            InputError: there is another set, or the disk refused something; nothing is then published.
        """
        if self.complete and not overwrite:
            if (self.path / self.last).read_bytes() == (self.folder / self.last).read_bytes():
                return
            raise InputError(
                f"{self.folder} holds other results already ({self.last}); choose another folder, or replace them: "
                "`overwrite=True`"
            )
        files = self._written()
        removed = {path for path in stale if path.is_file()} - {self.folder / path for path in files}
        for target in removed:
            refuse_to_replace_input(target)
        for path in files:
            target = self.folder / path
            # a hard link to the input itself takes nothing away
            if not (target.exists() and target.samefile(self.path / path)):
                refuse_to_replace_input(target)
        with naming_disk_errors(self.folder):
            journal = {str(path): sha256_of(self.path / path) for path in files}
            journal |= {str(path.relative_to(self.folder)): sha256_of(path) for path in removed}
            write_json(self.path / _JOURNAL, {"last": self.last, "files": journal})
            (self.folder / self.last).unlink(missing_ok=True)
            for path in files:
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                if path == Path(self.last):
                    for old in removed:
                        old.unlink(missing_ok=True)
                os.replace(self.path / path, self.folder / path)

    def add(self) -> None:
        """Move what was written beside the complete set that is in the folder, :attr:`last` at the end.

        A process that is killed meanwhile leaves the earlier set, and some of the new files beside it.

        Raises:
            InputError: the disk refused something, or a file would replace an input.
        """
        files = self._written()
        for path in files:
            refuse_to_replace_input(self.folder / path)
        with naming_disk_errors(self.folder):
            for path in files:
                os.replace(self.path / path, self.folder / path)

    def _written(self) -> list[Path]:
        """The files that were written, relative to the folder, the last one last."""
        files = sorted(path.relative_to(self.path) for path in self.path.rglob("*") if path.is_file())
        return sorted(files, key=lambda path: path == Path(self.last))


@contextmanager
def staged_files(folder: Path, name: str, last: str) -> Iterator[Staging]:
    """Yield a staging folder ``folder/name``; whatever happens in the body, it is gone afterwards.

    What a killed process published in part is taken back first. One process at a time may stage in a folder.

    Args:
        folder: where the files are to appear.
        name: of the hidden folder in it.
        last: the file that is moved last, so that a folder which has it is complete.

    Raises:
        BusyError: another process is staging there.
        InputError: the disk cannot be written.
    """
    place, new = folder / name, not folder.exists()
    interrupted, busy = is_interrupted(folder, name), f"another process is writing to {folder}"
    try:
        with ExitStack() as held:
            descriptor, is_locked = _lock(place, busy, folder=True)
            held.callback(os.close, descriptor)
            if not is_locked:
                # file systems of a network lock files that are open for writing, and no folders
                held.enter_context(locked(_lock_file(folder, name), busy=busy))
            with naming_disk_errors(folder):
                place.mkdir(exist_ok=True)
                complete = _take_back(folder, place, last) and interrupted
                _empty(place)
            try:
                yield Staging(folder, place, last, complete)
            finally:
                with naming_disk_errors(folder):
                    _take_back(folder, place, last)
                shutil.rmtree(place, ignore_errors=True)
    finally:
        # an empty folder is one that nothing was published to
        if new:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def locked(file: Path, *, busy: str | None = None) -> Iterator[None]:
    """Hold a lock file, which one process at a time can, however it ends; afterwards the file is gone.

    Args:
        file: is made, with its folder.
        busy: how the error begins where another process holds it; None waits for that process.

    Raises:
        BusyError: another process holds it.
        InputError: the disk cannot be written.
    """
    descriptor, _ = _lock(file, busy)
    try:
        yield
    finally:
        if _is_at(file, descriptor):
            # where there are no locks, another process may have removed it since
            file.unlink(missing_ok=True)
        os.close(descriptor)


def is_interrupted(folder: Path, name: str) -> bool:
    """Whether a killed command left its staging folder, or a running one has it."""
    return any(place.exists() for place in traces_of(folder, name))


def traces_of(folder: Path, name: str) -> tuple[Path, Path]:
    """What :func:`staged_files` may have in a folder while it writes there: the staging folder, and a lock file."""
    return folder / name, _lock_file(folder, name)


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"


def _lock(path: Path, busy: str | None, *, folder: bool = False) -> tuple[int, bool]:
    """The descriptor of a file or a folder, and whether that is locked, which it is until it is closed."""
    while True:
        with naming_disk_errors(path.parent):
            (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:
                # whoever held the lock has just removed it with its folder
                continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy is not None else 0))
        except BlockingIOError as error:
            os.close(descriptor)
            raise BusyError(f"{busy}; wait until it has ended, or choose another folder") from error
        except OSError:
            # some network file systems have no locks
            return descriptor, False
        except BaseException:
            os.close(descriptor)
            raise
        # one that was removed meanwhile locks nobody else out
        if _is_at(path, descriptor):
            return descriptor, True
        os.close(descriptor)


def _is_at(file: Path, descriptor: int) -> bool:
    """Whether a descriptor is that of the file which has the name now."""
    try:
        return os.path.samestat(os.stat(file), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _take_back(folder: Path, staging: Path, last: str) -> bool:
    """Remove from ``folder`` what was published in part, as far as it is as it was written.

    Returns:
        whether there was nothing to be taken back because a complete set is there.
    """
    journal = _journal_of(staging)
    last = journal.get("last", last)
    if (folder / last).exists() or not (staging / last).exists():
        return (folder / last).exists()
    for name, digest in journal.get("files", {}).items():
        path = folder / PurePosixPath(name)
        if path.is_file() and not path.is_symlink() and sha256_of(path) == digest:
            path.unlink()
        if path.parent != folder:
            # only an empty folder goes
            with suppress(OSError):
                os.removedirs(path.parent)
    return False


def _journal_of(staging: Path) -> dict[str, Any]:
    if not (staging / _JOURNAL).is_file():
        # killed before anything was published
        return {}
    content: dict[str, Any] = read_json(staging / _JOURNAL)
    names = map(PurePosixPath, [content["last"], *content["files"]])
    if any(name.is_absolute() or ".." in name.parts for name in names):
        raise InputError(f"{staging / _JOURNAL} names files of other folders; remove {staging}")
    return content


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
