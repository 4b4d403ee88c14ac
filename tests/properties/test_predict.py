"""`predict` gives the mask of the same volume in a plain file, on the grid of the odd one, or one clear line."""

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings

import covid_monai as cm
from tests.properties.answers import CLOSE, outcome, write
from tests.properties.draft import OddFile, Verdict
from tests.properties.grids import corners_apart
from tests.properties.nifti_headers import odd_files
from tests.properties.worlds import DEPTH, chest

PLAIN_AFFINE = np.diag([-0.75, -0.75, 5.0, 1.0])
NAMES = (b"DOE^JANE", b"patient")


@pytest.fixture(scope="module")
def model_for(tiny_run: Path) -> Callable[[str | None], cm.Model]:
    """The model that is told an orientation, or none."""
    loaded: dict[str | None, cm.Model] = {}

    def load(orientation: str | None) -> cm.Model:
        if orientation not in loaded:
            # rounding to bfloat16 could turn a voxel over
            loaded[orientation] = cm.load(
                tiny_run, device="cpu", orientation=orientation, settings={"precision": "float32"}
            )
        return loaded[orientation]

    return load


@pytest.mark.parametrize("depth", [DEPTH, 1])
def test_a_ct_gives_its_mask_on_its_grid_or_one_line(
    depth: int, examples: settings, model_for: Callable[[str | None], cm.Model], tmp_path: Path
) -> None:
    world = chest(depth)
    plain = model_for(None).predict((world, PLAIN_AFFINE)).mask
    assert 0 < np.count_nonzero(plain) < plain.size / 4

    @settings(examples, max_examples=examples.max_examples // (1 if depth > 1 else 4))
    @given(odd_files(world, orientation=True))
    def check(odd: OddFile) -> None:
        ct = write(odd, tmp_path, "ct")
        model = model_for(odd.orientation)
        prediction = outcome(
            lambda: model.predict(ct), odd, ct, warnings_of=lambda done: done.warnings, takes_shear=True
        )
        if prediction is None:
            return
        np.testing.assert_array_equal(odd.grid.to_lps(prediction.mask.reshape(odd.shape)), plain)
        assert corners_apart(prediction.affine, odd.grid.affine, odd.shape) < CLOSE
        assert prediction.warnings or odd.warned != Verdict.MUST
        saved = prediction.save(tmp_path / "mask.nii.gz", overwrite=True)
        check_mask(saved, prediction.mask, odd)

    check()


def check_mask(path: Path, mask: np.ndarray, odd: OddFile) -> None:
    """A mask's file has the CT's grid, and nothing else of its header."""
    image = nibabel.load(path)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), mask)
    assert image.get_data_dtype() == np.uint8
    millimetres = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}[int(image.header["xyzt_units"]) & 7]
    affine = np.diag([*[millimetres] * 3, 1]) @ image.affine
    assert corners_apart(affine, odd.grid.affine, odd.shape) < CLOSE
    np.testing.assert_allclose(np.multiply(image.header["pixdim"][1:4], millimetres), odd.grid.spacing, rtol=0.002)
    assert not image.header.extensions
    content = gzip.decompress(path.read_bytes())
    assert not any(name in content for name in NAMES)
    assert (image.header["cal_min"], image.header["cal_max"], image.header["intent_code"]) == (0, 0, 0)
