"""What can be done with a bundle as a whole: describe, verify, copy."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from covid_monai.errors import InputError
from covid_monai.files import read_json, replacing, write_text
from covid_monai.workflow.build import build_workflow, known_settings, read_config
from covid_monai.workflow.bundles import bundle_folder
from covid_monai.workflow.run import Run, plain_input_errors, read_run
from covid_monai.workflow.weights import load_weights

REQUIRED_FILES = (
    "LICENSE",
    "configs/metadata.json",
    "configs/train.yaml",
    "configs/evaluate.yaml",
    "configs/inference.yaml",
    "configs/multi_gpu_train.yaml",
    "configs/logging.conf",
    "docs/README.md",
)


@dataclass(frozen=True)
class Description:
    """What ``bundle show`` tells: metadata, the number of trained parameters, and the settings with their values."""

    metadata: Mapping[str, Any]
    parameters: int
    settings: Mapping[str, Any]


def describe_bundle(name: str) -> Description:
    """Describe a bundle; its network is built to count its parameters."""
    folder = bundle_folder(name)
    config = read_config(folder, "train")
    settings = {key: value for key, value in config.items() if _is_setting(value)}
    workflow = build_workflow(folder, "inference", {"device": "$torch.device('cpu')"})
    workflow.initialize()
    network = workflow.network_def
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Description(read_json(folder / "configs" / "metadata.json"), parameters, settings)


def verify_bundle(name: str) -> list[str]:
    """Check a bundle as MONAI's tools would; the answer lists what is wrong, and is empty where nothing is."""
    from monai.bundle import verify_metadata, verify_net_in_out

    folder = bundle_folder(name)
    problems = [f"{file} is missing" for file in REQUIRED_FILES if not (folder / file).is_file()]
    if problems:
        return problems
    metadata = str(folder / "configs" / "metadata.json")
    checks = {
        "metadata": lambda: verify_metadata(meta_file=metadata, filepath=str(_metadata_schema())),
        "network input and output": lambda: verify_net_in_out(
            net_id="network_def",
            meta_file=metadata,
            config_file=str(folder / "configs" / "inference.yaml"),
            n=1,
            any=1,
        ),
    }
    for what, check in checks.items():
        try:
            check()
        # whatever a foreign bundle's code raises is a finding about that bundle
        except Exception as error:
            problems.append(f"{what}: {' '.join(str(error).split())[:300]}")
    return problems


def copy_bundle(
    name: str, target: str | os.PathLike[str], checkpoint: str | os.PathLike[str] | None = None, trust: bool = False
) -> Path:
    """Copy a bundle to a folder of the user's, where MONAI's own tools can run and change it.

    Args:
        name: the bundle.
        target: a folder that does not exist yet.
        checkpoint: a run folder whose weights go into ``models/`` as ``model.safetensors`` and as the ``model.pt``
            that MONAI's tools expect (a plain state dict), and whose settings go into the configuration.
        trust: whether that run may bring code; see :func:`covid_monai.workflow.run.read_run`.

    Raises:
        InputError: the target exists, or the checkpoint is of another bundle or incomplete.
    """
    source, folder = bundle_folder(name), Path(target)
    if folder.exists():
        raise InputError(f"{folder} exists already; choose a folder that does not")
    run = None if checkpoint is None else read_run(checkpoint, trust)
    if run is not None and bundle_folder(run.bundle) != source:
        raise InputError(f"{checkpoint} is a run of {run.bundle}, not of {source.name}; copy that bundle instead")
    tensors = None if run is None else _weights_of(source, run, Path(str(checkpoint)))
    configs = {
        folder / "configs" / file.name: with_settings(file.read_text(encoding="utf-8"), run.settings if run else {})
        for file in sorted((source / "configs").glob("*.yaml"))
    }
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if run is not None and tensors is not None:
        import torch
        from safetensors.torch import save_file

        for file, text in configs.items():
            write_text(file, text)
        with replacing(folder / "models" / "model.safetensors") as temporary:
            save_file(tensors, temporary)
        with replacing(folder / "models" / "model.pt") as temporary:
            torch.save(tensors, temporary)
    return folder


def with_settings(config: str, settings: Mapping[str, Any]) -> str:
    """A configuration file's text with other values for its top-level settings; its comments stay."""
    for key, value in settings.items():
        # a replacement text is a pattern of its own, in which backslashes have a meaning
        line = f"{key}: {json.dumps(value)}".replace("\\", r"\\")
        config = re.sub(rf"^{re.escape(key)}: .*$", line, config, flags=re.MULTILINE)
        written = yaml.safe_load(config)
        if key in written and written[key] != value:
            raise InputError(
                f"the setting {key} spans several lines, which cannot be exchanged; "
                "copy the bundle without --checkpoint and change it there by hand"
            )
    return config


def _weights_of(source: Path, run: Run, checkpoint: Path) -> dict[str, Any]:
    if nested := [key for key in run.settings if "#" in key or "::" in key]:
        raise InputError(
            f"{checkpoint} was trained with {', '.join(nested)}, which lie inside the configuration; "
            "copy the bundle without --checkpoint and change them there by hand"
        )
    with plain_input_errors():
        workflow = build_workflow(source, "inference", known_settings(source, "inference", run.settings))
        workflow.initialize()
        network = load_weights(workflow.network_def, checkpoint / "model.safetensors")
    return {key: tensor.contiguous() for key, tensor in network.state_dict().items()}


def _is_setting(value: Any) -> bool:
    if isinstance(value, str):
        return not value.startswith(("$", "@", "%"))
    if isinstance(value, list):
        return all(isinstance(item, (int, float)) or (isinstance(item, str) and _is_setting(item)) for item in value)
    return value is None or isinstance(value, (bool, int, float))


def _metadata_schema() -> Path:
    import covid_monai.bundles

    return Path(next(iter(covid_monai.bundles.__path__))) / "metadata_schema.json"
