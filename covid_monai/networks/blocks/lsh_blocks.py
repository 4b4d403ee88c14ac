"""Long loops cut into blocks that fit a processor's cache, or keep an accelerator busy."""

import torch

CPU_BLOCK = 2**19
"""Numbers in the largest tensor of a block: 2 MiB of float32. From 2^18 to 2^20 the time is the same."""

ACCELERATOR_BLOCK = 2**26
"""The same elsewhere, 256 MiB of float32: small blocks would leave a GPU waiting for the next one."""


def blocks(length: int, numbers_each: int, device: torch.device) -> list[slice]:
    """Cut ``range(length)`` into slices, each with about as many numbers as a block has on ``device``.

    Args:
        length: things to go through, at least one.
        numbers_each: numbers that one of them makes in the largest tensor of the loop.
        device: where they are computed.

    Returns:
        Slices in ascending order that cover ``range(length)`` once. A single one while a graph is traced or
        exported, as a loop would tie the graph to the size that it was traced with, and on the meta device, where
        nothing is computed.
    """
    if torch.compiler.is_exporting() or torch.jit.is_tracing() or device.type == "meta":
        return [slice(0, length)]
    step = max(1, (CPU_BLOCK if device.type == "cpu" else ACCELERATOR_BLOCK) // numbers_each)
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]
