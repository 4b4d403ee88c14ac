"""What the inputs of a call name: images, which become masks, and studies, which are measured too."""

import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from covid_monai.errors import InputError, InputWarning
from covid_monai.inference.study_inputs import StudyInput, find_study_inputs, is_study
from covid_monai.transforms.nifti import is_nifti


@dataclass(frozen=True)
class Inputs:
    """What was found.

    Attributes:
        images: NIfTI files.
        studies: those that can be read and those that cannot.
    """

    images: list[Path]
    studies: list[StudyInput]

    def __len__(self) -> int:
        return len(self.images) + len(self.studies)

    def shard(self, number: int, count: int) -> "Inputs":
        """The part that one of ``count`` calls does, 1 the first: each input is in one part, whatever their order."""
        places = [(os.fspath(image), "", "") for image in self.images]
        places += [
            (os.fspath(study.place), study.name or "", study.series.name if study.series is not None else "")
            for study in self.studies
        ]
        taken = set(sorted(range(len(places)), key=places.__getitem__)[number - 1 :: count])
        studies = enumerate(self.studies, start=len(self.images))
        return Inputs(
            [image for index, image in enumerate(self.images) if index in taken],
            [study for index, study in studies if index in taken],
        )


def parse_shard(shard: str | tuple[int, int]) -> tuple[int, int]:
    """The number and the count of ``2/4``, the second of four parts.

    Raises:
        InputError: it is no such text, or there is no such part.
    """
    text = shard if isinstance(shard, str) else "/".join(map(str, shard))
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"`shard` is {text!r}; give its number and how many there are, from 1/4 to 4/4 of four")
    return int(found[1]), int(found[2])


def find_inputs(
    inputs: Iterable[str | os.PathLike[str]], *, measure: bool = False, series: str | None = None
) -> Inputs:
    """The images and studies that files, folders, tables and glob patterns name.

    NIfTI files, folders and patterns of them are images; all else is a study
    (:func:`covid_monai.inference.study_inputs.is_study`).

    Args:
        inputs: files, folders, CSV tables of studies, or glob patterns.
        measure: whether NIfTI is a study too.
        series: the UID or name of the series to take of a study.

    Raises:
        InputError: one of them names nothing, or a table cannot be used.
    """
    images: list[str | os.PathLike[str]] = []
    studies: dict[Path, None] = {}
    for given in inputs:
        path = Path(given)
        matches = [path] if path.exists() or not _is_pattern(given) else _matches(given)
        if matches and (measure or all(is_study(match) for match in matches)):
            studies.update(dict.fromkeys(matches))
        else:
            images.append(given)
    return Inputs(find_images(images), find_study_inputs(studies, series=series))


def _is_pattern(given: str | os.PathLike[str]) -> bool:
    return any(sign in os.fspath(given) for sign in "*?[")


def _matches(given: str | os.PathLike[str]) -> list[Path]:
    return sorted(child for child in map(Path, glob(os.fspath(given), recursive=True)) if child.name[:1] != ".")


def find_images(inputs: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The NIfTI files that files, folders and glob patterns name, in order, each once.

    Raises:
        InputError: one of them names nothing.
    """
    found: dict[Path, None] = {}
    for given in inputs:
        text = os.fspath(given)
        path = Path(text)
        if path.is_dir():
            files = _files_in(path)
        elif path.exists() or not _is_pattern(given):
            # a missing file is reported with the others' results, so that the others go on
            files = [path]
        else:
            files = [child for child in _matches(given) if is_nifti(child)]
        if not files:
            raise InputError(f"{text} names no NIfTI file; give .nii or .nii.gz files, a folder of them, or a pattern")
        found.update(dict.fromkeys(files))
    return list(found)


def _files_in(folder: Path) -> list[Path]:
    found = sorted(child for child in folder.iterdir() if is_nifti(child))
    for inner in filter(Path.is_dir, found):
        warnings.warn(
            f"{inner} is a folder in spite of its name, and is left out; give it as an input too if it holds images",
            InputWarning,
            stacklevel=3,
        )
    return [child for child in found if not child.is_dir()]
