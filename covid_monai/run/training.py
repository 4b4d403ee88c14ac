"""Training a bundle into a run folder."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from covid_monai.catalog.bundles import bundle_folder, stored_name
from covid_monai.catalog.config import build_workflow
from covid_monai.catalog.literals import is_code
from covid_monai.data.drawing import split_command
from covid_monai.data.manifest import FILE_NAME, read_dataset
from covid_monai.data.splits import FILE_NAME as SPLIT_FILE_NAME
from covid_monai.environment import describe_environment, device_setting
from covid_monai.errors import InputError, InputWarning, building, plain_input_errors
from covid_monai.files import protecting, sha256_of, write_json, write_text
from covid_monai.run.crops import trained_on_crops
from covid_monai.run.folder import RunFolder, RunRecord, read_run, write_run
from covid_monai.run.run import Run
from covid_monai.run.trained import SHIPPED, shipped_weights
from covid_monai.weights import check_weights, load_weights

MAY_CHANGE_ON_RESUME = ("epochs", "patience", "workers")
GIVEN_OTHERWISE = {
    "bundle_root": "the bundle's name or path",
    "dataset_dir": "`data`",
    "split_file": "`split`",
    "fold": "`fold`",
    "output_dir": "`output`",
    "resume": "`resume`",
    "device": "`device`",
}


def train(
    bundle: str,
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    split: str | os.PathLike[str] | None = None,
    fold: int = 0,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
    resume: bool = False,
    init: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Run:
    """Train a bundle's network on a fold of a prepared data set.

    Args:
        bundle: a bundle's name, such as ``a_segnet``, or its path.
        data: folder of the prepared data set.
        output: the run folder; see docs/architecture.md for what it will hold.
        split: the split file; ``data/split.json`` where None.
        fold: which of the split's folds.
        settings: overrides of the bundle's configuration; a resumed run keeps those that it was started with.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        resume: go on from the last complete epoch of the run in ``output``; where none was begun, start afresh and
            warn. The weights at the end are those of a run that was never interrupted.
        init: a run folder whose kept weights training begins with (fine-tuning), or ``shipped`` for those of the
            package; the network must be the same one.
        progress: show a progress bar on stderr.

    Returns:
        the run in ``output``.

    Raises:
        InputError: the data, the split, a setting or the output folder cannot be used.
    """
    folder = RunFolder(output)
    source = bundle_folder(bundle)
    dataset = read_dataset(data)
    split = Path(data) / SPLIT_FILE_NAME if split is None else Path(split)
    if not split.is_file():
        command = split_command(dataset, split)
        raise InputError(f"no split file at {split}; make one, such as by `{command}`")
    for key in {*(settings or {})} & {*GIVEN_OTHERWISE}:
        raise InputError(f"{key} is not one of the `settings`: it is given by {GIVEN_OTHERWISE[key]}")
    begin = shipped_weights() if init is not None and os.fspath(init) == SHIPPED else init
    record = RunRecord(
        bundle=stored_name(source),
        settings=dict(settings or {}),
        data=str(Path(data).resolve()),
        manifest=sha256_of(dataset.folder / FILE_NAME),
        split=sha256_of(split),
        fold=fold,
        init=None if begin is None else check_weights(begin),
        crops=trained_on_crops(dataset),
    )
    resume = _goes_on(folder, resume)
    if resume:
        record = _resumed(read_run(folder, trust=True), record, folder)
    given = {
        "dataset_dir": record.data,
        "split_file": str(split.absolute()),
        "fold": fold,
        "output_dir": str(folder),
        "resume": resume,
    }
    if device is not None:
        given["device"] = device_setting(device)
    workflow = build_workflow(source, "train", {**record.settings, **given})
    config = {key: value for key, value in workflow.parser.config.items() if key != "_meta_"}
    from covid_monai.handlers.log import errors_told_once
    from covid_monai.handlers.seeding import determinism_restored
    from covid_monai.progress import progress_shown

    start = RunFolder(begin) if begin is not None and not resume else None
    inputs = [dataset.folder / FILE_NAME, *([] if start is None else [start.weights])]
    if not (folder.split.exists() and folder.split.samefile(split)):
        inputs.append(split)
    with determinism_restored(), errors_told_once(), progress_shown(progress), protecting(*inputs):
        _run(workflow, record, folder, split, config, source.name, start)
    return Run(folder, trust=True)


def _run(
    workflow: Any,
    record: RunRecord,
    folder: RunFolder,
    split: Path,
    config: dict[str, Any],
    bundle: str,
    start: RunFolder | None,
) -> None:
    # built before anything is written: a folder with something in it would be refused at the next try
    with building(bundle):
        workflow.initialize()
        # MONAI makes a component when it is first asked for, and the trainer has all others
        epochs = workflow.trainer.state.max_epochs
        if epochs < 1:
            raise InputError(f"epochs is {epochs}; train for at least 1")
        if start is not None:
            load_weights(workflow.parser.get_parsed_content("network"), start.weights)
    # first, so that whatever is killed from here on can be resumed
    write_run(folder, record)
    write_text(folder.split, split.read_text(encoding="utf-8"))
    if not folder.environment.exists():
        write_json(folder.environment, describe_environment())
    write_text(folder.config, yaml.safe_dump(config, sort_keys=False))
    with _naming_inner_settings(bundle, record.settings), plain_input_errors():
        workflow.run()
        workflow.finalize()


def _goes_on(folder: RunFolder, resume: bool) -> bool:
    """Whether there is a run to go on with, where that is asked for; a new one needs an empty folder."""
    place = folder.folder
    if resume and folder.record.is_file():
        return True
    there = list(place.iterdir()) if place.is_dir() else []
    if resume and (not place.exists() or all(path.name.startswith(".writing-") for path in there)):
        # a run that was killed before its first file was complete leaves no other trace
        for path in there:
            path.unlink(missing_ok=True)
        warnings.warn(f"{folder} holds no run yet, so training starts afresh", InputWarning, stacklevel=3)
        return False
    if resume:
        raise InputError(f"{folder} holds no run to go on with, but something else; give a run's folder, or a new one")
    if there or (place.exists() and not place.is_dir()):
        raise InputError(
            f"{folder} is not an empty folder; `resume=True` goes on with the run in it, or choose another"
        )
    return False


@contextmanager
def _naming_inner_settings(bundle: str, settings: Mapping[str, Any]) -> Iterator[None]:
    """Tell what fails in training as an InputError where the user has changed the inside of the configuration.

    What such changes can break is as manifold as the configuration itself, and some of it shows with the first step.
    """
    inner = [
        f"{key} = {value!r}"[:100] for key, value in settings.items() if "#" in key or "::" in key or is_code(value)
    ]
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if not inner or isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{bundle} cannot be trained with {', '.join(inner)}: {reason}") from error


def _resumed(stored: RunRecord, asked: RunRecord, folder: RunFolder) -> RunRecord:
    """The stored record with what may change on a resume as it is asked for now."""
    for name in ("bundle", "manifest", "split", "fold"):
        if getattr(stored, name) != getattr(asked, name):
            raise InputError(
                f"{folder} was trained with {name} {getattr(stored, name)}, not {getattr(asked, name)}; "
                "resume it with what it was started with, or train into another folder"
            )
    if asked.init not in (None, stored.init):
        raise InputError(f"{folder} did not begin with the weights of this `init`; leave it away, or train elsewhere")
    for key in sorted({*asked.settings} - {*MAY_CHANGE_ON_RESUME}):
        before, now = stored.settings.get(key, "the bundle's"), asked.settings[key]
        if before != now:
            raise InputError(
                f"{folder} was trained with {key} = {before}, not {now}; "
                "resume it with the settings it was started with, or train into another folder"
            )
    if foreign := [key for key, value in stored.settings.items() if is_code(value) and key not in asked.settings]:
        raise InputError(f"{folder} was trained with expressions for {', '.join(foreign)}; give those `settings` again")
    return replace(stored, settings={**stored.settings, **asked.settings}, data=asked.data)
