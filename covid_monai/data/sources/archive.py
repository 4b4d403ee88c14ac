"""Unpacking downloaded archives without trusting them. Only zip: none of the published sets uses another kind."""

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from covid_monai.errors import InputError

_BLOCK = 1 << 20
# tiny files of zeros compress a thousandfold and do no harm
_RATIO_COUNTS_ABOVE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: files and folders together, bytes once unpacked, bytes out for one byte in."""

    count: int = 2_000
    size: int = 16 << 30
    ratio: float = 200.0


LIMITS = Limits()
"""The published archives hold 20 files and at most about 1.1 GB, compressed already."""


def extract_zip(archive: Path, folder: Path, limits: Limits = LIMITS) -> None:
    """Unpack ``archive`` into ``folder``, which must not exist yet; it is there afterwards with all files, or not.

    Every name is checked before anything is written.

    Raises:
        InputError: the file is no zip archive or is damaged or encrypted; a member is a link or a device, leaves
            the folder, or is named twice; the archive is larger than ``limits``; or the disk refused it.
    """
    if folder.exists():
        raise InputError(f"{folder} exists: remove it to unpack {archive} again")
    staging: Path | None = None
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_limits(members, archive, limits)
            _check_names(members, archive)
            staging = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
            _extract(opened, members, staging, archive)
        # a temporary folder is the user's alone; what is unpacked is as readable as any other folder
        staging.chmod(folder.parent.stat().st_mode & 0o777)
        os.replace(staging, folder)
    # a ValueError too, but one that says what is wrong already
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(f"{archive} is no readable zip archive ({error}): download it again") from error
    except OSError as error:
        raise InputError(f"cannot unpack {archive} to {folder}: {error.strerror or error}; free space there") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def unpacked(folder: Path, name: str) -> Path | None:
    """The folder ``name`` of a download: as it is, or unpacked beside ``name.zip``; None where neither is there.

    Some archives hold their files directly, some in a folder of their own name: that one is returned then.

    Raises:
        InputError: the archive is refused; see :func:`extract_zip`.
    """
    target, archive = folder / name, folder / f"{name}.zip"
    if not target.is_dir():
        if not archive.is_file():
            return None
        extract_zip(archive, target)
    return target / name if (target / name).is_dir() else target


def _check_limits(members: list[zipfile.ZipInfo], archive: Path, limits: Limits) -> None:
    size = sum(member.file_size for member in members)
    # members that share their bytes claim more than the file has
    packed = min(sum(member.compress_size for member in members), archive.stat().st_size)
    if len(members) > limits.count:
        raise InputError(f"{archive} holds {len(members)} members, {limits.count} are allowed: it is no published set")
    if size > limits.size:
        raise InputError(f"{archive} unpacks to {size} bytes, {limits.size} are allowed: it is no published set")
    if size > _RATIO_COUNTS_ABOVE and size > limits.ratio * packed:
        raise InputError(f"{archive} unpacks to {size} bytes from {packed}: that is no archive of CT; nothing unpacked")


def _check_names(members: list[zipfile.ZipInfo], archive: Path) -> None:
    seen: set[str] = set()
    for member in members:
        # orig_filename: ZipInfo cuts names at a null byte and turns the system's separators into slashes
        name, path = member.orig_filename, PurePosixPath(member.filename)
        odd = "\0" in name or "\\" in name or ":" in name or not path.parts
        if odd or path.is_absolute() or ".." in path.parts:
            raise InputError(f"{archive} holds {name!r}, which leaves its folder: nothing unpacked")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{archive} holds {name!r}, which is a link or a device: nothing unpacked")
        if member.flag_bits & 0x1:
            raise InputError(f"{archive} holds {name!r} encrypted: nothing unpacked")
        # file systems that ignore case would write the second over the first
        if str(path).lower() in seen:
            raise InputError(f"{archive} holds {name!r} twice: nothing unpacked")
        seen.add(str(path).lower())


def _extract(opened: zipfile.ZipFile, members: list[zipfile.ZipInfo], staging: Path, archive: Path) -> None:
    root = staging.resolve()
    for member in members:
        target = (root / member.filename).resolve()
        if not target.is_relative_to(root):
            raise InputError(f"{archive} holds {member.filename!r}, which leaves its folder: nothing unpacked")
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        left = member.file_size
        with opened.open(member) as source, open(target, "xb") as file:
            # the header's size is what the limits were checked with, so no byte more is taken
            while block := source.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise InputError(f"{archive}: {member.filename!r} is larger than it says: nothing unpacked")
                file.write(block)
        if left:
            raise InputError(f"{archive}: {member.filename!r} is cut short: download it again")
