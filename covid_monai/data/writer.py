"""Writing a prepared folder: complete, or not there."""

import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import FILE_NAME, LABELS, Case, Dataset, read_dataset, write_dataset
from covid_monai.data.patients import warn_of_similar_patients
from covid_monai.data.sources import Source, SourceSlice
from covid_monai.data.sources.labels import count_labels
from covid_monai.errors import InputError, InputWarning, collecting_warnings
from covid_monai.files import naming_disk_errors, protecting, replacing, sha256_of
from covid_monai.progress import progress_bar
from covid_monai.staging import is_interrupted, staged_files, traces_of


def carry_case(case: Case, folder: Path, target: Path) -> None:
    """Bring a case's image and mask from ``folder`` into ``target``, at the same paths inside it.

    They are hard links where the file system allows it, else copies. Nothing of this package writes into a file that is
    there, so that neither folder can change the other's files.

    Raises:
        InputError: a file is missing or not as it was written, is there already, or cannot be written.
    """
    for kind, name in (("image", case.image), ("label", case.label)):
        origin, place = folder / name, target / name
        try:
            digest = sha256_of(origin)
        except OSError as error:
            raise InputError(f"cannot read {origin}: {error.strerror}; prepare {folder} again") from error
        if digest != case.sha256[kind]:
            raise InputError(f"{origin} was changed after it was written: prepare {folder} again")
        if place.exists():
            raise InputError(f"{name} of {folder} is there already, from another case: rename the one or the other")
        with naming_disk_errors(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(origin.resolve(), place)


def _link_or_copy(origin: Path, place: Path) -> None:
    try:
        os.link(origin, place)
    except OSError:
        # another file system, one without hard links, or somebody else's file
        with replacing(place) as temporary:
            shutil.copyfile(origin, temporary)


_STAGING = ".preparing"


def prepare(source: Source, folder: Path, overwrite: bool = False, progress: bool = False) -> Dataset:
    """Write all slices of a source as a data set.

    Args:
        source: what to read.
        folder: where to; new or empty, unless ``overwrite`` is set.
        overwrite: replace the data set that is there. Files that it does not name stay.
        progress: show a progress bar on stderr.

    Raises:
        InputError: the source or the folder cannot be used. The folder is then as it was before.
    """
    with protecting(*source.inputs), staged(folder, overwrite) as staging:
        write_cases(source, staging, progress)
    return read_dataset(folder)


@contextmanager
def staged(folder: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a folder to write a data set into; when the body succeeds, all of it moves to ``folder``.

    ``dataset.json`` moves last, so that a folder which has one is complete. With ``overwrite`` the files that
    an older ``dataset.json`` names are removed, as far as they are unchanged and not replaced. What a killed process
    left is removed, and nothing else.

    Raises:
        InputError: the folder is not empty (without ``overwrite``), cannot be written, or another process is writing
            to it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a folder to write to")
    refused = InputError(f"{folder} is not empty: give another folder, or `overwrite=True` to replace what it holds")
    if not (overwrite or is_interrupted(folder, _STAGING)) and folder.is_dir() and any(folder.iterdir()):
        raise refused
    with staged_files(folder, _STAGING, FILE_NAME) as staging:
        if not (overwrite or staging.complete) and set(folder.iterdir()) - {*traces_of(folder, _STAGING)}:
            raise refused
        yield staging.path
        staging.publish(_unchanged_files(folder), overwrite=overwrite)


def write_cases(source: Source, folder: Path, progress: bool = False) -> Dataset:
    """Write images, masks and ``dataset.json`` into ``folder``.

    Raises:
        InputError: the source cannot be read, has no slices or names two alike, or the folder cannot be
            written.
    """
    slices = progress_bar(source, description=source.name, unit="slice", total=source.count, shown=progress)
    large: list[str] = []
    with collecting_warnings() as messages:
        cases = []
        for item in slices:
            cases.append(_write_case(item, source.name, folder))
            large += [item.case] if 2 * sum(item.pixels.values()) > item.label.size else []
        warn_of_similar_patients((case.patient for case in cases), source.name)
        _warn_of_inverted_masks(source, large, len(cases))
    if not cases:
        raise InputError(f"{source.name} gave no slices: nothing to prepare")
    used = {0, *source.label_map.values()}
    labels = {label: name for label, name in LABELS.items() if label in used}
    dataset = Dataset(folder, source.name, source.licence, labels, source.label_map, tuple(cases), tuple(messages))
    write_dataset(dataset)
    return dataset


def _warn_of_inverted_masks(source: Source, large: Sequence[str], count: int) -> None:
    if not large:
        return
    if source.label_map.get(0):
        remedy = "leave 0 out of `label_map`"
    else:
        inverted = ["0=lesion", *(f"{label}=background" for label in source.label_map if label)]
        remedy = f"say so by `label_map` {','.join(inverted)}"
    warnings.warn(
        f"{source.name}: in {len(large)} of {count} slices more than half of the pixels are lesion (first: "
        f"{large[0]}); they are taken as they are; if the masks are inverted, {remedy}",
        InputWarning,
        stacklevel=2,
    )


def _write_case(item: SourceSlice, source: str, folder: Path) -> Case:
    counted = count_labels(item.label)
    if counted != item.pixels or item.image.shape != item.label.shape:
        raise AssertionError(f"{item.case}: the conversion changed the mask: {item.pixels} became {counted}")
    paths = {part: f"{part}s/{item.case}.nii.gz" for part in ("image", "label")}
    _write_nifti(item.image, item.affine, folder / paths["image"])
    _write_nifti(item.label, item.affine, folder / paths["label"])
    return Case(
        image=paths["image"],
        label=paths["label"],
        case=item.case,
        source=source,
        patient=item.patient,
        volume=item.volume,
        slice=item.slice,
        part=item.part,
        intensity=item.intensity,
        spacing_known=item.spacing_known,
        canvas=item.canvas,
        pixels=counted,
        sha256={part: sha256_of(folder / path) for part, path in paths.items()},
    )


def _write_nifti(array: npt.NDArray, affine: npt.NDArray[np.float64], path: Path) -> None:
    import nibabel

    if path.exists():
        raise InputError(f"two slices are named {path.name.removesuffix('.nii.gz')}: rename one")
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    with replacing(path) as temporary:
        nibabel.save(image, temporary)


def _unchanged_files(folder: Path) -> set[Path]:
    """The images and masks that ``folder/dataset.json`` names and that are as they were written."""
    if not (folder / FILE_NAME).is_file():
        return set()
    named = {
        folder / path: case.sha256[part]
        for case in read_dataset(folder).cases
        for part, path in (("image", case.image), ("label", case.label))
    }
    return {path for path, digest in named.items() if path.is_file() and sha256_of(path) == digest}
