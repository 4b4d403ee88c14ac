"""Trained weights and what is known of them: the shipped ones, a run's, those of MONAI's own command, or a bundle's."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.errors import InputError, InputWarning, building
from covid_monai.files import read_json, sha256_of
from covid_monai.run.folder import RunFolder, RunRecord, read_run
from covid_monai.weights import WEIGHTS_FILE, WEIGHTS_RECORD_FILE, check_weights, load_weights

if TYPE_CHECKING:
    from torch import nn


SHIPPED = "shipped"
"""The name of the weights that the package brings along, wherever a run is asked for; a folder of this name is
``./shipped``."""

SHIPPED_BUNDLE = "covid_lesion_ct_segmentation"


@dataclass(frozen=True)
class Trained:
    """Weights, and what they were trained with as far as it is known.

    Attributes:
        home: the run folder; for other weights the folder where an evaluation of them goes.
        bundle: the bundle's folder.
        settings: overrides of its configuration.
        weights: the weights file.
        sha256: of the weights.
        record: of the run; None where the data, the split and the settings are not known.
        on_crops: whether they were trained on crops of the lungs, as far as that is known.
        terms: of use, where the weights say so.
    """

    home: RunFolder
    bundle: Path
    settings: Mapping[str, Any]
    weights: Path
    sha256: str
    record: RunRecord | None
    on_crops: bool = False
    terms: str | None = None

    @property
    def data(self) -> str:
        """What the weights were trained on, in words, without paths."""
        if self.record is None:
            return self.terms or "not known: the weights have no record of a run"
        name = Path(self.record.data).name
        return f"data set {name}, fold {self.record.fold} (dataset.json, SHA-256 {self.record.manifest[:12]})"


def shipped_weights() -> Path:
    """The folder of the weights that the package brings along, with their hash, terms and licence.

    Raises:
        InputError: this installation was made without them.
    """
    folder = bundle_folder(SHIPPED_BUNDLE) / "models"
    if not (folder / WEIGHTS_FILE).is_file():
        raise InputError(
            f"this installation has no weights of {SHIPPED_BUNDLE}: give the `run` of a training "
            "(`covid-monai train covid_lesion`), or make them by `make model`"
        )
    return folder


def _shipped(settings: Mapping[str, Any]) -> Trained:
    folder = shipped_weights()
    digest, note = check_weights(folder), read_json(folder / WEIGHTS_RECORD_FILE)
    weights = folder / WEIGHTS_FILE
    return Trained(RunFolder(folder), folder.parent, settings, weights, digest, None, note["on_crops"], note["terms"])


def find_trained(
    run: str | os.PathLike[str], *, settings: Mapping[str, Any] | None = None, trust: bool = False
) -> Trained:
    """The weights that a path names, of whichever origin.

    Args:
        run: ``shipped`` for those of the package; a run folder of ``covid-monai train``; the output folder of MONAI's
            own command, which has no ``run.json``; a bundle's folder with ``models/model.safetensors``; or a weights
            file within either.
        settings: overrides of the bundle's configuration that the run does not record, or that go over its own.
        trust: whether configuration that can be executed may come from there;
            see :func:`covid_monai.run.folder.read_run`.

    Raises:
        InputError: there are no weights, they are damaged, their bundle is not known, or their configuration is
            executable and not trusted.
    """
    overrides = dict(settings or {})
    if os.fspath(run) == SHIPPED:
        return _shipped(overrides)
    path = Path(run)
    # a weights file alone would be built with the settings of the bundle, not those of its run
    if path.is_file() and (beside := RunFolder(path.parent)).record.is_file() and path.name == beside.weights.name:
        path = path.parent
    if (RunFolder(path).record).is_file():
        record = read_run(path, trust=trust)
        bundle = bundle_folder(record.bundle)
        home = RunFolder(path)
        known = {**record.settings, **overrides}
        return Trained(home, bundle, known, home.weights, check_weights(home), record, bool(record.crops))
    weights, bundle = _weights_and_bundle(path, trust)
    warnings.warn(
        f"{path} has no run.json: what {bundle.name} was trained on, and with which settings, is not known, and the "
        "bundle's own settings are taken; give those that were changed by `settings`",
        InputWarning,
        stacklevel=2,
    )
    return Trained(
        RunFolder(path if path.is_dir() else path.parent), bundle, overrides, weights, sha256_of(weights), None
    )


def _weights_and_bundle(path: Path, trust: bool) -> tuple[Path, Path]:
    if path.is_dir():
        candidates = [path / WEIGHTS_FILE, path / "models" / WEIGHTS_FILE]
        weights = next((file for file in candidates if file.is_file()), None)
    else:
        weights = path if path.is_file() and path.suffix in (".safetensors", ".pt") else None
    if weights is None:
        raise InputError(
            f"{path} is not a run folder: it has neither run.json nor {WEIGHTS_FILE}; `covid-monai train` makes one, "
            "and a bundle's folder or a weights file (.safetensors, .pt) within its bundle can be given too"
        )
    # a copy of a bundle may have been changed, so that the weights in it are of that copy
    for folder in (weights.parent, weights.parent.parent):
        if (folder / "configs" / "metadata.json").is_file():
            if not trust:
                raise InputError(
                    f"{folder} is a bundle and contains executable configuration; give `trust=True` if you know "
                    "where it comes from"
                )
            return weights, folder.resolve()
    if (note := weights.with_name(WEIGHTS_RECORD_FILE)).is_file():
        check_weights(weights.parent)
        if (name := str(read_json(note).get("bundle"))) in bundle_names():
            return weights, bundle_folder(name)
    raise InputError(
        f"{weights} does not say which bundle it is of: there is no {WEIGHTS_RECORD_FILE} beside it, and no bundle "
        "(configs/metadata.json) around it; put it into models/ of a copy of its bundle (`covid-monai bundle copy`)"
    )


def run_of_bundle(
    name: str, run: str | os.PathLike[str], *, settings: Mapping[str, Any] | None = None, trust: bool = False
) -> Trained:
    """Trained weights that have to be of a given bundle.

    Args:
        name: the bundle.
        run: see :func:`find_trained`.
        settings: see :func:`find_trained`.
        trust: see :func:`find_trained`.

    Raises:
        InputError: there is no such bundle or run, or the run is of another bundle.
    """
    source = bundle_folder(name)
    trained = find_trained(run, settings=settings, trust=trust)
    if trained.bundle.name != source.name:
        raise InputError(
            f"{run} is a run of {trained.bundle.name}, not of {source.name}; give that bundle's name instead"
        )
    return trained


def trained_network(trained: Trained) -> "nn.Module":
    """The network of a bundle and settings with the weights that were kept, on the CPU and in evaluation mode.

    Raises:
        InputError: the weights are damaged, or of another network.
    """
    with building(trained.bundle.name):
        settings = known_settings(trained.bundle, "inference", trained.settings)
        workflow = build_workflow(trained.bundle, "inference", settings)
        workflow.initialize()
        return load_weights(workflow.network_def, trained.weights).eval()
