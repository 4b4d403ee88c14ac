"""Files that are either complete or absent."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError

_PROTECTED: dict[tuple[int, int], Path] = {}


@contextmanager
def protecting(*inputs: str | os.PathLike[str]) -> Iterator[None]:
    """Keep the files that a command reads from being written by it, under whatever name, link or letter case.

    Args:
        inputs: files; a folder stands for all files in it, at any depth. What does not exist is left out.
    """
    files = [file for each in map(Path, inputs) for file in (each.rglob("*") if each.is_dir() else [each])]
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
        InputError: the folder cannot be written, or ``path`` is an input (see :func:`protecting`).
    """
    target = Path(path)
    refuse_to_replace_input(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=target.name[-_ENDING:], dir=target.parent)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}; choose a folder you may write to") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        settle(temporary)
        os.replace(temporary, target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


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
