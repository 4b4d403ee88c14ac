"""Scoring a run on a part of its split."""

import os
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.data.manifest import read_dataset
from covid_monai.environment import device_setting
from covid_monai.errors import InputError, plain_input_errors
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.run.folder import read_run
from covid_monai.weights import check_weights

PARTS = ("train", "validation", "test", "all")


def evaluate(
    run: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    part: str = "test",
    output: str | os.PathLike[str] | None = None,
    device: str | None = None,
    trust: bool = False,
    *,
    progress: bool = True,
) -> Path:
    """Score a run's best weights, per case and together.

    Args:
        run: the run folder.
        data: folder of the prepared data set; where it was at training if None. For ``part="all"`` it may be
            another data set than the run's.
        part: of the run's fold: ``train``, ``validation`` or ``test``; ``all`` scores every case of ``data``.
        output: where to write; ``run/evaluation/<part>`` if None.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        trust: whether the run may bring code; see :func:`covid_monai.run.folder.read_run`.
        progress: whether progress bars are drawn.

    Returns:
        The folder with ``scores.csv``, ``scores.json``, ``scores.md`` and ``masks/``, and ``evaluation.json``, which
        says what was scored.

    Raises:
        InputError: the run is incomplete, the data are not those that it was split for, or ``output`` holds scores
            of other data.
    """
    if part not in PARTS:
        raise InputError(f"part is {part!r}; it can be one of {', '.join(PARTS)}")
    home = Path(run).absolute()
    stored = read_run(home, trust)
    weights = check_weights(home)
    source = bundle_folder(stored.bundle)
    place = Path(data).absolute() if data is not None else Path(stored.data)
    folder = Path(output).absolute() if output is not None else home / "evaluation" / part
    scored = {
        "data": str(place),
        "manifest": sha256_of(read_dataset(place).folder / "dataset.json"),
        "split": None if part == "all" else stored.split,
        "fold": None if part == "all" else stored.fold,
        "part": part,
        "weights": weights,
    }
    _refuse_other_data(folder, scored)
    settings = known_settings(source, "evaluate", stored.settings)
    if device is not None:
        settings["device"] = device_setting(device)
    given = {
        "dataset_dir": str(place),
        "split_file": "" if part == "all" else str(home / "split.json"),
        "fold": stored.fold,
        "part": part,
        "output_dir": str(home),
        "evaluation_dir": str(folder),
    }
    from covid_monai.handlers.seeding import determinism_restored

    with plain_input_errors(), determinism_restored():
        workflow = build_workflow(source, "evaluate", {**settings, **given})
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    write_json(folder / "evaluation.json", scored)
    return folder


def _refuse_other_data(folder: Path, scored: dict[str, Any]) -> None:
    note = folder / "evaluation.json"
    if note.is_file() and read_json(note).get("manifest") != scored["manifest"]:
        raise InputError(f"{folder} holds the scores of {read_json(note).get('data')}; choose another --output")
