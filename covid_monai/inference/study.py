"""One study into a folder: its mask, its lungs, what is measured of it, and how all that was made."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.exchange.equipment import Algorithm
from covid_monai.exchange.formats import FILES, NIFTI_ALONE, Formats
from covid_monai.exchange.write import Finished, write_formats
from covid_monai.files import protecting, write_json
from covid_monai.inference.model import Model
from covid_monai.inference.prediction import PredictedFile, Prediction
from covid_monai.inference.study_formats import add_formats, check_series, lacking_formats
from covid_monai.inference.study_inputs import StudyInput, digests_of, key_of
from covid_monai.inference.study_pages import add_page, add_page_later, has_page, lungs_without_airways
from covid_monai.inference.study_record import (
    DONE,
    RECORD,
    StudySettings,
    is_finished,
    read_record_of_study,
    record_of_study,
)
from covid_monai.measurements import Measurements, classes_of
from covid_monai.progress import Stopwatch
from covid_monai.staging import BusyError, staged_files
from covid_monai.studies import Study, read_study
from covid_monai.study_page import PAGE

MASK, LUNGS, MEASUREMENTS, PROBABILITY = "mask.nii.gz", "lungs.nii.gz", "measurements.json", "probability.nii.gz"
"""Files in the folder of a study, beside its record."""

_RESULTS = (MASK, LUNGS, MEASUREMENTS, PROBABILITY, *FILES.values())

STAGING = ".writing-study"
"""What a study's results are written to, before they appear together."""


@dataclass(frozen=True)
class StudyRun:
    """What all studies of a call have in common.

    Attributes:
        model: that segments them.
        output: the folder in which each has its own.
        salt: of the output folder; see :func:`covid_monai.inference.study_inputs.key_of`.
        settings: of reading and measuring.
        orientation: of NIfTI files that do not say; see :func:`covid_monai.studies.read_study`.
        grid_tolerance: of NIfTI files; see :func:`covid_monai.studies.read_study`.
        probabilities: whether the probability of lesion is written too.
        overwrite: replace results that were made otherwise.
        page: whether each gets its page (:mod:`covid_monai.study_page`).
        formats: what is written beside NIfTI.
    """

    model: Model
    output: Path
    salt: bytes
    settings: StudySettings
    orientation: str | None = None
    grid_tolerance: float | None = None
    probabilities: bool = False
    overwrite: bool = False
    page: bool = False
    formats: Formats = NIFTI_ALONE


def predict_study(
    run: StudyRun, given: StudyInput, *, progress: Callable[[int, int], object] | None = None
) -> PredictedFile:
    """Segment and measure a study, unless its folder has the results already; errors stand in what is returned."""
    stopwatch = Stopwatch()
    digests: list[str] = []
    result = PredictedFile(given.place, study=given.name, error=given.error)
    with collecting_warnings() as doubts, protecting(*given.files):
        try:
            with stopwatch("hash"):
                digests = digests_of(given.files)
            result = replace(result, study=key_of(given, digests, run.salt))
            if given.error is None:
                result = _results(run, given, digests, result, stopwatch, progress)
        # a file whose header promises more than there is memory for stops no other study
        except (InputError, OSError, RuntimeError, MemoryError) as error:
            result = replace(result, error=" ".join(str(error).split()) or type(error).__name__)
    result = replace(result, warnings=tuple(dict.fromkeys((*given.warnings, *doubts, *result.warnings))))
    if result.error is not None and result.study is not None:
        _note_failure(run, given, digests, result, stopwatch)
    return result


def fail_study(run: StudyRun, given: StudyInput, error: str) -> PredictedFile:
    """Note that the process which had a study has died; results that are there stay."""
    result = PredictedFile(given.place, study=given.name, warnings=given.warnings, error=error)
    try:
        digests = digests_of(given.files)
    except OSError:
        return result
    result = replace(result, study=key_of(given, digests, run.salt))
    _note_failure(run, given, digests, result, Stopwatch())
    return result


def _results(
    run: StudyRun,
    given: StudyInput,
    digests: Sequence[str],
    result: PredictedFile,
    stopwatch: Stopwatch,
    progress: Callable[[int, int], object] | None,
) -> PredictedFile:
    assert result.study is not None
    folder = run.output / result.study
    done = replace(
        result,
        mask=folder / MASK,
        measurements=folder / MEASUREMENTS,
        probability=folder / PROBABILITY if run.probabilities else None,
        page=folder / PAGE if run.page else None,
    )
    wanted = {file.name for file in (done.mask, done.measurements, done.probability) if file is not None}
    earlier = read_record_of_study(folder)
    finished = not run.overwrite and is_finished(folder, digests, run.settings, origin=run.model.origin)
    if finished and wanted <= set(earlier["outputs"]):
        return _complete(run, given, done, folder)
    with staged_files(folder, STAGING, RECORD) as staging:
        # what a killed call left in part has been taken back by now
        if not run.overwrite and any((folder / name).exists() for name in _RESULTS):
            raise InputError(
                f"{given.place}: {folder} holds results that were made otherwise or changed since"
                f"{run.model.origin.backend.unlike(earlier)}; give "
                "`overwrite=True` to replace them, or choose another `output`"
            )
        record, warnings = _write(run, given, digests, result.study, staging.path, stopwatch, progress)
        write_json(staging.path / RECORD, record)
        staging.publish(stale=[folder / str(name) for name in earlier.get("outputs", ())])
    return replace(done, warnings=warnings)


