"""Any nested training state as JSON and safetensors: nothing that could run code when it is read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from covid_monai.files import settle

TENSOR = "__tensor__"
PAIRS = "__pairs__"


def save_nested(folder: Path, name: str, content: Any) -> None:
    """Write nested dicts, lists, numbers, strings and tensors to ``name.safetensors`` and ``name.json``.

    The caller makes the folder appear as a whole; see :class:`covid_monai.workflow.state.EpochState`.

    Raises:
        TypeError: the content holds anything else.
    """
    tensors: dict[str, torch.Tensor] = {}
    structure = _detach(content, name, tensors)
    # a channels-last tensor is not contiguous, which safetensors asks for
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(structure), encoding="utf-8")
    for suffix in ("safetensors", "json"):
        settle(folder / f"{name}.{suffix}")


def load_nested(folder: Path, name: str) -> Any:
    """Read what :func:`save_nested` wrote, tensors on the CPU."""
    tensors = load_file(folder / f"{name}.safetensors")
    return _attach(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")), tensors)


def _detach(content: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(content, torch.Tensor):
        tensors[path] = content.detach().cpu().clone()
        return {TENSOR: path}
    if isinstance(content, Mapping):
        # pairs, because an optimizer's state has integers for keys, which JSON would turn into text
        return {PAIRS: [[key, _detach(value, f"{path}/{key}", tensors)] for key, value in content.items()]}
    if isinstance(content, (list, tuple)):
        return [_detach(value, f"{path}/{position}", tensors) for position, value in enumerate(content)]
    if content is None or isinstance(content, (bool, int, float, str)):
        return content
    raise TypeError(f"{path} is a {type(content).__name__}; a training state holds tensors, numbers and text")


def _attach(structure: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(structure, dict):
        if TENSOR in structure:
            return tensors[structure[TENSOR]]
        return {key: _attach(value, tensors) for key, value in structure[PAIRS]}
    if isinstance(structure, list):
        return [_attach(value, tensors) for value in structure]
    return structure
