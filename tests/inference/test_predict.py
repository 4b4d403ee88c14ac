import json
import re
import shutil

import nibabel
import numpy as np
import pytest

from covid_monai.errors import InputError, InputWarning
from covid_monai.inference.predict import find_images, predict


@pytest.fixture
def volume(tiny_dataset):
    """Three slices of one patient as a volume, its mask, and an affine that is neither LPS nor axis-aligned."""

    def stacked(kind):
        slices = [nibabel.load(tiny_dataset / kind / f"p0_s{index}.nii.gz") for index in range(3)]
        return np.concatenate([np.asanyarray(piece.dataobj) for piece in slices], axis=2)

    return stacked("images"), stacked("labels")


def save(path, array, affine=None):
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-2.0, -2.0, 5.0, 1.0]) if affine is None else affine), path)
    return path


def predicted(inputs, tmp_path, run, **settings):
    (prediction,) = predict([inputs], tmp_path / "out", run, **settings)
    return prediction


def dice(mask, truth):
    return 2 * np.sum((mask > 0) & (truth > 0)) / (np.sum(mask > 0) + np.sum(truth > 0))


@pytest.mark.parametrize("roi_size", [None, (48, 48)])
def test_volume_is_segmented_on_its_own_grid(volume, tiny_run, tmp_path, roi_size):
    image, truth = volume
    done = predicted(save(tmp_path / "ct.nii.gz", image), tmp_path, tiny_run, roi_size=roi_size)
    mask = nibabel.load(done.mask)
    assert mask.get_data_dtype() == np.uint8
    assert mask.shape == image.shape
    assert dice(mask.get_fdata(), truth) > 0.8


def test_mask_follows_the_patient_whatever_the_order_of_the_axes(volume, tiny_run, tmp_path):
    image, _ = volume
    straight = predicted(save(tmp_path / "straight.nii", image), tmp_path, tiny_run)
    # the same patient stored as RAS, axes permuted
    lps = nibabel.Nifti1Image(image, np.diag([-2.0, -2.0, 5.0, 1.0]))
    turned = lps.as_reoriented(
        nibabel.orientations.ornt_transform([[0, -1], [1, -1], [2, 1]], [[2, 1], [0, 1], [1, 1]])
    )
    nibabel.save(turned, tmp_path / "turned.nii.gz")
    other = predicted(tmp_path / "turned.nii.gz", tmp_path, tiny_run)
    mask = nibabel.load(other.mask)
    np.testing.assert_allclose(mask.affine, turned.affine)
    back = mask.as_reoriented(
        nibabel.orientations.ornt_transform(nibabel.io_orientation(mask.affine), [[0, -1], [1, -1], [2, 1]])
    )
    np.testing.assert_array_equal(back.get_fdata(), nibabel.load(straight.mask).get_fdata())


def test_other_pixel_sizes_are_brought_back(volume, tiny_run, tmp_path):
    image, truth = volume
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    done = predicted(save(tmp_path / "large.nii.gz", large), tmp_path, tiny_run)
    mask = nibabel.load(done.mask).get_fdata()
    assert mask.shape == large.shape
    assert dice(mask, truth.repeat(2, axis=0).repeat(2, axis=1)) > 0.8


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 1), (64, 64, 1, 1)])
def test_a_slice_keeps_its_dimensions(volume, tiny_run, tmp_path, shape):
    image = volume[0][:, :, 0].reshape(shape)
    done = predicted(save(tmp_path / "slice.nii.gz", image), tmp_path, tiny_run)
    assert nibabel.load(done.mask).shape == shape


def test_probabilities_are_written_and_agree_with_the_mask(volume, tiny_run, tmp_path):
    done = predicted(save(tmp_path / "ct.nii.gz", volume[0]), tmp_path, tiny_run, probabilities=True)
    probability = nibabel.load(done.probability)
    assert probability.get_data_dtype() == np.float32
    np.testing.assert_array_equal(probability.get_fdata() > 0.5, nibabel.load(done.mask).get_fdata() == 1)


