import nibabel
import numpy as np
import pytest
from PIL import Image

from covid_monai.data.sources.medseg import MedsegStack
from covid_monai.data.sources.picture_index import LAYOUTS
from covid_monai.data.sources.slices import PictureSlices
from covid_monai.errors import InputError
from tests.data.sources.published import counts, phantom, save, total, write_medseg


def test_every_slice_is_a_case_of_an_unknown_patient_without_volume(tmp_path):
    write_medseg(tmp_path)
    source = MedsegStack(tmp_path)
    items = list(source)
    assert [item.case for item in items] == [f"part1_{index:03d}" for index in range(5)]
    assert source.count == 5
    for item in items:
        assert (item.patient, item.volume, item.part, item.intensity) == (None, None, None, "hu")
        assert not item.spacing_known
    image, mask = phantom()
    np.testing.assert_allclose(items[2].image[..., 0], image[:, :, 2] + 0.5)
    np.testing.assert_array_equal(items[2].label[..., 0], mask[:, :, 2])
    assert total(items) == counts(mask)
    assert [item.pixels for item in items] == [counts(mask[:, :, index]) for index in range(5)]


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-1.0, -1, 1, 1]), np.diag([-1.0, 1, -1, 1])])
def test_the_array_is_taken_as_stored_whatever_the_header_says(tmp_path, affine):
    write_medseg(tmp_path, affine)
    np.testing.assert_array_equal(next(iter(MedsegStack(tmp_path))).label[..., 0], phantom()[1][:, :, 0])


def test_the_unlabelled_slices_are_said_to_be_left_out(tmp_path):
    write_medseg(tmp_path)
    assert any("val_im.nii.gz has no labels" in note for note in MedsegStack(tmp_path).notes)
    (tmp_path / "val_im.nii.gz").unlink()
    assert not any("val_im" in note for note in MedsegStack(tmp_path).notes)


def test_missing_and_unequal_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"tr_im\.nii\.gz does not exist"):
        MedsegStack(tmp_path)
    write_medseg(tmp_path)
    save(tmp_path / "tr_mask.nii.gz", phantom()[1][..., :3])
    with pytest.raises(InputError, match=r"has shape \(48, 48, 3\)"):
        MedsegStack(tmp_path)


def test_a_label_outside_the_table_is_refused(tmp_path):
    write_medseg(tmp_path)
    save(tmp_path / "tr_mask.nii.gz", phantom()[1] + np.uint8(1))
    with pytest.raises(InputError, match="holds label 4"):
        list(MedsegStack(tmp_path))


def test_real_slices_stored_as_in_the_stack_come_out_as_their_crops_do(shared_data, tmp_path):
    crops = shared_data / "medseg_part1"
    stored = np.asarray(Image.open(crops / "images/000.jpg"))
    # row = first axis of the published array
    save(tmp_path / "tr_im.nii.gz", stored[..., None].astype(np.float32) - 1024)
    save(tmp_path / "tr_mask.nii.gz", np.zeros((*stored.shape, 1), np.uint8))
    (ours,) = MedsegStack(tmp_path)
    theirs = next(iter(PictureSlices(crops, LAYOUTS["medseg-part1"], intensity="window")))
    assert ours.image.shape == theirs.image.shape
    # another scale, the same place
    assert np.corrcoef(ours.image.ravel(), theirs.image.ravel())[0, 1] > 0.999
    assert nibabel.aff2axcodes(ours.affine) == nibabel.aff2axcodes(theirs.affine) == ("L", "P", "S")
