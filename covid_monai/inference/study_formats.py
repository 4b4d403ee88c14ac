"""Other formats of a study whose results are complete: written of its mask, without the network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from covid_monai.errors import InputError
from covid_monai.exchange.equipment import Algorithm
from covid_monai.exchange.formats import FILES, OF_DICOM, SEG, Formats, check_source
from covid_monai.exchange.write import Finished, write_formats
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.inference.mask_record import Origin, read_record
from covid_monai.inference.study_inputs import StudyInput
from covid_monai.inference.study_record import DICOM_SEG, RECORD, read_record_of_study, without_identifiers
from covid_monai.measurements import classes_of
from covid_monai.staging import Staging
from covid_monai.studies import Study

PENDING = "pending"
"""Where a record has, by file, the hashes of formats that a call is about to move or to replace beside the mask."""


def lacking_formats(content: Mapping[str, Any], formats: Formats) -> Formats:
    """What has to be written so that results have all the formats that are asked for.

    A DICOM-SR refers to the DICOM-SEG of its study, so one is not written without the other where both are wanted.

    Args:
        content: the record of the results.
        formats: that are asked for.
    """
    there = {name for name, file in FILES.items() if file in content["outputs"]}
    options = content.get(DICOM_SEG)
    names = formats.names - there
    if SEG in formats.names & there and formats.of_segmentation() != options:
        names |= {SEG}
    if names & {*OF_DICOM}:
        names |= (there | formats.names) & {*OF_DICOM}
    if options is not None and SEG in names and SEG not in formats.names:
        # it is written again as it was
        formats = Formats(names, options["all_frames"], options["lung_segments"], options["type"])
    return replace(formats, names=names) if SEG in names else Formats(names)


def add_formats(
    staging: Staging, given: StudyInput, study: Study, formats: Formats, *, origin: Origin, files: Mapping[str, Path]
) -> tuple[str, ...]:
    """Write formats of results that are complete, and note them in the record; what was made up for them.

    A call that is killed meanwhile leaves the results with their record, which has the hashes of what it was about to
    move; the next call goes on from there.

    Args:
        staging: in the study's folder, which has its record.
        given: the study as it was named.
        study: the CT that the results are of.
        formats: what to write; see :func:`lacking_formats`.
        origin: the model.
        files: ``mask``, ``lungs`` and ``measurements`` of the study.

    Raises:
        InputError: the study has no DICOM images to refer to, or a file of that name is there that is not ours.
    """
    folder, record = staging.folder, read_record_of_study(staging.folder)
    pending = record.pop(PENDING, {})
    for name in formats.files:
        file = folder / name
        if name not in record["outputs"] and file.exists() and sha256_of(file) not in pending.get(name, ()):
            raise InputError(f"{file} is there and was not written with the mask; move it away first")
    made_up = write_formats(staging.path, formats, _finished(study, origin, files))
    written = {name: sha256_of(staging.path / name) for name in formats.files}
    # no record may promise a file as it was while it is replaced
    others = {name: digest for name, digest in record["outputs"].items() if name not in written}
    before = {
        name: [record["outputs"][name]] if name in record["outputs"] else pending.get(name, []) for name in written
    }
    expected = {name: [digest, *before[name]] for name, digest in written.items()}
    write_json(folder / RECORD, {**record, "outputs": others, PENDING: expected})
    kept: Sequence[str] = record["assumed"]
    told = made_up if record["settings"]["keep_identifiers"] else [without_identifiers(text, given) for text in made_up]
    record["assumed"] = list(dict.fromkeys((*kept, *told)))
    record["outputs"] = dict(sorted((others | written).items()))
    record[DICOM_SEG] = formats.of_segmentation() or record.get(DICOM_SEG)
    write_json(staging.path / RECORD, record)
    staging.add()
    return made_up


def check_series(given: StudyInput, formats: Formats) -> None:
    """Refuse formats that the study's series cannot have; see :func:`covid_monai.exchange.formats.check_source`."""
    if given.series is not None:
        check_source(given.place, given.series.format, given.series.slices, formats)


def _finished(study: Study, origin: Origin, files: Mapping[str, Path]) -> Finished:
    import nibabel

    of_mask = read_record(files["mask"])
    if of_mask is None:
        raise InputError(f"{files['mask']} has no record of its classes; give `overwrite=True` to make it again")
    mask, lungs = (np.asanyarray(nibabel.load(files[name]).dataobj).astype(np.uint8) for name in ("mask", "lungs"))
    measurements = read_json(files["measurements"])
    classes = classes_of(of_mask.class_names)
    return Finished(study, mask, classes, lungs, measurements, Algorithm(origin.bundle, origin.weights))
