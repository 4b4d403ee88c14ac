"""Pages of studies beside their results, and the index of a folder of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.inference.mask_record import read_record
from covid_monai.inference.study_inputs import LOCK
from covid_monai.inference.study_record import DONE, RECORD, read_record_of_study
from covid_monai.lungs import Lungs
from covid_monai.measurements import classes_of
from covid_monai.progress import Stopwatch
from covid_monai.staging import locked
from covid_monai.studies import Study
from covid_monai.study_page import INDEX, PAGE, THUMBNAIL


def add_page(
    folder: Path,
    record: dict[str, Any],
    study: Study,
    mask: NDArray[Any],
    lungs: NDArray[np.uint8],
    *,
    classes: Mapping[int, str],
    document: Mapping[str, Any],
) -> None:
    """Write a study's page, and note it in the record: its files among ``outputs``, its time among ``seconds``.

    Args:
        folder: where to.
        record: ``run.json`` without the page.
        study: the CT.
        mask: (i, j, k), values of ``classes``.
        lungs: (i, j, k), 1 right, 2 left, without airways.
        classes: what the values of the mask are.
        document: the measurements.
    """
    from covid_monai.study_page.page import write_page

    stopwatch = Stopwatch()
    with stopwatch("page"):
        files = write_page(folder, study, mask, lungs, classes=classes, document=document, record=record)
    record["outputs"] |= {name: sha256_of(file) for name, file in files.items()}
    record["seconds"] |= stopwatch.seconds


def lungs_without_airways(lungs: Lungs) -> NDArray[np.uint8]:
    """The labels of lungs, 0 in trachea and main bronchi."""
    return np.where(lungs.airways, 0, lungs.labels).astype(np.uint8)


def has_page(folder: Path) -> bool:
    """Whether a study's folder has its page as it was written."""
    outputs = read_record_of_study(folder).get("outputs", {})
    return all(
        (folder / name).is_file() and outputs.get(name) == sha256_of(folder / name) for name in (PAGE, THUMBNAIL)
    )


def add_page_later(folder: Path, study: Study, *, mask: Path, lungs: Path, measurements: Path) -> None:
    """Write the page of results that are complete.

    Args:
        folder: of the study, with its record.
        study: the CT that the results are of.
        mask: file on the grid of the study, with its record beside it.
        lungs: file on the grid of the study.
        measurements: the document.
    """
    import nibabel

    labels, found = (np.asanyarray(nibabel.load(file).dataobj) for file in (mask, lungs))
    of_mask = read_record(mask)
    assert of_mask is not None
    document = read_json(measurements)
    record = read_record_of_study(folder)
    classes = classes_of(of_mask.class_names)
    # seconds and outputs of an earlier page are not those of this one
    for name in (PAGE, THUMBNAIL):
        record["outputs"].pop(name, None)
    record["seconds"].pop("page", None)
    add_page(folder, record, study, labels, found.astype(np.uint8), classes=classes, document=document)
    write_json(folder / RECORD, record)


def write_index_of(output: Path, measurements: str) -> Path | None:
    """Write the index of the studies in ``output``, in the order of their keys; None where there is one or none.

    Args:
        output: the folder that has the studies' folders.
        measurements: the name of the document in them.
    """
    from covid_monai.study_page.index import Entry, write_index

    with locked(output / LOCK):
        entries = []
        for folder in sorted(child for child in output.iterdir() if child.is_dir() and not child.name.startswith(".")):
            record = read_record_of_study(folder)
            if record:
                done = record["state"] == DONE
                entries.append(Entry(folder, record, read_json(folder / measurements) if done else None))
        if len(entries) < 2:
            (output / INDEX).unlink(missing_ok=True)
            return None
        return write_index(output, entries)