def _complete(run: StudyRun, given: StudyInput, done: PredictedFile, folder: Path) -> PredictedFile:
    """Add what finished results lack of formats and page; the mask stays."""
    files = {"mask": folder / MASK, "lungs": folder / LUNGS, "measurements": folder / MEASUREMENTS}
    lacking = lacking_formats(read_record_of_study(folder), run.formats)
    page = run.page and not has_page(folder)
    if not lacking.names and not page:
        return replace(done, kept=True)
    check_series(given, lacking)
    with collecting_warnings():
        # what is told of the CT was told when it was segmented
        study = read_the_study(given, run.settings, run.orientation, run.grid_tolerance)
    if lacking.names:
        with staged_files(folder, STAGING, RECORD) as staging:
            told = add_formats(staging, given, study, lacking, origin=run.model.origin, files=files)
        done = replace(done, warnings=tuple(f"{given.place}: {text}" for text in told))
        # a page names what was assumed
        page = page or (bool(told) and has_page(folder))
    if page:
        add_page_later(folder, study, **files)
    return replace(done, kept=not lacking.names)


def _write(
    run: StudyRun,
    given: StudyInput,
    digests: Sequence[str],
    key: str,
    folder: Path,
    stopwatch: Stopwatch,
    progress: Callable[[int, int], object] | None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Write a study's results to a folder; its record, and what is not as sure as one may believe."""
    check_series(given, run.formats)
    with collecting_warnings() as doubts:
        with stopwatch("read"):
            study = read_the_study(given, run.settings, run.orientation, run.grid_tolerance)
        prediction = run.model.predict(study, probability=run.probabilities, progress=progress)
        stopwatch.seconds |= prediction.seconds
        with stopwatch("lungs"):
            lungs = prediction.lungs
        with stopwatch("measure"):
            measurements = prediction.measure(
                ground_glass_below=run.settings.ground_glass_below,
                floor_ml=run.settings.floor_ml,
                floor_percent=run.settings.floor_percent,
            )
    with stopwatch("write"):
        prediction.save(folder / MASK, probability=folder / PROBABILITY if run.probabilities else None)
        prediction.write_labels(lungs.labels, folder / LUNGS)
        write_measurements(folder, key, measurements)
        made_up = write_formats(folder, run.formats, _finished(prediction, study, measurements))
    # those of the lungs are this study's, the others the same for each study of a call
    of_lungs = {warning: f"{given.place}: {warning}" for warning in lungs.warnings}
    warnings = (*doubts, *(f"{given.place}: {text}" for text in made_up))
    warnings = (*warnings, *(of_lungs.get(warning, warning) for warning in measurements.warnings))
    record = record_of_study(
        key,
        given,
        digests,
        run.settings,
        origin=run.model.origin,
        study=study,
        device=run.model.device,
        warnings=(*given.warnings, *doubts, *made_up),
        outputs={file.name: file for file in sorted(folder.iterdir()) if file.name != RECORD},
        seconds=stopwatch.seconds,
        trained_on=run.model.trained_on,
        formats=run.formats,
    )
    if run.page:
        found, classes = lungs_without_airways(lungs), classes_of(run.model.class_names)
        add_page(folder, record, study, prediction.mask, found, classes=classes, document=measurements.to_dict())
    return record, warnings


def _finished(prediction: Prediction, study: Study, measurements: Measurements) -> Finished:
    """What other formats are written of."""
    origin = prediction.origin
    return Finished(
        study,
        prediction.mask,
        classes_of(prediction.class_names),
        prediction.lungs.labels,
        measurements.to_dict(),
        Algorithm(origin.bundle, origin.weights),
    )


def read_the_study(
    given: StudyInput, settings: StudySettings, orientation: str | None = None, grid_tolerance: float | None = None
) -> Study:
    """Read a study as settings say.

    Raises:
        InputError: it cannot be read; see :func:`covid_monai.studies.read_study`.
    """
    if given.series is None:
        raise InputError(given.error or f"{given.place} holds no CT that can be read")
    return read_study(
        given.series,
        intensity=settings.intensity,
        spacing_known=settings.spacing_known,
        orientation=orientation,
        grid_tolerance=grid_tolerance,
    )


def write_measurements(folder: Path, key: str, measurements: Measurements) -> Path:
    """Write ``measurements.json``, which begins with the study's key."""
    write_json(folder / MEASUREMENTS, {"study": key, **measurements.to_dict()})
    return folder / MEASUREMENTS


def _note_failure(
    run: StudyRun, given: StudyInput, digests: Sequence[str], result: PredictedFile, stopwatch: Stopwatch
) -> None:
    """Note in a study's folder why there is no result; results that are there already stay as they are."""
    folder = run.output / str(result.study)
    # one that another process is writing is that one's to tell of
    with suppress(BusyError), staged_files(folder, STAGING, RECORD) as staging:
        if any((folder / name).exists() for name in (MASK, MEASUREMENTS)) or (
            read_record_of_study(folder).get("state") == DONE
        ):
            return
        record = record_of_study(
            str(result.study),
            given,
            digests,
            run.settings,
            origin=run.model.origin,
            device=run.model.device,
            warnings=result.warnings,
            seconds=stopwatch.seconds,
            error=result.error,
        )
        write_json(staging.path / RECORD, record)
        staging.publish()
