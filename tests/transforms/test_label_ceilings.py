"""The Dice that a perfect network reaches on the slice's own grid: its label, resized as for training, and back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from covid_monai.data.phantom.write import write_phantom
from covid_monai.transforms.label_resizing import resize_labels
from covid_monai.transforms.nifti import read_nifti

Resizing = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]


def nearest(label: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return functional.interpolate(label[None, ..., 0], size=size, mode="nearest")[0, ..., None]


def nearest_exact(label: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return functional.interpolate(label[None, ..., 0], size=size, mode="nearest-exact")[0, ..., None]


def ceiling(masks: list[np.ndarray], size: int, resizing: Resizing) -> float:
    """The mean Dice per slice, as inference brings certain probabilities back: linear, then the larger one."""
    dice = []
    for mask in masks:
        label = torch.as_tensor(mask)[None, ..., None].float()
        resized = resizing(label, (size, size))
        back = functional.interpolate(resized[None, ..., 0], size=mask.shape, mode="bilinear", align_corners=False)
        found = back[0, 0].numpy() > 0.5
        dice.append(2 * (found & mask).sum() / (found.sum() + mask.sum()))
    return float(np.mean(dice))


def pasted(mask: np.ndarray, canvas: int) -> np.ndarray:
    """The crop in the middle of its canvas."""
    full = np.zeros((canvas, canvas), bool)
    x, y = ((canvas - length) // 2 for length in mask.shape)
    full[x : x + mask.shape[0], y : y + mask.shape[1]] = mask
    return full


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, patients=2, size=128, slices=8, seed=0)
    volumes = [np.asarray(read_nifti(path).dataobj) > 0 for path in sorted((folder / "labels").iterdir())]
    slices = [volume[..., index] for volume in volumes for index in range(volume.shape[2])]
    return [mask for mask in slices if mask.any()]


@pytest.mark.parametrize("size", [92, 64, 100])
def test_no_other_resizing_keeps_more_of_a_phantoms_lesions(phantom, size):
    assert len(phantom) > 4
    kept = ceiling(phantom, size, resize_labels)
    assert kept >= ceiling(phantom, size, nearest_exact)
    # at half the size no linear interpolation leaves the pixels' middles, so nearest has less of a shift to make
    assert kept > ceiling(phantom, size, nearest) + (0.005 if size == 64 else 0.02)


def real_masks(folder: Path, lesion: int) -> Iterator[np.ndarray]:
    for path in sorted((folder / "labels").iterdir()):
        mask = np.asarray(Image.open(path)) >= lesion
        if mask.any():
            yield mask


@pytest.mark.slow
@pytest.mark.parametrize(
    ("canvas", "size", "of_nearest", "of_nearest_exact", "kept"),
    [(512, 369, 0.956, 0.981, 0.983), (None, 256, 0.956, 0.983, 0.985), (512, 256, 0.962, 0.962, 0.969)],
)
def test_the_ceilings_of_the_papers_sizes_on_part_1(shared_data, canvas, size, of_nearest, of_nearest_exact, kept):
    crops = list(real_masks(shared_data / "medseg_part1", 1))
    masks = crops if canvas is None else [pasted(crop, canvas) for crop in crops]
    assert ceiling(masks, size, nearest) == pytest.approx(of_nearest, abs=6e-4)
    assert ceiling(masks, size, nearest_exact) == pytest.approx(of_nearest_exact, abs=6e-4)
    assert ceiling(masks, size, resize_labels) == pytest.approx(kept, abs=6e-4)


@pytest.mark.slow
def test_the_ceiling_of_part_2_at_the_size_of_part_1(shared_data):
    masks = [pasted(crop, 630) for crop in real_masks(shared_data / "radiopaedia_part2", 128)]
    assert ceiling(masks, 512, nearest) == pytest.approx(0.968, abs=6e-4)
    assert ceiling(masks, 512, resize_labels) == pytest.approx(0.990, abs=6e-4)
