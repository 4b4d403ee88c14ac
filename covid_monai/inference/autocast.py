"""An inferer that runs another one in the fastest number format that the device has."""

from collections.abc import Callable
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor

from covid_monai.environment import bfloat16_is_fast

PRECISIONS = ("auto", "bfloat16", "float32")


class AutocastInferer(Inferer):
    """Run ``inferer`` under autocast and return float32.

    It stands in the bundles instead of MONAI's ``amp=True``, which knows CUDA alone. The loss is computed outside
    of it, in float32.

    Args:
        inferer: the inferer to run, such as ``SimpleInferer`` or ``SliceInferer``.
        precision: ``"bfloat16"``, ``"float32"``, or ``"auto"``: bfloat16 where :func:`bfloat16_is_fast`.

    Raises:
        ValueError: the precision is not one of these.
    """

    def __init__(self, inferer: Inferer, precision: str = "auto") -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; it can be one of {', '.join(PRECISIONS)}")
        super().__init__()
        self.inferer = inferer
        self.precision = precision

    def precision_on(self, device: torch.device) -> str:
        """``bfloat16`` or ``float32``: what ``precision`` comes to on a device."""
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if bfloat16_is_fast(device) else "float32"

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """The float32 logits of ``network`` for ``inputs`` ``(N, C, ...)``."""
        # a MetaTensor passes its metadata through every operation of the network, which costs more than small ones
        plain = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        fast = self.precision_on(plain.device) == "bfloat16"
        with torch.autocast(plain.device.type, dtype=torch.bfloat16, enabled=fast):
            return self.inferer(plain, network, *args, **kwargs).float()
