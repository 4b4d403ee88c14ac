"""The file formats of an exported network: how it is written, and how it runs from there."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from covid_monai.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SMALLEST = 33
"""Least height and width of an exported network: a map of one pixel at a coarse level cannot be normalised."""


@dataclass(frozen=True)
class Format:
    """How a network becomes a file (from an example of its input), and how the file becomes a function again."""

    write: "Callable[[nn.Module, Tensor, Path], None]"
    read: "Callable[[Path], Callable[[Tensor], Tensor]]"


def _write_torchscript(network: "nn.Module", example: "Tensor", path: Path) -> None:
    import torch

    try:
        program = torch.jit.script(network)
    # TorchScript's language lacks much of Python; tracing needs only the operations
    except Exception:
        program = torch.jit.trace(network, example)
    # given a path, torch.jit refuses names without an ending
    with path.open("wb") as file:
        torch.jit.save(program, file)


def _read_torchscript(path: Path) -> "Callable[[Tensor], Tensor]":
    import torch

    return torch.jit.load(path, map_location="cpu")


def _program(network: "nn.Module", example: "Tensor") -> "torch.export.ExportedProgram":
    import torch

    # hints and not named Dims, whose solver of size relations fails on some networks of several strides
    free = {
        0: torch.export.Dim.DYNAMIC,
        2: torch.export.Dim.DYNAMIC(min=SMALLEST),
        3: torch.export.Dim.DYNAMIC(min=SMALLEST),
    }
    return torch.export.export(
        network, (example,), dynamic_shapes=(free,), prefer_deferred_runtime_asserts_over_guards=True
    )


def _write_program(network: "nn.Module", example: "Tensor", path: Path) -> None:
    import torch

    with path.open("wb") as file:
        torch.export.save(_program(network, example), file)


def _read_program(path: Path) -> "Callable[[Tensor], Tensor]":
    import torch

    with path.open("rb") as file:
        return torch.export.load(file).module()


def _write_onnx(network: "nn.Module", example: "Tensor", path: Path) -> None:
    import torch

    torch.onnx.export(
        _program(network, example),
        f=path,
        dynamo=True,
        verbose=False,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes={"image": {0: "batch", 2: "height", 3: "width"}},
        # weights beside the graph would be a second file
        external_data=False,
    )


def _read_onnx(path: Path) -> "Callable[[Tensor], Tensor]":
    import torch

    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    # its errors are raised as well; there is no need to print them too
    options.log_severity_level = 4
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(["logits"], {"image": image.numpy()})[0])


FORMATS = {
    "torchscript": Format(_write_torchscript, _read_torchscript),
    "onnx": Format(_write_onnx, _read_onnx),
    "torch-export": Format(_write_program, _read_program),
}
"""The formats by the names that the command line gives them."""


def exporter(file_format: str) -> Format:
    """The format of a name in ``FORMATS``.

    Raises:
        InputError: there is no such format, or packages that it needs are missing.
    """
    if file_format not in FORMATS:
        raise InputError(f"format is {file_format!r}; it can be one of {', '.join(FORMATS)}")
    if file_format == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            try:
                importlib.import_module(package)
            except ImportError as error:
                raise InputError(f'ONNX needs {package} ({error}); pip install "covid-monai[export]"') from error
    return FORMATS[file_format]
