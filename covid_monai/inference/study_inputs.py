"""Which studies the inputs of a call name, and the key that stands for each in all that is written."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.files import sha256_of, write_text
from covid_monai.studies import Found, FoundSeries, find_studies, read_study_table
from covid_monai.studies.contents import DICOMDIR
from covid_monai.studies.entries import Entry
from covid_monai.studies.headers import looks_like_dicom
from covid_monai.studies.reading import series_of
from covid_monai.studies.table import is_study_table
from covid_monai.transforms.nifti import is_nifti

SALT = ".salt"
"""The file in the output folder by which the same study has the same key in every call; nobody else needs it."""

LOCK = ".lock"
"""The file in the output folder that is held while what all its studies share is written: salt, table and index."""

# of files that are left out, each
_SHOWN = 5

_ARCHIVES_AND_VOLUMES = (".zip", ".dcm", ".dicom", ".ima", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass(frozen=True, eq=False)
class StudyInput:
    """A study that an input names.

    Attributes:
        place: where it lies, as it was given.
        name: the ``study`` column of a table of studies; None where no table names it.
        series: what is read; None where nothing can be, and ``error`` says why.
        problems: files that are left out, each with the reason.
        warnings: what was not as one would expect when it was looked for.
        error: why there is no series.
    """

    place: Path
    name: str | None = None
    series: FoundSeries | None = None
    problems: tuple[tuple[Path, str], ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read, in the order of the slices: files on the disk, an archive for what lies in it."""
        if self.series is None:
            return ()
        return self.series.sources


def is_study(path: Path) -> bool:
    """Whether an input is a study or a table of them, rather than NIfTI, which is a study where that is asked for.

    That is a CSV, an archive, a file of DICOM, NRRD or MetaImage, or a folder that holds anything but NIfTI.
    """
    if path.is_dir():
        children = [child for child in path.iterdir() if not child.name.startswith(".")]
        return bool(children) and not any(is_nifti(child) for child in children)
    known = is_study_table(path) or path.suffix.lower() in _ARCHIVES_AND_VOLUMES
    if known or not path.is_file() or is_nifti(path):
        return known
    # DICOM files often have no ending, and NIfTI is known by its content too
    return path.name.upper() == DICOMDIR or looks_like_dicom(Entry(path))


def find_study_inputs(paths: Iterable[Path], *, series: str | None = None) -> list[StudyInput]:
    """The studies at paths and in tables of studies, each once; those that cannot be read are among them.

    Args:
        paths: as for :func:`covid_monai.studies.find_studies`, or CSV files with the columns ``study`` and ``path``.
        series: the UID or name of the series to take.

    Raises:
        InputError: a table cannot be used.
    """
    found: list[StudyInput] = []
    for path in paths:
        if is_study_table(path):
            for row in read_study_table(path):
                found += _at(row.path, row.study, row.series or series)
        else:
            found += _at(path, None, series)
    return found


def _at(path: Path, name: str | None, series: str | None) -> Iterator[StudyInput]:
    found = Found(path, ())
    with collecting_warnings() as messages:
        try:
            found = find_studies(path)
            if series is None and name is None and len(found.studies) > 1:
                yield from _each(found)
                return
            taken = series_of(found, series)
        except (InputError, OSError) as error:
            yield StudyInput(path, name, None, found.problems, error=" ".join(str(error).split()))
            return
    yield StudyInput(path, name, taken, found.problems, (*messages, *_left_out(found)))


def _each(found: Found) -> Iterator[StudyInput]:
    """The studies of a folder; one that cannot be read stops no other."""
    for study in found.studies:
        error = None if study.taken is not None else f"{study.place} holds no CT that can be read: {study.why}"
        yield StudyInput(study.place, None, study.taken, error=error)


def _left_out(found: Found) -> list[str]:
    shown = [f"{path} {reason}; it is left out" for path, reason in found.problems[:_SHOWN]]
    more = len(found.problems) - _SHOWN
    if more > 0:
        shown.append(f"{found.path}: {more} more files are left out; `covid-monai data studies` names them")
    return shown


def key_of(study: StudyInput, digests: Iterable[str], salt: bytes) -> str:
    """The name of a study in all that is written: its own in a table of studies, else a salted hash.

    Args:
        study: with or without a name.
        digests: SHA-256 of its files.
        salt: of the output folder; without it nobody can find out which UID or file a key stands for.
    """
    if study.name is not None:
        return study.name
    if study.series is None:
        identity = os.path.realpath(study.place)
    elif study.series.slices and study.series.slices[0].values.get("SeriesInstanceUID"):
        identity = study.series.name
    else:
        identity = " ".join(digests)
    digest = hashlib.blake2b(identity.encode(), key=salt, digest_size=6).hexdigest()
    # letters before it keep spreadsheets from taking it for a number
    return f"study-{digest}"


def salt_of(output: Path) -> bytes:
    """The salt of an output folder, which is drawn once."""
    place = output / SALT
    if not place.is_file():
        drawn = place.with_name(f"{SALT}-{secrets.token_hex(8)}")
        write_text(drawn, secrets.token_hex(32) + "\n")
        try:
            # needs no lock, which some file systems lack
            os.link(drawn, place)
        except OSError:
            # another process has drawn it meanwhile, or the file system has no hard links
            if not place.is_file():
                os.replace(drawn, place)
        finally:
            drawn.unlink(missing_ok=True)
    try:
        return bytes.fromhex(place.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise InputError(
            f"{place} is damaged, by which studies have the same keys in every call; delete it, and new keys are drawn"
        ) from error


def digests_of(files: Iterable[Path]) -> list[str]:
    """SHA-256 of each file, in order."""
    return [sha256_of(file) for file in files]
