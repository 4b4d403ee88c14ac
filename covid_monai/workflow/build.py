"""The one way from a bundle to a MONAI workflow, whether a command, a table or a test asks for it."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_monai.errors import InputError
from covid_monai.workflow.settings import check_settings

if TYPE_CHECKING:
    from monai.bundle import ConfigWorkflow

CONFIGS = {
    "train": ("train.yaml",),
    "evaluate": ("train.yaml", "evaluate.yaml"),
    "inference": ("inference.yaml",),
}
"""The configuration files of each kind of work, later ones over earlier ones."""


def build_workflow(bundle: Path, kind: str, settings: Mapping[str, Any]) -> "ConfigWorkflow":
    """A MONAI workflow of ``bundle`` with ``settings`` in place of its own, not yet initialized.

    Args:
        bundle: the bundle's folder.
        kind: a key of ``CONFIGS``.
        settings: overrides, whose keys the configuration must have.

    Raises:
        InputError: a configuration file is missing, or a setting is unknown.
    """
    files = config_files(bundle, kind)
    from monai.bundle import ConfigParser, ConfigWorkflow

    check_settings(ConfigParser.load_config_files(files), settings, where=f"{bundle.name} ({kind})")
    # MONAI warns that it leaves the program's logging alone, which is what is asked of it
    logging.getLogger("monai.bundle.workflows").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*non-tuple sequence for multidimensional.*")
    return ConfigWorkflow(
        config_file=files,
        logging_file=False,
        workflow_type="train" if kind == "train" else "infer",
        bundle_root=str(bundle),
        **settings,
    )


def config_files(bundle: Path, kind: str) -> list[str]:
    """The paths of a bundle's configuration files for one kind of work.

    Raises:
        InputError: one is missing.
    """
    files = [bundle / "configs" / name for name in CONFIGS[kind]]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} is missing; the bundle at {bundle} cannot {kind}")
    return [str(file) for file in files]


def known_settings(bundle: Path, kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a run's ``settings`` that this kind of work has too, such as the network's for inference.

    The device is not among them: a network may be used elsewhere than where it was trained.
    """
    config = {key for key in read_config(bundle, kind) if key != "device"}
    return {key: value for key, value in settings.items() if key.replace("::", "#").split("#")[0] in config}


def read_config(bundle: Path, kind: str) -> Mapping[str, Any]:
    """A bundle's configuration as its files say it, references and expressions unresolved."""
    files: Sequence[str] = config_files(bundle, kind)
    from monai.bundle import ConfigParser

    return ConfigParser.load_config_files(files)
