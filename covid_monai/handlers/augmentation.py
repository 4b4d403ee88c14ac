"""Random transforms of a trainer's batches, on its device."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.engines import PrepareBatch
from monai.engines.utils import default_prepare_batch
from monai.utils import CommonKeys
from torch import Tensor

from covid_monai.data.batches import SEED
from covid_monai.errors import InputError
from covid_monai.transforms.counter_random import CounterRandom
from covid_monai.transforms.random_batches import RandomBatchTransform

BatchTransform = Callable[[Mapping[str, Tensor], CounterRandom], dict[str, Tensor]]


class PrepareBatchAugmented(PrepareBatch):
    """A trainer's ``prepare_batch`` that brings a batch to the device and applies random transforms to it there.

    What a slice draws follows from its seed, which :class:`covid_monai.data.BatchDataset` makes of the run's seed, the
    epoch and the case, and from the order of the transforms.

    Args:
        transforms: such as :class:`covid_monai.transforms.BatchRandAffined`, applied one after another.

    Raises:
        InputError: one of them is a transform of single slices.
    """

    def __init__(self, transforms: Sequence[BatchTransform]) -> None:
        for transform in transforms:
            if not isinstance(transform, RandomBatchTransform):
                raise InputError(
                    f"random_transforms has {type(transform).__name__}, which is no transform of batches; use those "
                    "called Batch... in covid_monai.transforms, or derive one from RandomBatchTransform"
                )
        self.transforms = tuple(transforms)

    @torch.no_grad()
    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Image and label map of the batch, ``(N, C, H, W)`` float32 each, on ``device``."""
        image, label = default_prepare_batch(batchdata, device, non_blocking, **kwargs)
        batch = {CommonKeys.IMAGE: image, CommonKeys.LABEL: label}
        draws = CounterRandom(batchdata[SEED])
        for transform in self.transforms:
            batch = transform(batch, draws)
        return batch[CommonKeys.IMAGE], batch[CommonKeys.LABEL].float()
