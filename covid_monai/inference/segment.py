"""Preprocessing, network and inverse, applied to a volume, a slice, or a slab of slices."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, TypeAlias

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import Compose, LoadImaged
from monai.utils import CommonKeys
from torch import nn

from covid_monai.environment import synchronise
from covid_monai.errors import InputError

PROBABILITY = "probability"
"""The key of the class probabilities beside MONAI's ``pred``."""

Network: TypeAlias = Callable[..., torch.Tensor]
"""From images (N, C, H, W), as the chain leaves them, to logits (N, classes, H, W) on the same device."""


class Segmenter:
    """From one image to its class map and probabilities, on the image's own grid.

    The bundles' evaluators, the command line and :class:`covid_monai.inference.model.Model` all segment with it. It
    needs no more of a study than the slices that it is given: those of a slab come out as those of the volume.

    What computes the network is the attribute ``logits``: torch, unless
    :func:`covid_monai.inference.backends.use_backend` puts something else there.

    Args:
        network: in evaluation mode, on ``device``.
        preprocessing: a dictionary transform of ``image``; the inverse is taken of what it did.
        inferer: such as ``SliceInferer``.
        postprocessing: a dictionary transform from ``pred``, the logits, to ``pred``, the class map, and
            ``probability``, both on the grid of the input.
        device: of the network.
        slices_in_slab: how many slices of a volume :func:`covid_monai.inference.slabs.segment_volume` has in memory
            at a time, for chains whose steps see a slice as they would alone; None for those that need it whole.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Compose,
        inferer: Inferer,
        postprocessing: Compose,
        device: torch.device,
        slices_in_slab: int | None = None,
    ) -> None:
        self.network = network
        self.logits: Network = network
        self.preprocessing = preprocessing
        self.inferer = inferer
        self.postprocessing = postprocessing
        # MONAI's own command gives it as text
        self.device = torch.device(device)
        self.slices_in_slab = slices_in_slab

    def __call__(
        self, item: Mapping[str, Any], *, progress: Callable[[int, int], object] | None = None
    ) -> dict[str, Any]:
        """Segment one image.

        Args:
            item: ``image`` is a path, or a MetaTensor (X, Y, Z) in HU with its affine, as a reader would give it.
            progress: called with the number of slices that the network has seen, and the number of all slices.

        Returns:
            the item with ``pred`` (1, X, Y, Z), the class of each voxel, and ``probability`` (classes, X, Y, Z),
            float32 from 0 to 1.

        Raises:
            InputError: the image cannot be read or does not look like CT; or it is in memory, and the chain of this
                bundle does not begin with ``LoadImaged``.
        """
        return self.segment_prepared(self.prepare(item), progress=progress)

    def prepare(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Bring an image, as :meth:`__call__` takes it, to what the network sees."""
        if isinstance(item[CommonKeys.IMAGE], MetaTensor):
            return self._after_loading(item)
        prepared: dict[str, Any] = self.preprocessing(dict(item))
        return prepared

    def segment_prepared(
        self, item: dict[str, Any], *, progress: Callable[[int, int], object] | None = None
    ) -> dict[str, Any]:
        """Segment one image that ``preprocessing`` has been applied to already, as in the workers of a data loader."""
        return self.invert(self.infer(item, progress=progress))

    def infer(self, item: dict[str, Any], *, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]:
        """Add the network's logits of a prepared image as ``pred``, on the grid that it sees."""
        with torch.inference_mode():
            image = item[CommonKeys.IMAGE][None].to(self.device)
            network = self.logits if progress is None else self._counting(image, progress)
            item[CommonKeys.PRED] = self.inferer(image, network)[0]
            # else its time would be that of whoever waits for it
            synchronise(self.device)
        return item

    def invert(self, item: dict[str, Any]) -> dict[str, Any]:
        """Make classes and probabilities on the image's own grid of the logits."""
        with torch.inference_mode():
            segmented: dict[str, Any] = self.postprocessing(item)
        return segmented

    def iteration(self, engine: Any, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What an ignite engine does with a batch of prepared images: segment one after another.

        Args:
            engine: the evaluator, whose network is put into evaluation mode.
            batch: a list, as the data loader's ``collate_fn`` leaves it.
        """
        self.network.eval()
        return [self.segment_prepared(item) for item in batch]

    def _counting(self, image: torch.Tensor, progress: Callable[[int, int], object]) -> Callable[..., Any]:
        """The network, telling of the slices ``(1, C, X, Y, Z)`` that it has seen."""
        slices, windows, seen = image.shape[-1], windows_per_slice(self.inferer, image), 0

        def network(batch: torch.Tensor, *arguments: Any, **options: Any) -> Any:
            nonlocal seen
            result = self.logits(batch, *arguments, **options)
            seen += len(batch)
            progress(min(seen // windows, slices), slices)
            return result

        return network

    def _after_loading(self, item: Mapping[str, Any]) -> dict[str, Any]:
        load, *steps = self.preprocessing.transforms
        if not isinstance(load, LoadImaged):
            raise InputError(
                f"the chain of this bundle begins with {type(load).__name__}, not LoadImaged, so it takes no image "
                "that is in memory, as `predict` reads all images; let its chain begin with LoadImaged"
            )
        prepared: dict[str, Any] = Compose(steps)(dict(item))
        return prepared


def windows_per_slice(inferer: Any, image: torch.Tensor) -> int:
    """How many windows a ``SliceInferer``, or one within ``inferer``, takes of each slice of ``(1, C, X, Y, Z)``."""
    inner = getattr(inferer, "inferer", inferer)
    sizes, overlap = getattr(inner, "roi_size", ()), getattr(inner, "overlap", 0.0)
    count = 1
    for length, size in zip(image.shape[2:4], sizes, strict=False):
        step = max(1, int(size * (1 - overlap)))
        count *= 1 + max(0, ceil((length - size) / step))
    return count


def as_list(batch: list[Any]) -> list[Any]:
    """A ``collate_fn`` that leaves the items of a batch as they are, whatever their sizes."""
    return batch


def build_segmenter(parser: Any) -> Segmenter:
    """The segmenter of a bundle's inference configuration, by the names that every bundle has for its parts.

    Bundles that were copied out of release 0.1 have the parts, and no segmenter; they take volumes whole.

    Args:
        parser: MONAI's ``ConfigParser`` of ``inference.yaml`` with its settings.
    """
    part: Callable[[str], Any] = parser.get_parsed_content
    return Segmenter(
        part("network").eval(),
        part("preprocessing"),
        part("inferer"),
        part("postprocessing"),
        part("device"),
        part("slices_in_slab") if "slices_in_slab" in parser else None,
    )
