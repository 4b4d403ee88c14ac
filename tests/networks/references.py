"""Other packages' blocks, which hold ours to account; needed by tests alone."""

import torch


def _declare_missing_operators() -> list[torch.library.Library]:
    """Declare what a torchvision built for CUDA looks for where torch is the CPU's.

    The wheel of torchvision on PyPI cannot load its compiled operators with a CPU torch, and then cannot be imported,
    though the blocks of its networks need none of them. A whole torchvision is left as it is.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    else:
        return []
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    return [library]


# a library forgets its operators when it is deleted
_declared = _declare_missing_operators()

from segmentation_models_pytorch.base.modules import SCSEModule  # noqa: E402
from torchvision.models.resnet import Bottleneck  # noqa: E402

__all__ = ["Bottleneck", "SCSEModule"]
