"""What a folder, an archive or a DICOMDIR holds: files that may be DICOM, volumes of other formats, and the rest."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies.entries import LEFT_ALONE, ZIP_STARTS, Entry, members_of
from covid_monai.studies.headers import UNREADABLE, read_header
from covid_monai.transforms.itk import ITK_FORMATS
from covid_monai.transforms.nifti import is_nifti

DICOMDIR = "DICOMDIR"
SAID_TO_BE_DICOM = (".dcm", ".dicom", ".ima")


@dataclass
class Contents:
    """Files by what they may be.

    Attributes:
        entries: files that may be DICOM.
        volumes: NIfTI, NRRD and MetaImage files.
        problems: files that are named but cannot be read, each with the reason.
    """

    entries: list[Entry] = field(default_factory=list)
    volumes: list[Path] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)


def contents_of(path: str | os.PathLike[str]) -> Contents:
    """List what ``path`` holds: a folder with all below it, a zip archive, a DICOMDIR, or one file.

    Hidden files are left out, and links to folders are not followed.

    Raises:
        InputError: there is no such file or folder, or the archive cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise InputError(f"{path} does not exist: give a folder, a zip archive, a DICOMDIR or a file of a CT")
    if not path.is_file():
        raise InputError(f"{path} is no file: give a folder, a zip archive, a DICOMDIR or a file of a CT")
    if path.name.upper() == DICOMDIR:
        return _of_dicomdir(path)
    if volume_format(path) is not None:
        return Contents(volumes=[path])
    try:
        with open(path, "rb") as file:
            zipped = file.read(4) in ZIP_STARTS
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return _of_archive(path) if zipped else Contents(entries=[Entry(path)])


def volume_format(path: Path) -> str | None:
    """``nifti``, ``nrrd`` or ``metaimage`` by a file's name, None where it is none of them."""
    return "nifti" if is_nifti(path) else ITK_FORMATS.get(path.suffix.lower())


def _of_folder(folder: Path) -> Contents:
    contents = Contents()
    for file in _files_below(folder):
        if volume_format(file) is not None:
            contents.volumes.append(file)
        elif file.name.upper() == DICOMDIR:
            # what it lists lies in the folder too; what does not has to be told
            contents.problems += _of_dicomdir(file).problems
        else:
            contents.entries.append(Entry(file))
    return contents


def _files_below(folder: Path) -> Iterator[Path]:
    def cannot(error: OSError) -> None:
        warnings.warn(f"{error.filename} cannot be read: {error.strerror}", InputWarning, stacklevel=4)

    for place, folders, names in os.walk(folder, onerror=cannot):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in LEFT_ALONE)
        for name in sorted(names):
            file = Path(place, name)
            if not name.startswith(".") and file.is_file():
                yield file


def _of_dicomdir(path: Path) -> Contents:
    try:
        with open(path, "rb") as stream:
            listed = read_header(stream, ["DirectoryRecordSequence"])
        names = [record.get("ReferencedFileID") for record in listed.get("DirectoryRecordSequence") or ()]
    except UNREADABLE as error:
        return Contents(problems=[(path, f"is no readable DICOMDIR ({error})")])
    contents = Contents()
    for name in filter(None, names):
        parts = [str(name)] if isinstance(name, str) else [str(part) for part in name]
        file = _found(path.parent, parts)
        if file is None:
            contents.problems.append((Path(path.parent, *parts), "is missing, though the DICOMDIR names it"))
        else:
            contents.entries.append(Entry(file))
    return contents


def _found(folder: Path, parts: list[str]) -> Path | None:
    """The file below ``folder``, in whichever letter case a copy from a disc has it; None where there is none."""
    place = folder
    for part in parts:
        if part in ("", ".", "..") or "/" in part or not place.is_dir():
            return None
        exact = place / part
        place = exact if exact.exists() else _any_case(place, part)
    return place if place.is_file() else None


def _any_case(folder: Path, name: str) -> Path:
    return next((child for child in folder.iterdir() if child.name.casefold() == name.casefold()), folder / name)


def _of_archive(path: Path) -> Contents:
    members, problems = members_of(path)
    contents = Contents(problems=problems)
    for entry in members:
        if volume_format(entry.path) is not None:
            contents.problems.append((entry.path, "lies in an archive: unpack it, and give the file itself"))
        elif entry.path.name.upper() != DICOMDIR:
            contents.entries.append(entry)
    return contents
