"""A trained network as one file for other programs: TorchScript, ONNX, torch.export."""

import importlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.metadata import input_channels
from covid_monai.errors import InputError, first_line
from covid_monai.files import disk_error, replacing
from covid_monai.run.trained import run_of_bundle, trained_network

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
    # not into the file: where the disk is full, torch ends the whole process
    memory = io.BytesIO()
    torch.jit.save(program, memory)
    path.write_bytes(memory.getbuffer())


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

    memory = io.BytesIO()
    torch.export.save(_program(network, example), memory)
    path.write_bytes(memory.getbuffer())


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


TOLERANCE = 1e-4
"""How far the logits of an exported network may be from the network's own; of the largest logit, if that is above 1."""

_EXAMPLE = (2, 70, 80)
_CHECKS = ((1, 65, 97), (3, 96, 64))


@dataclass(frozen=True)
class Agreement:
    """How near an exported network is to the network itself, for random images.

    Attributes:
        shape: of the images: batch, channels, height, width.
        difference: the largest of a logit.
        allowed: how large it may be.
    """

    shape: tuple[int, ...]
    difference: float
    allowed: float


def export_bundle(
    name: str,
    run: str | os.PathLike[str],
    file_format: str,
    output: str | os.PathLike[str],
    *,
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> list[Agreement]:
    """Write the network of a run to one file, from images as the bundle's chain leaves them to logits.

    Batch, height and width are free; height and width are at least 33. The file is written only when it
    has been read again and its logits are those of the network.

    Args:
        name: the bundle.
        run: see :func:`covid_monai.run.trained.find_trained`.
        file_format: one of ``FORMATS``.
        output: the file, which must not exist yet.
        settings: overrides that the run does not record; see :func:`covid_monai.run.trained.find_trained`.
        trust: whether the run may contain executable configuration; see :func:`covid_monai.run.folder.read_run`.

    Returns:
        the agreement with the network at sizes other than that of the example it was exported with.

    Raises:
        InputError: the bundle, run, format or output cannot be used, or the network resists this format.
    """
    target = Path(output)
    chosen = exporter(file_format)
    if target.exists():
        raise InputError(f"{target} exists already; choose a file that does not")
    network = trained_network(run_of_bundle(name, run, settings=settings, trust=trust))
    channels = input_channels(bundle_folder(name))
    with replacing(target) as temporary:
        try:
            return export_network(network, channels, chosen, temporary)
        except InputError as error:
            raise InputError(
                f"{bundle_folder(name).name} as {file_format}: {error}; {target} was not written"
            ) from error


def export_network(network: "nn.Module", channels: int, file_format: Format, path: Path) -> list[Agreement]:
    """Write a network in evaluation mode to ``path`` and hold the file against it at two other sizes.

    Raises:
        InputError: the network cannot be written in this format, the file cannot be run at another size, or its
            logits differ by more than ``TOLERANCE``.
    """
    import torch

    batch, height, width = _EXAMPLE
    step = "it cannot be converted"
    try:
        with _quiet():
            file_format.write(network, torch.rand(batch, channels, height, width), path)
            exported = file_format.read(path)
            step = "it was converted, but does not run at other sizes"
            found = [_agreement(network, exported, (batch, channels, *size)) for batch, *size in _CHECKS]
    # tracing and conversion fail in as many ways as there are operations
    except Exception as error:
        if disk_error(error) is not None:
            raise
        raise InputError(f"{step} ({first_line(error)})") from error
    for entry in found:
        if not entry.difference <= entry.allowed:
            raise InputError(
                f"logits of {' x '.join(map(str, entry.shape))} images are {entry.difference:.2g} from the network's, "
                f"of which {entry.allowed:.2g} is allowed"
            )
    return found


def _agreement(network: "nn.Module", exported: "Callable[[Tensor], Tensor]", shape: tuple[int, ...]) -> Agreement:
    import torch

    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(image)
        difference = (exported(image) - expected).abs().max()
    return Agreement(shape, float(difference), TOLERANCE * max(1.0, float(expected.abs().max())))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say of their own insides; the error that they raise is enough."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
