"""What CT studies a folder, an archive or a file holds, and which series of each is taken."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from covid_monai.studies.choice import choose
from covid_monai.studies.contents import SAID_TO_BE_DICOM, Entry, contents_of
from covid_monai.studies.dicom import digest_of
from covid_monai.studies.frames import frames_of, is_enhanced
from covid_monai.studies.headers import UNREADABLE, ImageHeader, image_header, looks_like_dicom, read_header
from covid_monai.studies.kinds import CT_CLASSES
from covid_monai.studies.series import FoundSeries, stacks_of
from covid_monai.studies.volumes import describe_volume


@dataclass(frozen=True, eq=False)
class FoundStudy:
    """The series of one study: one visit of one patient, or one volume of another format.

    Attributes:
        name: the study UID, or the file or folder where there is none.
        series: all of them, those that are refused last.
        taken: the one that is read where none is named; None where all are refused.
        why: why that one, or why none.
    """

    name: str
    series: tuple[FoundSeries, ...] = field(repr=False)
    taken: FoundSeries | None
    why: str

    @property
    def place(self) -> Path:
        """The file, or the folder or archive that all of it lies in."""
        return Path(os.path.commonpath([series.place for series in self.series]))


@dataclass(frozen=True, eq=False)
class Found:
    """What lies at a path.

    Attributes:
        path: as it was given.
        studies: in the order of their places.
        problems: files that cannot be read or are left out, each with the reason.
        others: how many files are of other kinds.
    """

    path: Path
    studies: tuple[FoundStudy, ...]
    problems: tuple[tuple[Path, str], ...] = ()
    others: int = 0


def find_studies(path: str | os.PathLike[str]) -> Found:
    """Find the CT studies at a path, and which series of each :func:`covid_monai.studies.read_study` takes.

    Headers are read; pixels only where images lie at one position, and a dozen slices of each series where there are
    several to choose from.

    Args:
        path: a folder with all below it, a zip archive, a DICOMDIR, or a file of DICOM, NIfTI, NRRD or MetaImage.

    Raises:
        InputError: there is no such file or folder, or the archive cannot be read.
    """
    contents = contents_of(path)
    problems = list(contents.problems)
    images, others = _images(contents.entries, problems)
    studies = _studies_of(images)
    if not studies:
        studies = [_volume(file) for file in contents.volumes]
    else:
        # in a folder of DICOM they are masks and copies
        problems += [(file, "lies among DICOM files, and is left out: give it by itself") for file in contents.volumes]
    studies.sort(key=lambda study: (str(study.place), study.name))
    return Found(Path(path), tuple(studies), tuple(problems), others)


def _images(entries: Iterable[Entry], problems: list[tuple[Path, str]]) -> tuple[list[ImageHeader], int]:
    """The images of DICOM files; what cannot be read comes to ``problems``, what is of another kind is counted."""
    found: list[ImageHeader] = []
    others = 0
    for entry in entries:
        if not looks_like_dicom(entry):
            if entry.path.suffix.lower() in SAID_TO_BE_DICOM:
                problems.append((entry.path, _no_dicom(entry)))
            else:
                others += 1
            continue
        try:
            with entry.open() as stream:
                dataset = read_header(stream)
            header = image_header(entry, dataset)
            if _lacks_its_image(header):
                problems.append((entry.path, "is no DICOM file, or is cut off within its header"))
                continue
            found += frames_of(header, dataset) if is_enhanced(header) else [header]
        except UNREADABLE as error:
            problems.append((entry.path, f"cannot be read ({' '.join(str(error).split())[:100]})"))
    return found, others


def _lacks_its_image(header: ImageHeader) -> bool:
    """Whether it should be an image, or cannot be told what it is; reports and the like have no image of their own."""
    images = ("", *CT_CLASSES)
    return not min(header.shape) and (header.text("SOPClassUID") in images or not header.text("SeriesInstanceUID"))


def _no_dicom(entry: Entry) -> str:
    return "is empty" if not entry.size else "is no DICOM file in spite of its name"


def _studies_of(images: Iterable[ImageHeader]) -> list[FoundStudy]:
    grouped: dict[str, dict[str, list[ImageHeader]]] = {}
    for image in images:
        grouped.setdefault(image.study, {}).setdefault(image.series, []).append(image)
    studies = []
    for name, of_study in grouped.items():
        series = [stack for each in of_study.values() for stack in stacks_of(each, digest_of)]
        series.sort(key=lambda each: (each.refused is not None, each.number or 0))
        studies.append(FoundStudy(name, tuple(series), *choose(series)))
    return studies


def _volume(file: Path) -> FoundStudy:
    volume = describe_volume(file)
    if volume.refused is not None:
        return FoundStudy(str(file), (volume,), None, volume.refused)
    return FoundStudy(str(file), (volume,), volume, "a volume of its own")
