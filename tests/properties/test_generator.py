"""The generator's own right answers, held against nibabel where there is nothing odd about a file."""

import gzip

import nibabel
import numpy as np
from hypothesis import given

from tests.properties.answers import CLOSE
from tests.properties.draft import OddFile
from tests.properties.grids import ORIENTATIONS, Grid, corners_apart
from tests.properties.nifti_headers import odd_files
from tests.properties.worlds import labels


@given(odd_files(labels()))
def test_nibabel_reads_plain_files_as_the_generator_says(odd: OddFile) -> None:
    if odd.reasons:
        return
    content = gzip.decompress(odd.content) if odd.content[:2] == b"\x1f\x8b" else odd.content
    kind = nibabel.Nifti1Image if 348 in (content[0] + (content[1] << 8), content[3] + (content[2] << 8)) else None
    image = (kind or nibabel.Nifti2Image).from_bytes(content)
    unit = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}[int(image.header["xyzt_units"]) & 7]
    affine = np.diag([unit, unit, unit, 1]) @ image.affine
    # nibabel takes the turn that float32 adds to a half turn at its word: 0.0005 of a radian
    assert corners_apart(affine, odd.grid.affine, odd.shape) < 10 * CLOSE
    ornt = nibabel.io_orientation(affine)
    assert (tuple(ornt[:, 0]), tuple(ornt[:, 1])) == (odd.grid.axes, odd.grid.signs)
    values = np.asarray(image.dataobj).reshape(odd.shape)
    np.testing.assert_allclose(odd.grid.to_lps(values), labels(), atol=1e-3)


def test_all_orientations_are_drawn_and_stored_where_their_affine_says() -> None:
    world = labels()
    assert len(set(ORIENTATIONS)) == 48
    for axes, signs in ORIENTATIONS:
        grid = Grid(axes=axes, signs=signs, spacing=(0.75, 1.5, 5.0), turn=20.0, turn_axis=(0.6, 0.0, 0.8))
        stored = grid.stored(world)
        # the single voxel of label 2, in the world by either affine
        there = grid.affine @ [*np.argwhere(stored == 2)[0], 1]
        np.testing.assert_allclose(there, grid.lps_affine(world.shape) @ [*np.argwhere(world == 2)[0], 1], atol=1e-9)
        np.testing.assert_array_equal(grid.to_lps(stored), world)
