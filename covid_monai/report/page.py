"""A run as one page: scores, curves, overlays, settings, data."""

import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from covid_monai import __version__
from covid_monai.data.manifest import Dataset, read_dataset
from covid_monai.errors import InputError, collecting_warnings
from covid_monai.files import protecting, read_json, write_text
from covid_monai.report.cases import load_case, ranked_cases, worst_and_best
from covid_monai.report.curves import draw_curves
from covid_monai.report.embedded import embedded_picture, filled_template
from covid_monai.report.overlays import draw_overlays
from covid_monai.report.preview import draw_preview
from covid_monai.report.scores import (
    averaging,
    empty_masks,
    left_out,
    outcome_sentence,
    read_scores,
    score_tables,
    thresholds,
    thresholds_note,
)
from covid_monai.run.folder import RunFolder, RunRecord, read_run
from covid_monai.run.trained import Trained, find_trained
from covid_monai.weights import WEIGHTS_RECORD_FILE

CASES_SHOWN = 6


def write_report(
    run: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    subset: str = "test",
    data: str | os.PathLike[str] | None = None,
    volume: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
    *,
    reference: str | os.PathLike[str] | None = None,
) -> Path:
    """Write an HTML page about a run that was trained and evaluated; it needs no other file and no network.

    Args:
        run: the run folder.
        output: the page; ``run/report.html`` if None.
        subset: which of the run's evaluations it shows.
        data: the folder of the evaluated data set; where it was at training if None.
        volume: an image and its predicted mask (NIfTI) to show too.
        reference: a mask on the volume's grid, which is outlined there.

    Returns:
        The page's path.

    Raises:
        InputError: the run is not evaluated or lacks files, the data are not those of the evaluation, or ``output``
            is no HTML file's name or an input.
    """
    # a page shows settings and evaluates none
    folder, home = Path(run), RunFolder(run)
    unrecorded = None if home.record.is_file() else _unrecorded(run)
    home = home if unrecorded is None else unrecorded.home
    target = Path(output) if output is not None else home.report
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"`output` is {target}, but the page is HTML; give a name that ends in .html")
    evaluation = home.evaluation(subset)
    if not (evaluation / "scores.json").is_file():
        option = "" if subset == "test" else f" --subset {subset}"
        raise InputError(f"{folder} has no scores of the subset {subset}; run `covid-monai evaluate {folder}{option}`")
    scores = read_scores(evaluation)
    if unrecorded is None:
        stored, config = read_run(home, trust=True), home.config
        model, environment = _read_model(home.weights_record), _read_environment(home.environment)
    else:
        stored, config = _record_of(evaluation, unrecorded), unrecorded.bundle / "configs" / "train.yaml"
        model, environment = _model_of(unrecorded), None
    settings = _settings_of(config)
    dataset = _read_data(stored.data if data is None else data)
    page = filled_template(
        "covid_monai.report",
        "page.html",
        version=__version__,
        run=stored,
        folder=str(folder),
        subset=subset,
        model=model,
        scores=scores,
        **_score_sections(evaluation, scores),
        preview=_preview(volume, reference, settings),
        curves=embedded_picture(lambda picture: draw_curves(home.log, picture))
        if home.log.is_file() or unrecorded is None
        else None,
        overlays=_overlays(evaluation, scores["classes"][-1], dataset, settings),
        settings=_shown_settings(settings, stored),
        environment=_shown_environment(environment) if environment is not None else [],
        recorded=unrecorded is None,
        data=_shown_data(dataset),
    )
    with protecting(*home.trained, evaluation, dataset.folder, *(volume or ()), *([reference] if reference else [])):
        write_text(target, page)
    return target


def _score_sections(evaluation: Path, scores: dict[str, Any]) -> dict[str, Any]:
    try:
        return {
            "outcome": outcome_sentence(scores),
            "tables": score_tables(scores),
            "averaging": averaging(scores),
            "empty_masks": empty_masks(scores),
            "left_out": left_out(scores),
            "thresholds": thresholds(scores),
            "thresholds_note": thresholds_note(scores),
        }
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        path = evaluation / "scores.json"
        raise InputError(f"{path} is damaged ({error}); run `covid-monai evaluate` again") from error


def _curves(log: Path, *, needed: bool) -> str | None:
    """The picture of the training; None where there is no log and need not be one."""
    if not log.is_file() and not needed:
        return None
    return embedded_picture(lambda picture: draw_curves(log, picture))


def _overlays(
    evaluation: Path, lesion_class: str, dataset: Dataset, settings: dict[str, Any]
) -> list[tuple[str, list[str], str]]:
    """The worst and the best cases: (heading, names, picture)."""
    class_of_label = _class_of_label(settings)
    ranked = ranked_cases(evaluation, lesion_class)
    dice = dict(zip(ranked["case"], ranked["dice"], strict=True))
    pictures = []
    for heading, names in zip(("Worst", "Best"), worst_and_best(ranked, CASES_SHOWN), strict=True):
        cases = [load_case(name, dataset, evaluation, class_of_label, dice[name]) for name in names]
        if cases:
            pictures.append((heading, names, embedded_picture(partial(draw_overlays, cases))))
    return pictures


