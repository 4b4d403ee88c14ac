"""What a device reaches with nothing but a large convolution or a large matrix product: the measure of networks."""

from collections.abc import Callable
from dataclasses import asdict
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from covid_monai.benchmark.timing import time_calls

CONVOLUTION, PRODUCT = "convolution", "matrix product"
KERNEL = 3

SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "cpu": {CONVOLUTION: (8, 256, 64, 64), PRODUCT: (3072, 3072)},
    "cuda": {CONVOLUTION: (32, 512, 64, 64), PRODUCT: (8192, 8192)},
}
"""By kind of device: images (N, C, H, W) of a 3 x 3 convolution to as many channels; rows and columns of a matrix.

They are large enough that loading and starting cost next to nothing beside multiplying, and small enough for memory.
"""


def measure_limits(
    device: str, precision: str, rounds: int, shapes: dict[str, tuple[int, ...]] | None = None
) -> list[dict[str, Any]]:
    """How many floating-point operations a second both reach in their fastest round, a row each.

    A multiply-add is two operations. Images are channels last, as the bundles have them, and both are computed as
    torch does by itself in this number format: no tuning, no compilation.

    Args:
        device: such as ``cpu`` or ``cuda:0``.
        precision: ``float32`` or ``bfloat16``.
        rounds: see :func:`covid_monai.benchmark.timing.time_calls`.
        shapes: others than those of ``SHAPES``, by the same names.
    """
    place, number_format = torch.device(device), getattr(torch, precision)
    computed: dict[str, Callable[[Tensor], Callable[[], Tensor]]] = {CONVOLUTION: _convolution, PRODUCT: _product}
    rows = []
    for name, shape in (shapes or SHAPES.get(place.type, SHAPES["cpu"])).items():
        operand = torch.rand(shape, device=place).to(number_format)
        with torch.inference_mode():
            timing = time_calls(computed[name](operand), rounds=rounds, device=place)
        operations = operations_of_limit(name, shape)
        rows.append(
            {
                "name": name,
                "shape": list(shape),
                "precision": precision,
                "seconds": asdict(timing),
                "flops": operations,
                # what is reached, not what is usual
                "flops_per_second": operations / timing.least,
            }
        )
    return rows


def operations_of_limit(name: str, shape: tuple[int, ...]) -> int:
    """Floating-point operations of one call, in closed form; the convolution is padded to the size of its images."""
    if name == PRODUCT:
        rows, columns = shape
        return 2 * rows * columns * rows
    images, channels, *size = shape
    return 2 * images * channels * channels * KERNEL**2 * prod(size)


def _convolution(images: Tensor) -> Callable[[], Tensor]:
    channels = images.shape[1]
    images = images.to(memory_format=torch.channels_last)
    weight = torch.rand(channels, channels, KERNEL, KERNEL, device=images.device).to(images.dtype)
    weight = weight.to(memory_format=torch.channels_last)
    return lambda: functional.conv2d(images, weight, padding=KERNEL // 2)


def _product(matrix: Tensor) -> Callable[[], Tensor]:
    other = matrix.T.contiguous()
    return lambda: matrix @ other
