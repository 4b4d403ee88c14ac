"""The network of a run, with its weights."""

import os
from typing import TYPE_CHECKING

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.errors import InputError, building
from covid_monai.run.folder import RunFolder, RunRecord, read_run
from covid_monai.weights import check_weights, load_weights

if TYPE_CHECKING:
    from torch import nn


def run_of_bundle(name: str, run: str | os.PathLike[str], *, trust: bool = False) -> RunRecord:
    """The record of a run of a bundle.

    Args:
        name: the bundle.
        run: the run folder.
        trust: whether the run may contain executable configuration; see :func:`covid_monai.run.folder.read_run`.

    Raises:
        InputError: there is no such bundle or run, or the run is of another bundle.
    """
    source = bundle_folder(name)
    record = read_run(run, trust=trust)
    if bundle_folder(record.bundle) != source:
        raise InputError(f"{run} is a run of {record.bundle}, not of {source.name}; give that bundle's name instead")
    return record


def trained_network(run: str | os.PathLike[str], *, trust: bool = False) -> "nn.Module":
    """The network of a run's bundle and settings with the weights that were kept, on the CPU and in evaluation mode.

    Raises:
        InputError: the weights are missing, damaged, or of another network.
    """
    home, record = RunFolder(run), read_run(run, trust=trust)
    source = bundle_folder(record.bundle)
    check_weights(home)
    with building(source.name):
        workflow = build_workflow(source, "inference", known_settings(source, "inference", record.settings))
        workflow.initialize()
        return load_weights(workflow.network_def, home.weights).eval()