def _preview(
    volume: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None,
    reference: str | os.PathLike[str] | None,
    settings: dict[str, Any],
) -> dict[str, str | None] | None:
    if volume is None:
        if reference is not None:
            raise InputError(f"{reference} is a reference of no volume; give the image and its mask as `volume`")
        return None
    image, mask = volume
    picture = embedded_picture(
        lambda picture: draw_preview(image, mask, picture, settings["class_names"], reference=reference)
    )
    return {"name": Path(image).name, "picture": picture, "reference": Path(reference).name if reference else None}


def _settings_of(path: Path) -> dict[str, Any]:
    """The literal settings of ``config.yaml``: no expressions, no components."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; the run folder is incomplete, so train again") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not readable YAML; restore it or train again") from error
    needed = ("class_names", "lesion_labels", "lesion_classes")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in needed):
        raise InputError(f"{path} lacks one of {', '.join(needed)}; restore it or train again")
    labels, classes = content["lesion_labels"], content["lesion_classes"]
    if len(labels) != len(classes) or not all(type(n) is int and 0 <= n <= 255 for n in labels + classes):
        raise InputError(f"{path}: lesion_labels and lesion_classes must pair integers; restore it or train again")
    return {key: value for key, value in content.items() if _is_literal(value)}


def _is_literal(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_literal(item) for item in value)
    if isinstance(value, str):
        return not value.startswith(("$", "@"))
    return value is None or isinstance(value, bool | int | float)


def _read_data(folder: str | os.PathLike[str]) -> Dataset:
    if not Path(folder).is_dir():
        raise InputError(f"the data set {folder} is not there; if it was moved, give its folder by `data`")
    return read_dataset(folder)


def _class_of_label(settings: dict[str, Any]) -> dict[int, int]:
    return dict(zip(settings["lesion_labels"], settings["lesion_classes"], strict=True))


def _record_of(evaluation: Path, trained: Trained) -> RunRecord:
    """What an evaluation notes of weights that have no record of their own."""
    noted = read_json(evaluation / "evaluation.json")
    if not isinstance(noted, dict) or noted.get("weights") != trained.sha256:
        raise InputError(f"{evaluation} is of other weights than {trained.weights}; run `covid-monai evaluate` again")
    return RunRecord(
        bundle=trained.bundle.name,
        settings={},
        data=noted["data"],
        manifest=noted["manifest"],
        split=noted["split"] or "",
        fold=noted["fold"] or 0,
    )


def _unrecorded(run: str | os.PathLike[str]) -> Trained:
    # what is not known of them stands on the page
    with collecting_warnings():
        return find_trained(run, trust=True)


def _model_of(trained: Trained) -> dict[str, Any]:
    note = trained.weights.with_name(WEIGHTS_RECORD_FILE)
    if note.is_file():
        return _read_model(note)
    return {"bundle": trained.bundle.name, "epoch": None, "validation_dice": None, "sha256": trained.sha256}


def _read_model(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path} is missing; the run has no weights yet, so finish `covid-monai train`")
    model = read_json(path)
    if not isinstance(model, dict) or not {"bundle", "epoch", "validation_dice", "sha256"} <= set(model):
        raise InputError(f"{path} lacks bundle, epoch, validation_dice or sha256; train again")
    return model


def _read_environment(path: Path) -> dict[str, Any]:
    environment = read_json(path)
    if not isinstance(environment, dict) or not isinstance(environment.get("packages"), dict):
        raise InputError(f"{path} lists no packages; restore it or train again")
    return environment


# paths and switches of one machine, which say nothing about the result, or stand elsewhere on the page
_NOT_SHOWN = ("imports", "bundle_root", "dataset_dir", "split_file", "output_dir", "resume", "workers", "fold")


def _shown_settings(settings: dict[str, Any], run: RunRecord) -> list[tuple[str, str, bool]]:
    """(name, value, whether it was set for this run) of each setting."""
    return [(name, _text(value), name in run.settings) for name, value in settings.items() if name not in _NOT_SHOWN]


def _shown_environment(environment: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("python", environment.get("python")), *environment["packages"].items()]
    lines += [(name, environment.get(name)) for name in ("system", "processor", "threads")]
    return [(name, _text(value)) for name, value in [*lines, ("GPU", environment.get("cuda"))]]


def _shown_data(dataset: Dataset) -> dict[str, Any]:
    cases = dataset.cases
    kinds = {
        "hu": "true HU",
        "anchored": "8-bit, HU by air and fat peaks",
        "window": "8-bit, HU by a fixed window",
    }
    intensity = Counter(kinds[case.intensity] for case in cases)
    unknown = sum(case.patient is None for case in cases)
    patients = str(len({case.patient for case in cases} - {None}))
    return {
        "name": dataset.name,
        "licence": dataset.licence or "not given",
        "cases": len(cases),
        "patients": f"{patients} known; unknown for {unknown} slices" if unknown else patients,
        "volumes": len({case.volume for case in cases} - {None}),
        "intensity": ", ".join(f"{kind}: {count} slices" for kind, count in sorted(intensity.items())),
        "spacing": f"known for {sum(case.spacing_known for case in cases)} of {len(cases)} slices",
        "labels": ", ".join(name for label, name in dataset.labels.items() if label),
    }


def _text(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
