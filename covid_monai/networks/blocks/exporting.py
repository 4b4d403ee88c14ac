"""Whether a forward pass is being recorded for export."""

import torch


def is_exported() -> bool:
    """Whether TorchScript, ``torch.export`` or ``torch.compile`` is reading the code, so that it must fit any input."""
    return torch.jit.is_scripting() or torch.jit.is_tracing() or torch.compiler.is_compiling()
