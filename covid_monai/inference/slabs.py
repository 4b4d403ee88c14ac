"""A volume segmented slab by slab: of its size no more is held than itself, its mask, lungs and what is asked for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import CommonKeys
from numpy.typing import NDArray

from covid_monai.inference.segment import PROBABILITY, Segmenter
from covid_monai.lungs.crop import CROPPED, CropToLungsd, axial_axis, box_and_lungs
from covid_monai.lungs.lungs import Lungs
from covid_monai.progress import Stopwatch

if TYPE_CHECKING:
    import nibabel

Progress = Callable[[int, int], object]
"""Called with the number of slices that are done, and the number of all slices."""

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Segmented:
    """What a network says of a volume.

    Attributes:
        mask: uint8 (X, Y, Z), the class of each voxel.
        probability: float32 (X, Y, Z) from 0 to 1, of lesion of any class; None where it was not asked for.
        lungs: those of the volume, where they were sought to crop to them.
        seconds: what each stage took: lungs, prepare, network, invert.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32] | None
    lungs: Lungs | None
    seconds: Mapping[str, float]


def segment_volume(
    segmenter: Segmenter,
    volume: "nibabel.Nifti1Image",
    where: str,
    *,
    probability: bool = False,
    progress: Progress | None = None,
) -> Segmented:
    """Segment a volume in HU, ``segmenter.slices_in_slab`` slices at a time.

    Where the chain crops to the lungs, they are sought in the volume, and the chain sees nothing outside of their box.

    Args:
        segmenter: of a bundle.
        volume: (X, Y, Z) in HU, with its affine.
        where: the file, for warnings.
        probability: whether to give the probability of lesion too.
        progress: told of the slices that the network has seen.

    Raises:
        InputError: the chain takes no image that is in memory.
    """
    hu, affine = np.asanyarray(volume.dataobj), np.asarray(volume.affine, dtype=np.float64)
    crop = next((step for step in segmenter.preprocessing.transforms if isinstance(step, CropToLungsd)), None)
    box: Box = tuple(slice(0, size) for size in hu.shape)
    lungs, stopwatch = None, Stopwatch()
    if crop is not None:
        with stopwatch("lungs"):
            box, lungs = box_and_lungs(hu, affine, where, margin_mm=crop.margin_mm)
    # slice by slice in memory, as the volume is
    mask = np.zeros_like(hu, np.uint8)
    lesion = np.zeros_like(hu, np.float32) if probability else None
    axis = axial_axis(affine)
    slices, done = box[axis].stop - box[axis].start, 0
    for slab in _slabs(box, axis, segmenter.slices_in_slab or slices):
        item: dict[str, Any] = {CommonKeys.IMAGE: _tensor_of(hu[slab], slab, affine, where), CROPPED: True}
        told = None if progress is None else _after(done, slices, progress)
        with stopwatch("prepare"):
            item = segmenter.prepare(item)
        with stopwatch("network"):
            item = segmenter.infer(item, progress=told)
        with stopwatch("invert"):
            item = segmenter.invert(item)
            mask[slab] = item[CommonKeys.PRED][0].cpu().numpy()
            if lesion is not None:
                # outside of a crop no class has a probability, background neither
                lesion[slab] = item[PROBABILITY][1:].sum(dim=0).clamp(max=1).cpu().numpy()
        done += slab[axis].stop - slab[axis].start
    return Segmented(mask, lesion, lungs, stopwatch.seconds)


def _slabs(box: Box, axis: int, thickness: int) -> Iterator[Box]:
    for start in range(box[axis].start, box[axis].stop, thickness):
        slab = slice(start, min(start + thickness, box[axis].stop))
        yield tuple(slab if index == axis else extent for index, extent in enumerate(box))


def _tensor_of(hu: NDArray[Any], slab: Box, affine: NDArray[np.float64], where: str) -> MetaTensor:
    """A part of a volume as the bundles' chains take it: float32, with its own affine."""
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, :3] @ [extent.start for extent in slab]
    # NaN is MONAI's word for no axis of channels
    meta = {"filename_or_obj": where, "original_channel_dim": float("nan"), "space": "RAS"}
    return MetaTensor(torch.as_tensor(hu.astype(np.float32)), affine=torch.as_tensor(shifted), meta=meta)


def _after(before: int, slices: int, progress: Progress) -> Progress:
    """The progress of a whole volume, of which so many slices were done ``before``."""
    return lambda done, _: progress(before + done, slices)
