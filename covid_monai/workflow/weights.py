"""Weights as safetensors."""

import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from covid_monai.errors import InputError
from covid_monai.files import replacing


def save_weights(path: str | os.PathLike[str], network: nn.Module) -> None:
    """Write a network's parameters and buffers to ``path`` in one step."""
    # a channels-last tensor is not contiguous, which safetensors asks for
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Load ``path`` into ``network`` and return it.

    A ``.pt`` file, as MONAI's own tools write it, must be a plain state dict; it is read without unpickling code.

    Raises:
        InputError: the file is missing or damaged, or its weights are of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"no weights at {path}; train some with `covid-monai train`, or name a run folder or a .safetensors file"
        )
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True) if path.suffix == ".pt" else load_file(path)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{path} is not a complete weights file ({_first_line(error)})") from error
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"the weights in {path} do not fit this network ({_first_line(error)}); "
            "use the bundle and the settings that they were trained with"
        ) from error
    return network


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
