"""Weights as safetensors."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from covid_monai.errors import InputError, first_line
from covid_monai.files import read_json, replacing, sha256_of

if TYPE_CHECKING:
    from torch import nn

WEIGHTS_FILE = "model.safetensors"
"""The weights in a run folder, and in the models folder of a bundle."""

WEIGHTS_RECORD_FILE = "model.json"
"""Of which epoch the weights of a run are, and their SHA-256."""


def save_weights(path: str | os.PathLike[str], network: "nn.Module") -> None:
    """Write a network's parameters and buffers to ``path`` in one step."""
    from safetensors.torch import save_file

    # a channels-last tensor is not contiguous, which safetensors asks for
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def load_weights(network: "nn.Module", path: str | os.PathLike[str]) -> "nn.Module":
    """Load ``path`` into ``network`` and return it.

    A ``.pt`` file, as MONAI's own tools write it, must be a plain state dict; it is read without unpickling code.

    Raises:
        InputError: the file is missing or damaged, or its weights are of another network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise InputError(f"no weights at {path}; train some with `covid-monai train`")
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True) if path.suffix == ".pt" else load_file(path)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{path} is not a complete weights file ({first_line(error)})") from error
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"the weights in {path} do not fit this network ({first_line(error)}); "
            "use the bundle and the settings that they were trained with"
        ) from error
    return network


def check_weights(run: str | os.PathLike[str]) -> str:
    """Hold a run's weights against the hash that was noted when they were saved, and return it.

    Raises:
        InputError: there are none, or their hash differs.
    """
    weights, note = Path(run) / WEIGHTS_FILE, Path(run) / WEIGHTS_RECORD_FILE
    if not (weights.is_file() and note.is_file()):
        raise InputError(f"{run} has no {weights.name} with its {note.name} yet; a validation has to end first")
    digest = sha256_of(weights)
    if read_json(note).get("sha256") != digest:
        raise InputError(
            f"{weights} is not what {note.name} notes: it is damaged or was exchanged (copy it again), or training was "
            "killed between the two (train with `resume=True`)"
        )
    return digest
