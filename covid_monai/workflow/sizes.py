"""How large a bundle's network and its ablations are: parameters, and floating-point operations of a slice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_monai.workflow.build import build_workflow, known_settings
from covid_monai.workflow.bundles import bundle_folder
from covid_monai.workflow.metadata import input_channels, read_ablations
from covid_monai.workflow.run import building

if TYPE_CHECKING:
    from torch import nn

COMMON_SIZE = (256, 256)
"""Height and width at which networks of different papers are compared."""

COUNTED = (
    "multiplications and additions of convolutions and matrix products, a multiply-add as two; "
    "normalisation, activation, pooling and interpolation are not counted"
)


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Attributes:
        bundle: the name of its bundle.
        label: "" for the bundle's own network, else the ablation's name in the paper.
        settings: those that make the ablation; empty for the bundle's own network.
        parameters: how many are trained.
        image_size: height and width of the bundle's input, which are the paper's.
        operations: floating-point operations of one slice of ``image_size``, as ``COUNTED`` says.
        common_operations: the same of one slice of ``COMMON_SIZE``.
    """

    bundle: str
    label: str
    settings: Mapping[str, Any]
    parameters: int
    image_size: tuple[int, int]
    operations: int
    common_operations: int


def network_sizes(name: str) -> list[Size]:
    """The sizes of a bundle's network and of its ablations, in this order.

    The networks are built on torch's meta device, which knows shapes but holds no values: it takes neither their
    memory nor the time of computing.

    Raises:
        InputError: there is no such bundle, its ablations are not as
            :func:`covid_monai.workflow.metadata.read_ablations` asks, or a network cannot be built or run without
            values.
    """
    folder = bundle_folder(name)
    return [_size(folder, label, settings) for label, settings in {"": {}, **read_ablations(folder)}.items()]


def count_operations(network: "nn.Module", shape: Sequence[int]) -> int:
    """Floating-point operations of one forward pass over an input of ``shape``, as ``COUNTED`` says.

    Counted by ``torch.utils.flop_counter``. The network may be on the meta device.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    device = next(network.parameters()).device
    # not inference_mode, in which matrix products arrive undivided and are counted as nothing
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.empty(shape, device=device))
    return int(counter.get_total_flops())


def _size(folder: Path, label: str, settings: Mapping[str, Any]) -> Size:
    import torch

    with building(folder.name), torch.device("meta"):
        workflow = build_workflow(folder, "inference", known_settings(folder, "inference", settings))
        workflow.initialize()
        network = workflow.network_def
        height, width = workflow.parser.get_parsed_content("image_size")
        channels = input_channels(folder)
        operations = [count_operations(network, (1, channels, *size)) for size in ((height, width), COMMON_SIZE)]
    return Size(
        bundle=folder.name,
        label=label,
        settings=settings,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        image_size=(height, width),
        operations=operations[0],
        common_operations=operations[1],
    )
