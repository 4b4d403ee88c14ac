"""The network of a run, with its weights."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.errors import InputError, building
from covid_monai.run.folder import Run, read_run
from covid_monai.weights import check_weights, load_weights

if TYPE_CHECKING:
    from torch import nn


def run_of_bundle(name: str, checkpoint: str | os.PathLike[str], trust: bool = False) -> Run:
    """Read a run of a bundle.

    Args:
        name: the bundle.
        checkpoint: the run folder.
        trust: whether the run may bring code; see :func:`covid_monai.run.folder.read_run`.

    Raises:
        InputError: there is no such bundle or run, or the run is of another bundle.
    """
    source = bundle_folder(name)
    run = read_run(checkpoint, trust)
    if bundle_folder(run.bundle) != source:
        raise InputError(
            f"{checkpoint} is a run of {run.bundle}, not of {source.name}; give that bundle's name instead"
        )
    return run


def trained_network(run: Run, checkpoint: str | os.PathLike[str]) -> "nn.Module":
    """The network of a run's bundle and settings with its best weights, on the CPU and in evaluation mode.

    Raises:
        InputError: the weights are missing, damaged, or of another network.
    """
    home, source = Path(checkpoint), bundle_folder(run.bundle)
    check_weights(home)
    with building(source.name):
        workflow = build_workflow(source, "inference", known_settings(source, "inference", run.settings))
        workflow.initialize()
        return load_weights(workflow.network_def, home / "model.safetensors").eval()
