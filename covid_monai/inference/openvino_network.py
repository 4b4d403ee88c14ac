"""A network that OpenVINO computes: converted from torch, compiled for the processor, called with tensors."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Shape = tuple[int, int, int, int]
"""Of the images that a network is called with: the most at once, channels, height, width."""


def convert_network(network: "nn.Module", shape: Shape) -> Any:
    """An ``openvino.Model`` of a network in evaluation mode, for one to ``shape[0]`` images.

    Raises:
        RuntimeError: OpenVINO has no word for one of its operations, or it has several outputs.
        Exception: torch cannot trace it.
    """
    import openvino
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    # openvino.convert_model does the same, and reports to its makers how it is used
    frontend = FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings(), torch.no_grad():
        # of sizes that tracing fixes, which are fixed here
        warnings.simplefilter("ignore")
        # two images, as tracing could take the number one for a constant
        decoder = TorchScriptPythonDecoder(network, example_input=torch.zeros(2, *shape[1:]))
        model = frontend.convert(frontend.load(decoder))
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise RuntimeError(f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one each")
    model.reshape([openvino.Dimension(1, shape[0]), *shape[1:]])
    return model


def read_network(file: Path, shape: Shape) -> Any:
    """An ``openvino.Model`` from a file, for one to ``shape[0]`` images.

    Raises:
        RuntimeError: this release of OpenVINO does not read it, or it takes no images of this shape.
    """
    import openvino

    model = openvino.Core().read_model(file)
    model.reshape([openvino.Dimension(1, shape[0]), *shape[1:]])
    return model


def compile_network(model: Any, precision: str, threads: int) -> Any:
    """An ``openvino.CompiledModel`` for this processor.

    Args:
        model: an ``openvino.Model``, or the path of one.
        precision: ``float32``, ``bfloat16``, or ``int8`` for a network that is quantised, of which the rest is
            float32; without it OpenVINO chooses by the processor.
        threads: as many as torch has, so that jobs that share a machine keep to their parts.

    Raises:
        RuntimeError: it cannot be compiled, or not in this precision.
    """
    import openvino

    place = str(model) if isinstance(model, Path) else model
    return _of_precision(openvino.Core().compile_model(place, "CPU", _options(precision, threads)), precision)


def import_network(content: bytes, precision: str, threads: int) -> Any:
    """A network that :func:`compile_network` compiled, from what its ``export_model`` gave.

    Raises:
        RuntimeError: it is of another release of OpenVINO, or of another precision.
    """
    import openvino

    return _of_precision(openvino.Core().import_model(content, "CPU", _options(precision, threads)), precision)


def _options(precision: str, threads: int) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": _type(precision),
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # pinned threads of two jobs can share one core while others are idle
        "ENABLE_CPU_PINNING": False,
    }


def _type(precision: str) -> Any:
    """What a network computes in where it is not quantised."""
    import openvino

    types = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16, "int8": openvino.Type.f32}
    return types[precision]


def _of_precision(compiled: Any, precision: str) -> Any:
    # a hint is not kept where the processor cannot follow it
    if (taken := compiled.get_property("INFERENCE_PRECISION_HINT")) != _type(precision):
        raise RuntimeError(f"on this processor it computes in {taken.to_string()}, not in {precision}")
    return compiled


class OpenVinoNetwork:
    """A compiled network as a function from images (N, C, H, W) to logits (N, classes, H, W), both on the CPU.

    Args:
        compiled: see :func:`compile_network`; N is at most that of its shape.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def __call__(self, images: "Tensor") -> "torch.Tensor":
        """Float32 logits of images."""
        import torch

        return torch.from_numpy(self._compiled(images.float().contiguous().numpy())[0])
