"""`score` finds equal masks equal and shifted ones shifted, whatever the file of one of them, or says why not."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_monai.errors import InputError
from covid_monai.scoring.score import score
from tests.properties.answers import outcome, write
from tests.properties.draft import OddFile
from tests.properties.grids import Grid
from tests.properties.nifti_bytes import DATATYPES, Header, nifti_bytes
from tests.properties.nifti_headers import odd_files
from tests.properties.worlds import labels

CLASSES = "1=box,2=point"


def write_plain(path: Path, world: np.ndarray, grid: Grid, *, dtype: str = "uint8", reordered: bool = True) -> None:
    """A volume on a grid's voxels, which NIfTI-2 keeps in float64; reordered to LPS, or in the grid's own order."""
    affine = grid.lps_affine(world.shape) if reordered else grid.affine
    stored = world if reordered else grid.stored(world)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    bits = 8 * np.dtype(dtype).itemsize
    header = Header([3, *stored.shape, 1, 1, 1, 1], DATATYPES[dtype], bits, [1.0, *spacing, 0.0, 0.0, 0.0, 0.0], 544)
    header.sform_code, header.srow = 2, affine[:3].ravel().tolist()
    path.write_bytes(nifti_bytes(header, stored.astype(dtype), version=2))


@pytest.mark.parametrize("depth", [3, 1])
def test_masks_are_compared_where_they_lie_or_refused_in_one_line(
    depth: int, examples: settings, tmp_path: Path
) -> None:
    world = labels(depth)
    box = np.argwhere(world == 1)

    @settings(examples, max_examples=examples.max_examples // (1 if depth > 1 else 4))
    @given(odd_files(world, orientation=True), st.sampled_from((0, 1)), st.sampled_from((0, 1, -1)), st.booleans())
    def check(odd: OddFile, axis: int, shift: int, is_reference: bool) -> None:
        mask, plain = write(odd, tmp_path, "odd"), tmp_path / "plain.nii"
        moved = np.roll(world, shift, axis)
        write_plain(plain, moved, odd.grid)
        files = (plain, mask) if is_reference else (mask, plain)
        scores = outcome(
            lambda: score(*files, labels=CLASSES, spacing="known", orientation=odd.orientation),
            odd,
            mask,
            plain,
            warnings_of=lambda done: next(iter(done.summaries.values())).content["inputs"]["warnings"],
        )
        if scores is None:
            return
        level = "volume" if depth > 1 else "slice"
        length = np.ptp(box[:, axis]) + 1
        assert scores.value("dice", level=level, lesion_class="box") == pytest.approx((length - abs(shift)) / length)
        assert scores.value("dice", level=level, lesion_class="point") == (shift == 0)
        spacing = np.linalg.norm(odd.grid.lps_affine(world.shape)[:3, axis])
        distance = scores.value("hd95_mm", level=level, lesion_class="point")
        assert distance == pytest.approx(abs(shift) * spacing, rel=1e-5)

    check()


@pytest.mark.parametrize(("axis", "sign"), product(range(3), (1, -1)))
def test_a_mask_half_a_voxel_away_is_refused(axis: int, sign: int, tmp_path: Path) -> None:
    """What the test above would not notice: a reader that takes every grid for every other."""
    grid = Grid(spacing=(0.75, 1.5, 5.0), turn=20.0)
    origin = list(grid.origin)
    origin[axis] += sign * 0.375
    write_plain(tmp_path / "one.nii", labels(), grid)
    write_plain(tmp_path / "other.nii", labels(), replace(grid, origin=tuple(origin)))
    with pytest.raises(InputError, match=r"other\.nii"):
        score(tmp_path / "one.nii", tmp_path / "other.nii", labels=CLASSES)
