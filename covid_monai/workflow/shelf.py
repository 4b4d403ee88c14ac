"""What can be done with a bundle as a whole: describe, verify, copy."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from covid_monai.errors import InputError
from covid_monai.files import replacing, write_text
from covid_monai.workflow.build import read_config
from covid_monai.workflow.bundles import bundle_folder
from covid_monai.workflow.metadata import metadata_file, metadata_schema, read_metadata
from covid_monai.workflow.run import Run
from covid_monai.workflow.sizes import Size, network_sizes
from covid_monai.workflow.steps import intensity_steps, losses
from covid_monai.workflow.trained import run_of_bundle, trained_network

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
    """What ``bundle show`` tells.

    Attributes:
        name: the bundle's.
        metadata: its ``metadata.json``.
        sizes: of its network, then of its ablations.
        intensity_steps: what its inference chain does to an image's values.
        loss: that it trains with.
        losses: all that its setting ``loss`` can name.
        settings: of its training, with their values.
    """

    name: str
    metadata: Mapping[str, Any]
    sizes: Sequence[Size]
    intensity_steps: Sequence[str]
    loss: str
    losses: Sequence[str]
    settings: Mapping[str, Any]

    @property
    def parameters(self) -> int:
        """How many parameters of the bundle's network are trained."""
        return self.sizes[0].parameters


def describe_bundle(name: str) -> Description:
    """Describe a bundle; its network and those of its ablations are built without values to count their operations.

    Raises:
        InputError: there is no such bundle, or a part of its configuration is not as ours are.
    """
    folder = bundle_folder(name)
    loss, choices = losses(folder)
    return Description(
        name=folder.name,
        metadata=read_metadata(folder),
        sizes=network_sizes(name),
        intensity_steps=intensity_steps(folder),
        loss=loss,
        losses=choices,
        settings={key: value for key, value in read_config(folder, "train").items() if _is_setting(value)},
    )


def verify_bundle(name: str) -> list[str]:
    """Check a bundle as MONAI's tools would; the answer lists what is wrong, and is empty where nothing is."""
    from monai.bundle import verify_metadata, verify_net_in_out

    folder = bundle_folder(name)
    problems = [f"{file} is missing" for file in REQUIRED_FILES if not (folder / file).is_file()]
    if problems:
        return problems
    metadata = str(metadata_file(folder))
    checks = {
        "metadata": lambda: verify_metadata(meta_file=metadata, filepath=str(metadata_schema())),
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
    run = None if checkpoint is None else run_of_bundle(name, checkpoint, trust)
    tensors = None if run is None else _weights_of(run, Path(str(checkpoint)))
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


def _weights_of(run: Run, checkpoint: Path) -> dict[str, Any]:
    if nested := [key for key in run.settings if "#" in key or "::" in key]:
        raise InputError(
            f"{checkpoint} was trained with {', '.join(nested)}, which lie inside the configuration; "
            "copy the bundle without --checkpoint and change them there by hand"
        )
    return {key: tensor.contiguous() for key, tensor in trained_network(run, checkpoint).state_dict().items()}


def _is_setting(value: Any) -> bool:
    if isinstance(value, str):
        return not value.startswith(("$", "@", "%"))
    if isinstance(value, list):
        return all(isinstance(item, (int, float)) or (isinstance(item, str) and _is_setting(item)) for item in value)
    return value is None or isinstance(value, (bool, int, float))
