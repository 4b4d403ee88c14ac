"""Files that are either complete or absent."""

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError, causes_of

_PROTECTED: dict[tuple[int, int], Path] = {}


@contextmanager
def protecting(*inputs: str | os.PathLike[str]) -> Iterator[None]:
    """Keep the files that a command reads from being written by it, under whatever name, link or letter case.

    Args:
        inputs: files; a folder stands for all files in it, at any depth, but for hidden ones, which nothing reads as
            input. What does not exist is left out.
    """
    files = [file for each in map(Path, inputs) for file in (each.rglob("[!.]*") if each.is_dir() else [each])]
    before = dict(_PROTECTED)
    _PROTECTED.update({_identity(file): file for file in files if file.is_file()})
    try:
        yield
    finally:
        _PROTECTED.clear()
        _PROTECTED.update(before)


def refuse_to_replace_input(target: str | os.PathLike[str]) -> None:
    """Refuse to write to ``target`` where that is one of the files that :func:`protecting` keeps.

    Raises:
        InputError: it is; the message names the input.
    """
    if os.path.exists(target) and (file := _PROTECTED.get(_identity(target))):
        raise InputError(f"{target} would replace the input {file}; write to another folder or name")


def _identity(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Of a file: the same for all its names."""
    state = os.stat(path)
    return state.st_dev, state.st_ino


# characters of a name that hold any ending; a temporary name with more could be longer than a name may be
_ENDING = len(".safetensors")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes ``path``'s place in one step.

    The temporary name ends like ``path`` (``.nii.gz`` stays ``.nii.gz``), since writers choose their format by
    it. When the body raises, the temporary file is removed and ``path`` is left as it was.

    Raises:
        InputError: the folder or the disk cannot be written (see :func:`naming_disk_errors`), or ``path`` is an input
            (see :func:`protecting`).
    """
    target = Path(path)
    refuse_to_replace_input(target)
    with naming_disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=target.name[-_ENDING:], dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            settle(temporary)
            os.replace(temporary, target)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


@contextmanager
def naming_disk_errors(target: str | os.PathLike[str]) -> Iterator[None]:
    """Raise what the disk refuses while ``target`` is written as an InputError that names it, says why and what to do.

    Libraries wrap the system's errors in their own, each in another way; the system's reason is found in all of them.
    An error at reading another file goes on as it is.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = disk_error(error)
        if reason is None or _of_another_file(reason, Path(target)):
            raise
        raise cannot_write(target, reason) from error


def cannot_write(target: str | os.PathLike[str], error: OSError) -> InputError:
    """The InputError of a file or folder that the disk refused: its name, the reason, what to do."""
    full = {errno.ENOSPC: "free some space", errno.EDQUOT: "free some space of your quota"}
    advice = "choose a folder you may write to"
    if error.errno in full:
        advice = f"{full[error.errno]}, or choose a folder on another disk, and run the same command again"
    elif error.errno == errno.EFBIG:
        advice = "files of this size are not allowed there (`ulimit -f`, or the file system's limit)"
    elif error.errno == errno.EIO:
        advice = "the disk is failing or was disconnected: choose a folder on another one"
    elif error.errno == errno.ENAMETOOLONG:
        advice = "choose a shorter name"
    return InputError(f"cannot write {target}: {error.strerror or error}; {advice}")


def disk_error(error: Exception) -> OSError | None:
    """The system's error behind one of a library; safetensors and shutil's copying have it in their text alone."""
    for cause in causes_of(error):
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause
        if found := re.search(r"(?:\(os error |\[Errno )(\d+)[)\]]", str(cause)):
            return OSError(int(found[1]), os.strerror(int(found[1])))
    return next((cause for cause in causes_of(error) if isinstance(cause, OSError)), None)


def _of_another_file(error: OSError, target: Path) -> bool:
    """Whether the system names a file which is none of those that are being written in the target's folder."""
    if error.filename is None or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        return False
    named = Path(os.fsdecode(error.filename)) if not isinstance(error.filename, int) else target
    return not (named.name.startswith(".writing-") or target.is_relative_to(named) or named.is_relative_to(target))


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` (UTF-8) to ``path`` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write ``content`` as indented JSON to ``path`` in one step; NaN is refused, as JSON has none."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    # brackets by the thousand and numbers of as many digits are no JSON of ours either
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file: {error}") from error


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def settle(path: Path) -> None:
    """Flush a file to the disk and make it as readable as any new file of the user, which temporary ones are not."""
    os.chmod(path, 0o666 & ~_umask())
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
