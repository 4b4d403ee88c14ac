"""Files that lie on the disk or in a zip archive, which is read in place and never unpacked."""

import stat
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from covid_monai.errors import InputError

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
OTHER_ARCHIVES = {
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an XZ file",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    **dict.fromkeys(ZIP_STARTS, "a zip archive"),
}
"""What can hold a CT and is not looked into, by its first bytes."""

LEFT_ALONE = ("__MACOSX",)
"""Folders that hold nothing of the user's."""

# of an archive: a study has up to some thousand files, and no slice or multi-frame file is larger
_MOST_MEMBERS = 200_000
_LARGEST_MEMBER = 8 << 30
_LARGEST_RATIO = 1000


class Archive(zipfile.ZipFile):
    """An open zip archive that can be sent to another process, which opens it anew."""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (str(self.filename),)


@dataclass(frozen=True, eq=False)
class Entry:
    """A file, or a member of a zip archive, which is never unpacked to the disk.

    Attributes:
        path: of the file; of a member the archive's, and the name in it.
    """

    path: Path
    archive: Archive | None = None
    member: zipfile.ZipInfo | None = None

    @property
    def source(self) -> Path:
        """The file on the disk: itself, or the archive."""
        return self.path if self.archive is None else Path(str(self.archive.filename))

    @property
    def size(self) -> int:
        """In bytes."""
        return self.member.file_size if self.member is not None else self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Open for reading."""
        if self.archive is None or self.member is None:
            return open(self.path, "rb")
        # what seeks back and forth in a compressed member reads it again and again
        with self.archive.open(self.member) as stream:
            return BytesIO(stream.read())

    def start(self, count: int) -> bytes:
        """The first bytes."""
        if self.archive is None or self.member is None:
            with open(self.path, "rb") as file:
                return file.read(count)
        with self.archive.open(self.member) as stream:
            return stream.read(count)


def archive_kind(start: bytes) -> str | None:
    """What an archive is that is not looked into, by its first bytes; None for other files."""
    return next((kind for bytes_of_kind, kind in OTHER_ARCHIVES.items() if start.startswith(bytes_of_kind)), None)


def members_of(path: Path) -> tuple[list[Entry], list[tuple[Path, str]]]:
    """The files of a zip archive, and those that cannot be read, each with the reason.

    Raises:
        InputError: it is no archive that can be read, or holds more files than any study.
    """
    try:
        archive = Archive(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"{path} is no readable zip archive ({error}): copy or download it again") from error
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise InputError(f"{path} holds {len(members)} files, {_MOST_MEMBERS} are allowed: give one study an archive")
    entries, problems = [], []
    for member in members:
        name = PurePosixPath(member.filename)
        hidden = any(part.startswith(".") or part in LEFT_ALONE for part in name.parts)
        if member.is_dir() or hidden:
            continue
        if reason := _why_not(member):
            problems.append((path / name, reason))
        else:
            entries.append(Entry(path / name, archive, member))
    return entries, problems


def _why_not(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 0x1:
        return "is encrypted: unpack the archive with its password, and give the folder"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is a link or a device"
    if member.file_size > _LARGEST_MEMBER or member.file_size > max(1 << 20, _LARGEST_RATIO * member.compress_size):
        return f"unpacks to {member.file_size} bytes from {member.compress_size}, which no CT does"
    return ""
