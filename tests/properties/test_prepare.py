"""`data prepare nifti` cuts slices of the right values, in LPS order and at their place, or says why not."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_monai.data.manifest import Dataset
from covid_monai.data.sources.nifti import NiftiSlices, Pair
from covid_monai.data.writer import prepare
from tests.properties.answers import CLOSE, outcome, write
from tests.properties.draft import OddFile
from tests.properties.grids import corners_apart
from tests.properties.nifti_headers import odd_files
from tests.properties.test_score import write_plain
from tests.properties.worlds import DEPTH, HEIGHT, WIDTH, chest

LABEL_MAP = {1: 1, 2: 2}


def lesions(depth: int) -> np.ndarray:
    volume = np.zeros((WIDTH, HEIGHT, depth))
    volume[8:13, 16:21, : max(depth - 1, 1)] = 1
    volume[27, 9, depth - 1] = 2
    return volume


@pytest.mark.parametrize("is_mask", [False, True], ids=["image", "mask"])
def test_slices_are_those_of_the_world_or_there_are_none(is_mask: bool, examples: settings, tmp_path: Path) -> None:
    worlds = {depth: (chest(depth), lesions(depth)) for depth in (DEPTH, 1)}
    files = {depth: odd_files(pair[is_mask], orientation=True) for depth, pair in worlds.items()}
    drawn = st.sampled_from((DEPTH, DEPTH, 1)).flatmap(lambda depth: st.tuples(st.just(depth), files[depth]))

    @settings(examples, max_examples=examples.max_examples // 2)
    @given(drawn, st.sampled_from((False, False, True)))
    def check(drawn: tuple[int, OddFile], reordered: bool) -> None:
        depth, odd = drawn
        image, mask = worlds[depth]
        file, plain = write(odd, tmp_path, "odd"), tmp_path / "plain.nii"
        dtype = "int16" if is_mask else "uint8"
        write_plain(plain, image if is_mask else mask, odd.grid, dtype=dtype, reordered=reordered)
        pair = Pair("case", *((plain, file) if is_mask else (file, plain)))
        folder = tmp_path / "data"
        shutil.rmtree(folder, ignore_errors=True)
        dataset = outcome(
            lambda: prepare(NiftiSlices([pair], LABEL_MAP, "odd", orientation=odd.orientation), folder),
            odd,
            file,
            plain,
            warnings_of=lambda done: done.warnings,
            may_refuse=reordered,
        )
        if dataset is None:
            assert not folder.exists()
        else:
            check_dataset(dataset, image, mask, odd)

    check()


def check_dataset(dataset: Dataset, image: np.ndarray, mask: np.ndarray, odd: OddFile) -> None:
    """A data set has the slices of a volume, each at its place in the world."""
    affine = odd.grid.lps_affine(image.shape)
    assert [case.slice for case in dataset.cases] == list(range(image.shape[2]))
    for index, case in enumerate(dataset.cases):
        values, labels = (nibabel.load(dataset.folder / name) for name in (case.image, case.label))
        np.testing.assert_allclose(np.asanyarray(values.dataobj)[:, :, 0], image[:, :, index], atol=1e-3)
        np.testing.assert_array_equal(np.asanyarray(labels.dataobj)[:, :, 0], mask[:, :, index])
        place = affine.copy()
        place[:3, 3] += index * affine[:3, 2]
        assert corners_apart(values.affine, place, values.shape) < CLOSE
        assert corners_apart(labels.affine, place, labels.shape) < CLOSE
        assert case.pixels == {
            label: int((mask[:, :, index] == label).sum()) for label in (1, 2) if (mask[:, :, index] == label).any()
        }
        assert (case.intensity, case.patient, case.volume) == ("hu", "case", "case")
