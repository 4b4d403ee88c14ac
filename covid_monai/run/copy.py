"""A bundle copied to a folder of the user's, with the weights and settings of a run."""

import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.errors import InputError
from covid_monai.files import naming_disk_errors, replacing, write_text
from covid_monai.run.trained import Trained, run_of_bundle, trained_network
from covid_monai.weights import WEIGHTS_FILE


def copy_bundle(
    name: str, target: str | os.PathLike[str], *, run: str | os.PathLike[str] | None = None, trust: bool = False
) -> Path:
    """Copy a bundle to a folder of the user's, where MONAI's own tools can run and change it.

    Args:
        name: the bundle.
        target: a folder that does not exist yet.
        run: a run (see :func:`covid_monai.run.trained.find_trained`) whose weights go into ``models/`` as
            ``model.safetensors`` and as the ``model.pt`` that MONAI's tools expect (a plain state dict), and whose
            settings go into the configuration.
        trust: whether that run may contain executable configuration; see :func:`covid_monai.run.folder.read_run`.

    Raises:
        InputError: the target exists or cannot be written, or the run is of another bundle or incomplete.
    """
    source, folder = bundle_folder(name), Path(target)
    if folder.exists():
        raise InputError(f"{folder} exists already; choose a folder that does not")
    trained = None if run is None else run_of_bundle(name, run, trust=trust)
    settings = {} if trained is None else trained.settings
    tensors = None if trained is None else _weights_of(trained)
    configs = {
        file.name: with_settings(file.read_text(encoding="utf-8"), settings)
        for file in sorted((source / "configs").glob("*.yaml"))
    }
    with naming_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # the folder appears as a whole, or not at all
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder.parent) as temporary:
            copied = Path(temporary) / "bundle"
            shutil.copytree(source, copied, ignore=shutil.ignore_patterns("__pycache__"))
            if tensors is not None:
                _add_run(copied, configs, tensors)
            os.replace(copied, folder)
    return folder


def _add_run(folder: Path, configs: Mapping[str, str], tensors: dict[str, Any]) -> None:
    import torch
    from safetensors.torch import save_file

    for name, text in configs.items():
        write_text(folder / "configs" / name, text)
    # weights that the bundle comes with, and what is said of them
    shutil.rmtree(folder / "models", ignore_errors=True)
    with replacing(folder / "models" / WEIGHTS_FILE) as temporary:
        save_file(tensors, temporary)
    # not into the file: what torch says of a full disk does not name it
    memory = io.BytesIO()
    torch.save(tensors, memory)
    with replacing(folder / "models" / "model.pt") as temporary:
        temporary.write_bytes(memory.getbuffer())


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
                "copy the bundle without `run` and change it there by hand"
            )
    return config


def _weights_of(trained: Trained) -> dict[str, Any]:
    if nested := [key for key in trained.settings if "#" in key or "::" in key]:
        raise InputError(
            f"{trained.home} was trained with {', '.join(nested)}, which lie inside the configuration; "
            "copy the bundle without `run` and change them there by hand"
        )
    return {key: tensor.contiguous() for key, tensor in trained_network(trained).state_dict().items()}
