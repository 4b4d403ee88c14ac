"""Training a bundle into a run folder."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from covid_monai.catalog.bundles import bundle_folder, stored_name
from covid_monai.catalog.config import build_workflow, is_code
from covid_monai.data.manifest import read_dataset
from covid_monai.environment import describe_environment, device_setting
from covid_monai.errors import InputError, building, plain_input_errors
from covid_monai.files import sha256_of, write_json, write_text
from covid_monai.run.folder import Run, read_run, write_run

MAY_CHANGE_ON_RESUME = ("epochs", "patience", "workers")
GIVEN_OTHERWISE = {
    "bundle_root": "the bundle's name or path",
    "dataset_dir": "--data",
    "split_file": "--split",
    "fold": "--fold",
    "output_dir": "--output",
    "resume": "--resume",
    "device": "--device",
}


def train(
    bundle: str,
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    split: str | os.PathLike[str] | None = None,
    fold: int = 0,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
    resume: bool = False,
    *,
    progress: bool = True,
) -> Path:
    """Train a bundle's network on a fold of a prepared data set.

    Args:
        bundle: a bundle's name, such as ``a_segnet``, or its path.
        data: folder of the prepared data set.
        output: the run folder; see docs/architecture.md for what it will hold.
        split: the split file; ``data/split.json`` where None.
        fold: which of the split's folds.
        settings: overrides of the bundle's configuration; a resumed run keeps those that it was started with.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        resume: go on from the last complete epoch of the run in ``output``. The weights at the end are those of a
            run that was never interrupted.
        progress: whether progress bars are drawn.

    Returns:
        ``output``.

    Raises:
        InputError: the data, the split, a setting or the output folder cannot be used.
    """
    folder = Path(output).absolute()
    source = bundle_folder(bundle)
    split = Path(data) / "split.json" if split is None else Path(split)
    if not split.is_file():
        raise InputError(f"no split file at {split}; make one with `covid-monai data split {data} -o {split}`")
    for key in {*(settings or {})} & {*GIVEN_OTHERWISE}:
        raise InputError(f"{key} is not for --set: it is given by {GIVEN_OTHERWISE[key]}")
    run = Run(
        bundle=stored_name(source),
        settings=dict(settings or {}),
        data=str(Path(data).resolve()),
        manifest=sha256_of(read_dataset(data).folder / "dataset.json"),
        split=sha256_of(split),
        fold=fold,
    )
    if resume:
        run = _resumed(read_run(folder, trust=True), run, folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder; --resume goes on with the run in it, or choose another")
    given = {
        "dataset_dir": run.data,
        "split_file": str(split.absolute()),
        "fold": fold,
        "output_dir": str(folder),
        "resume": resume,
    }
    if device is not None:
        given["device"] = device_setting(device)
    workflow = build_workflow(source, "train", {**run.settings, **given})
    config = {key: value for key, value in workflow.parser.config.items() if key != "_meta_"}
    from covid_monai.handlers.seeding import determinism_restored

    with determinism_restored():
        _run(workflow, run, folder, split, config, source.name)
    return folder


def _run(workflow: Any, run: Run, folder: Path, split: Path, config: dict[str, Any], bundle: str) -> None:
    # built before anything is written: a folder with something in it would be refused at the next try
    with building(bundle):
        workflow.initialize()
        epochs = workflow.trainer.state.max_epochs
        if epochs < 1:
            raise InputError(f"epochs is {epochs}; train for at least 1")
    # first, so that whatever is killed from here on can be resumed
    write_run(folder, run)
    write_text(folder / "split.json", split.read_text(encoding="utf-8"))
    if not (folder / "environment.json").exists():
        write_json(folder / "environment.json", describe_environment())
    write_text(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    with plain_input_errors():
        workflow.run()
        workflow.finalize()


def _resumed(stored: Run, asked: Run, folder: Path) -> Run:
    """The stored run with what may change on a resume as it is asked for now."""
    for name in ("bundle", "manifest", "split", "fold"):
        if getattr(stored, name) != getattr(asked, name):
            raise InputError(
                f"{folder} was trained with {name} {getattr(stored, name)}, not {getattr(asked, name)}; "
                "resume it with what it was started with, or train into another folder"
            )
    for key in sorted({*asked.settings} - {*MAY_CHANGE_ON_RESUME}):
        before, now = stored.settings.get(key, "the bundle's"), asked.settings[key]
        if before != now:
            raise InputError(
                f"{folder} was trained with {key} = {before}, not {now}; "
                "resume it with the settings it was started with, or train into another folder"
            )
    if foreign := [key for key, value in stored.settings.items() if is_code(value) and key not in asked.settings]:
        raise InputError(f"{folder} was trained with expressions for {', '.join(foreign)}; give that --config again")
    return replace(stored, settings={**stored.settings, **asked.settings}, data=asked.data)