def test_rescaled_storage_does_not_leak_into_the_mask(volume, tiny_run, tmp_path):
    stored = nibabel.Nifti1Image((volume[0] + 1024).astype(np.int16), np.diag([-2.0, -2.0, 5.0, 1.0]))
    stored.header.set_slope_inter(1, -1024)
    nibabel.save(stored, tmp_path / "plain.nii.gz")
    done = predicted(tmp_path / "plain.nii.gz", tmp_path, tiny_run)
    assert set(np.unique(nibabel.load(done.mask).get_fdata())) <= {0, 1}


def header_only(path, shape):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header["dim"][:4] = (3, *shape)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    path.write_bytes(header.binaryblock + bytes(1000))


def two_affines(path, image):
    nifti = nibabel.Nifti1Image(image, np.diag([-2.0, -2.0, 5.0, 1.0]))
    nifti.set_qform(np.diag([2.0, -2.0, -5.0, 1.0]), code=1)
    nibabel.save(nifti, path)


def bad_files(folder, image):
    def truncated(path):
        path.write_bytes(save(folder / "whole.nii.gz", image).read_bytes()[:3000])
        (folder / "whole.nii.gz").unlink()

    with_nan = image.astype(np.float32)
    with_nan[3, 4, 0] = np.nan
    return {
        "truncated.nii.gz": (truncated, "truncated or damaged"),
        "empty.nii.gz": (lambda path: path.write_bytes(b""), "is empty"),
        "text.nii.gz": (lambda path: path.write_text("not an image"), "is no NIfTI file"),
        "nan.nii.gz": (lambda path: save(path, with_nan), "NaN or infinity"),
        "five.nii.gz": (lambda path: save(path, np.stack([image, image], 3)[..., None]), "3 axes"),
        "complex.nii.gz": (lambda path: save(path, image.astype(np.complex64)), "real numbers"),
        "grey.nii.gz": (lambda path: save(path, np.clip(image // 8 + 128, 0, 255).astype(np.uint8)), "8-bit"),
        "shifted.nii.gz": (lambda path: save(path, (image + 1024).astype(np.int16)), "--intensity offset1024"),
        "missing.nii.gz": (lambda path: None, "not a file"),
        "huge.nii": (lambda path: header_only(path, (32767, 32767, 32767)), "is truncated|does not fit"),
        "negative.nii": (lambda path: header_only(path, (-5, 64, 1)), "axis of no length"),
        "infinite.nii.gz": (lambda path: save(path, np.where(image == image.max(), 1e300, image)), "no HU"),
        "mirrored.nii.gz": (lambda path: two_affines(path, image), "sform runs to LPS, its qform to RPI"),
    }


def test_each_bad_file_is_named_with_its_reason_and_the_good_one_goes_on(volume, tiny_run, tmp_path):
    cases = bad_files(tmp_path, volume[0])
    for name, (write, _) in cases.items():
        write(tmp_path / name)
    good = save(tmp_path / "good.nii.gz", volume[0])
    results = {
        done.image.name: done for done in predict([*(tmp_path / n for n in cases), good], tmp_path / "out", tiny_run)
    }
    for name, (_, reason) in cases.items():
        assert results[name].mask is None
        assert name in results[name].error
        assert re.search(reason, results[name].error), results[name].error
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good.nii.gz", "good.json"}
    assert results["good.nii.gz"].error is None


def test_grey_values_are_taken_when_their_scale_is_said(volume, tiny_run, tmp_path):
    grey = np.rint((np.clip(volume[0], -1024, 600) + 1024) / 1624 * 255).astype(np.uint8)
    done = predicted(save(tmp_path / "grey.nii.gz", grey), tmp_path, tiny_run, intensity="window")
    assert dice(nibabel.load(done.mask).get_fdata(), volume[1]) > 0.8


def test_folders_patterns_and_files_name_each_image_once(tmp_path):
    for name in ("a.nii", "b.nii.gz", "notes.txt", "._b.nii.gz"):
        (tmp_path / name).touch()
    found = find_images([tmp_path, str(tmp_path / "*.nii.gz"), tmp_path / "a.nii"])
    assert [path.name for path in found] == ["a.nii", "b.nii.gz"]


@pytest.mark.parametrize("pattern", ["*.nii", "", "a**.nii", "["])
def test_what_names_nothing_is_refused(tmp_path, pattern):
    with pytest.raises(InputError, match="names no NIfTI file"):
        find_images([str(tmp_path / pattern)])


def test_a_folder_with_the_ending_of_an_image_stops_no_other_image(tmp_path):
    (tmp_path / "a.nii.gz").mkdir()
    (tmp_path / "b.nii.gz").touch()
    with pytest.warns(InputWarning, match=r"a\.nii\.gz is a folder in spite of its name"):
        assert find_images([tmp_path]) == [tmp_path / "b.nii.gz"]


def test_an_output_that_is_a_link_to_itself_is_named(volume, tiny_run, tmp_path):
    (tmp_path / "out").symlink_to("out")
    image = save(tmp_path / "ct.nii.gz", volume[0])
    assert f"cannot write {tmp_path / 'out' / 'ct.nii.gz'}" in predicted(image, tmp_path, tiny_run).error


def test_two_inputs_of_one_name_are_refused_before_anything_is_written(volume, tiny_run, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "ct.nii.gz", volume[0])
    with pytest.raises(InputError, match="would both write"):
        predict([tmp_path / "a", tmp_path / "b"], tmp_path / "out", tiny_run)
    assert not (tmp_path / "out").exists()


def test_an_input_is_not_replaced_by_its_mask(volume, tiny_run, tmp_path):
    image = save(tmp_path / "ct.nii.gz", volume[0])
    with pytest.raises(InputError, match="lies in the output folder"):
        predict([image], tmp_path, tiny_run)


def test_a_checkpoint_that_is_none_is_named(volume, tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        predict([save(tmp_path / "ct.nii.gz", volume[0])], tmp_path / "out", tmp_path / "norun")


def test_damaged_weights_are_named(volume, tiny_run, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_bytes((tiny_run / "run.json").read_bytes())
    (run / "model.json").write_bytes((tiny_run / "model.json").read_bytes())
    (run / "model.safetensors").write_bytes((tiny_run / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged or was exchanged"):
        predict([save(tmp_path / "ct.nii.gz", volume[0])], tmp_path / "out", run)


def test_a_run_without_weights_is_named(volume, tiny_run, tmp_path):
    (tmp_path / "run.json").write_bytes((tiny_run / "run.json").read_bytes())
    with pytest.raises(InputError, match=r"no model.safetensors"):
        predict([save(tmp_path / "ct.nii.gz", volume[0])], tmp_path / "out", tmp_path)


def test_a_run_folder_that_brings_code_is_refused_unless_it_is_trusted(volume, tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    note = json.loads((tmp_path / "run" / "run.json").read_text())
    note["settings"]["precision"] = f"$(open({str(tmp_path / 'ran')!r}, 'w').close(), 'float32')[1]"
    (tmp_path / "run" / "run.json").write_text(json.dumps(note))
    image = save(tmp_path / "ct.nii.gz", volume[0])
    with pytest.raises(InputError, match=r"contains executable configuration.*`trust=True`"):
        predict([image], tmp_path / "out", tmp_path / "run")
    assert not (tmp_path / "ran").exists()
    assert predicted(image, tmp_path, tmp_path / "run", trust=True).error is None


def test_the_option_that_a_refusal_of_an_offset_names_gives_the_mask_of_the_hu(volume, tiny_run, tmp_path):
    image, _ = volume
    stored = (image + 1024).astype(np.int16)
    stored[0, 0, 0] = -2000
    ct = save(tmp_path / "offset.nii.gz", stored)
    refused = predicted(ct, tmp_path, tiny_run)
    assert refused.mask is None
    (mode,) = re.findall(r"give --intensity (\w+)", refused.error)
    expected = predicted(save(tmp_path / "hu.nii.gz", image), tmp_path, tiny_run)
    done = predicted(ct, tmp_path, tiny_run, intensity=mode)
    mask, truth = (nibabel.load(each.mask).get_fdata() for each in (done, expected))
    assert truth.any()
    np.testing.assert_array_equal(mask[1:], truth[1:])
