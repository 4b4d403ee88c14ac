"""From a bundle's configuration files and settings to a MONAI workflow."""

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_monai.catalog.literals import CODE_MARKS, is_code, refuse_ambiguous_numbers
from covid_monai.catalog.settings import check_values, settings_schema
from covid_monai.errors import InputError, building, did_you_mean

if TYPE_CHECKING:
    from monai.bundle import ConfigWorkflow

RENAMED = {"part": "subset"}
"""Settings of release 0.1 whose name has changed, and the name now; bundles copied out of that release have the old."""


def check_settings(
    config: Mapping[str, Any],
    settings: Mapping[str, Any],
    where: str,
    *,
    bundle: Path | None = None,
    training: bool = True,
) -> None:
    """Refuse keys that ``config`` lacks, which MONAI would add without a word, and values that they cannot have.

    A key may lead inwards with ``#`` or ``::``, such as ``train#dataloader#num_workers``.

    Args:
        config: a bundle's configuration.
        settings: values in place of its own.
        where: what an error says has no such setting.
        bundle: the bundle's folder, for the values that it allows; without it, kinds alone are compared.
        training: as in :func:`covid_monai.catalog.settings.check_values`.

    Raises:
        InputError: a key is unknown, or a value is not what the bundle allows, or is of another kind than its own.
    """
    own = {}
    for key in settings:
        content: Any = config
        for step in key.replace("::", "#").split("#"):
            known = [str(name) for name in content] if isinstance(content, Mapping) else []
            if isinstance(content, list) and step.isdigit() and int(step) < len(content):
                content = content[int(step)]
            elif step in known:
                content = content[step]
            else:
                raise InputError(
                    f"{where} has no setting {key!r}{did_you_mean(step, known)}; its settings: {_some(known)}"
                )
        own[key] = content
    if bundle is not None:
        check_values(bundle, config, settings, training=training)
    for key, value in settings.items():
        _check_kind(key, value, own[key])
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{key} is {value!r}; it must be of finite numbers, text, lists and mappings, as a run stores it"
            ) from error


def _named_as_in(config: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    other_name = {**RENAMED, **{new: old for old, new in RENAMED.items()}}
    return {
        other_name[key] if key not in config and other_name.get(key) in config else key: value
        for key, value in settings.items()
    }


def _check_kind(key: str, value: Any, default: Any) -> None:
    if default is None or any(isinstance(thing, str) and thing.startswith(CODE_MARKS) for thing in (value, default)):
        return
    # bool before int, which it is a kind of; a whole number is a real one too
    for kind, allowed, name in (
        (bool, (bool,), "true or false"),
        (int, (int,), "a whole number"),
        (float, (int, float), "a number"),
        (str, (str,), "text"),
        (list, (list, tuple), "a list"),
    ):
        if isinstance(default, kind):
            if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
                raise InputError(f"{key} is {value!r}; it must be {name}, such as {default!r}")
            return


def _some(known: list[str]) -> str:
    return ", ".join(known) if known else "it has none inside"


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
        settings: overrides, whose keys the configuration must have, under this name or the one in ``RENAMED``.

    Raises:
        InputError: a configuration file is missing, a setting is unknown, or its value is one that it cannot have.
    """
    files = config_files(bundle, kind)
    from monai.bundle import ConfigParser, ConfigWorkflow

    config = ConfigParser.load_config_files(files)
    settings = _named_as_in(config, settings)
    check_settings(config, settings, where=f"{bundle.name} ({kind})", bundle=bundle, training=kind == "train")
    # MONAI warns that it leaves the program's logging alone, which is what is asked of it
    logging.getLogger("monai.bundle.workflows").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*non-tuple sequence for multidimensional.*")
    # where pydicom is installed, MONAI's loader says that a GPU's DICOM decoder is missing, which nothing here uses
    logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
    workflow = ConfigWorkflow(
        config_file=files,
        logging_file=False,
        workflow_type="train" if kind == "train" else "infer",
        bundle_root=str(bundle),
        **settings,
    )
    if expressions := [key for key in settings if key in settings_schema(bundle) and is_code(settings[key])]:
        with building(bundle.name):
            computed = {key: workflow.parser.get_parsed_content(key) for key in expressions}
        check_values(bundle, config, {**settings, **computed}, training=kind == "train")
    return workflow


def config_files(bundle: Path, kind: str) -> list[str]:
    """The paths of a bundle's configuration files for one kind of work.

    Raises:
        InputError: one is missing, or has a number that YAML 1.1 and YAML 1.2 read differently.
    """
    files = [bundle / "configs" / name for name in CONFIGS[kind]]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} is missing; the bundle at {bundle} cannot {kind}")
        refuse_ambiguous_numbers(file)
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
