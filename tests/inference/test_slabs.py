"""Volumes segmented slab by slab."""

import nibabel
import numpy as np
import pytest

import covid_monai as cm
from covid_monai.errors import InputError
from covid_monai.inference.slabs import segment_volume
from covid_monai.lungs import box_to_crop, find_lungs
from covid_monai.lungs.crop import axial_axis
from tests.lungs.phantom import draw_chest

THINNEST = 4


@pytest.fixture(scope="module")
def chest():
    drawn = draw_chest()
    return nibabel.Nifti1Image(drawn.hu.astype(np.int16), drawn.affine)


@pytest.fixture(scope="module")
def shipped():
    return cm.load(device="cpu", backend="torch", precision="float32")._segmenter


def segmented(segmenter, volume, slices, monkeypatch, **options):
    monkeypatch.setattr(segmenter, "slices_in_slab", slices)
    return segment_volume(segmenter, volume, "chest", **options)


def test_slabs_come_out_as_the_volume_whole(shipped, chest, monkeypatch):
    whole = segmented(shipped, chest, None, monkeypatch, probability=True)
    slabs = segmented(shipped, chest, THINNEST, monkeypatch, probability=True)
    assert whole.mask.any()
    np.testing.assert_array_equal(slabs.mask, whole.mask)
    np.testing.assert_allclose(slabs.probability, whole.probability, atol=1e-6)


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1)], ids=["sagittal", "coronal"])
def test_slabs_are_axial_whatever_axis_the_slices_are_stored_along(order, shipped, chest, monkeypatch):
    ras = nibabel.as_closest_canonical(chest)
    hu = np.transpose(np.asanyarray(ras.dataobj), order)
    stored = nibabel.Nifti1Image(hu, ras.affine[:, [*order, 3]])
    assert axial_axis(stored.affine) == order.index(2)
    expected = segmented(shipped, ras, THINNEST, monkeypatch).mask
    found = segmented(shipped, stored, THINNEST, monkeypatch).mask
    assert expected.any()
    np.testing.assert_array_equal(found, np.transpose(expected, order))


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1)], ids=["sagittal", "coronal"])
def test_slabs_too_thin_to_show_lungs_stay_whole_however_they_are_stored(order, shipped, chest, monkeypatch):
    ras = nibabel.as_closest_canonical(chest)
    thin = ras.slicer[:, :, ras.shape[2] // 2 : ras.shape[2] // 2 + 3]
    stored = nibabel.Nifti1Image(np.transpose(np.asanyarray(thin.dataobj), order), thin.affine[:, [*order, 3]])
    expected = segmented(shipped, thin, THINNEST, monkeypatch)
    found = segmented(shipped, stored, THINNEST, monkeypatch)
    assert expected.lungs is None
    assert found.lungs is None
    assert expected.mask.any()
    np.testing.assert_array_equal(found.mask, np.transpose(expected.mask, order))


def test_no_more_slices_than_those_of_a_slab_are_prepared_at_a_time(shipped, chest, monkeypatch):
    seen, prepare = [], shipped._after_loading

    def watched(item):
        seen.append(tuple(item["image"].shape))
        return prepare(item)

    monkeypatch.setattr(shipped, "_after_loading", watched)
    segmented(shipped, chest, THINNEST, monkeypatch)
    box = box_to_crop(np.asanyarray(chest.dataobj), chest.affine, "chest")
    height = box[2].stop - box[2].start
    assert max(shape[2] for shape in seen) == THINNEST
    assert sum(shape[2] for shape in seen) == height < chest.shape[2]
    assert {shape[:2] for shape in seen} == {tuple(side.stop - side.start for side in box[:2])}


def test_progress_counts_the_slices_of_the_whole_volume(shipped, chest, monkeypatch):
    told = []
    segmented(shipped, chest, THINNEST, monkeypatch, progress=lambda *state: told.append(state))
    done, slices = zip(*told, strict=True)
    assert list(done) == sorted(set(done))
    assert set(slices) == {done[-1]}


def test_the_lungs_that_were_sought_for_the_crop_are_those_of_the_study(shipped, chest, monkeypatch):
    lungs = segmented(shipped, chest, THINNEST, monkeypatch).lungs
    expected = find_lungs(np.asanyarray(chest.dataobj), chest.affine)
    np.testing.assert_array_equal(lungs.labels, expected.labels)


def test_probability_is_kept_where_it_was_asked_for_alone(tiny_run, chest):
    prediction = cm.load(tiny_run, device="cpu").predict(chest)
    with pytest.raises(InputError, match="`probability=True`"):
        _ = prediction.probability
