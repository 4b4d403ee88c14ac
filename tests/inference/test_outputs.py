"""What predict writes: masks that carry the grid alone, their records, and nothing over a file that is not its own."""

import json
import os
import unicodedata

import nibabel
import numpy as np
import pytest

import covid_monai as cm
from covid_monai.errors import InputError
from covid_monai.inference.mask_record import read_record
from covid_monai.inference.predict import predict

AFFINE = np.diag([-2.0, -2.0, 5.0, 1.0])


@pytest.fixture
def ct(tiny_dataset, tmp_path):
    """A slice in a folder of its own."""
    (tmp_path / "in").mkdir()
    image = nibabel.load(tiny_dataset / "images" / "p0_s0.nii.gz")
    path = tmp_path / "in" / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.asanyarray(image.dataobj), AFFINE), path)
    return path


def done(inputs, tmp_path, run, **options):
    (prediction,) = predict([inputs], tmp_path / "out", run, **options)
    return prediction


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_mask_carries_the_grid_of_the_ct_and_nothing_else_of_its_header(ct, tiny_run, tmp_path):
    image = nibabel.load(ct)
    image.header["descrip"] = b"DOE^JANE"
    image.header["aux_file"] = b"1970-01-01"
    image.header["intent_name"] = b"DOE"
    image.header["cal_max"] = 400
    image.header["toffset"] = 7
    image.header.set_slope_inter(2, -1024)
    image.header.set_qform(AFFINE, 3)
    image.header.set_sform(AFFINE, 4)
    image.header.set_xyzt_units("mm", "sec")
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Jane Doe"))
    nibabel.save(image, ct)
    mask = nibabel.load(done(ct, tmp_path, tiny_run).mask)
    for field in ("dim", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "qoffset_x", "quatern_d"):
        np.testing.assert_array_equal(mask.header[field], image.header[field], err_msg=field)
    np.testing.assert_array_equal(mask.header["pixdim"][:4], image.header["pixdim"][:4])
    assert mask.header.get_xyzt_units() == ("mm", "unknown")
    empty = nibabel.Nifti1Header()
    for field in ("descrip", "aux_file", "intent_name", "cal_max", "cal_min", "toffset", "slice_code", "db_name"):
        assert mask.header[field] == empty[field], field
    assert not mask.header.extensions
    assert b"DOE" not in b"".join(bytes_of(tmp_path / "out").values()).upper()


@pytest.mark.parametrize("unit", [1, 3])
def test_a_mask_has_the_unit_of_the_ct(ct, tiny_run, tmp_path, unit):
    image = nibabel.load(ct)
    factor = {1: 1e-3, 3: 1e3}[unit]
    scaled = nibabel.Nifti1Image(np.asanyarray(image.dataobj), np.diag([-2 * factor, -2 * factor, 5 * factor, 1]))
    scaled.header["xyzt_units"] = unit
    nibabel.save(scaled, ct)
    result = done(ct, tmp_path, tiny_run)
    mask = nibabel.load(result.mask)
    np.testing.assert_array_equal(mask.affine, nibabel.load(ct).affine)
    assert mask.header["xyzt_units"] == unit
    np.testing.assert_allclose(cm.load(tiny_run).predict(ct).affine, AFFINE, rtol=1e-6)


def test_a_ct_that_does_not_say_how_it_lies_gives_a_mask_that_says_as_little_or_what_the_user_said(
    ct, tiny_run, tmp_path
):
    image = nibabel.load(ct)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, ct)
    result = done(ct, tmp_path, tiny_run)
    assert "codes are 0" in result.warnings[0]
    header = nibabel.load(result.mask).header
    assert (header["sform_code"], header["qform_code"]) == (0, 0)
    assert json.loads((tmp_path / "out" / "ct.json").read_text())["warnings"] == list(result.warnings)
    said = done(ct, tmp_path, tiny_run, orientation="LPS", overwrite=True)
    assert said.warnings == ()
    assert nibabel.aff2axcodes(nibabel.load(said.mask).affine) == ("L", "P", "S")


def test_the_record_names_classes_and_counts_their_voxels(ct, tiny_run, tmp_path):
    result = done(ct, tmp_path, tiny_run)
    record = json.loads((tmp_path / "out" / "ct.json").read_text())
    assert record["classes"] == {"0": "background", "1": "lesion"}
    values, counts = np.unique(np.asanyarray(nibabel.load(result.mask).dataobj), return_counts=True)
    assert record["voxels"] == {str(value): count for value, count in zip(values, counts, strict=True)}
    assert read_record(result.mask).class_names == ["background", "lesion"]


def test_the_same_call_again_keeps_what_is_done(ct, tiny_run, tmp_path):
    done(ct, tmp_path, tiny_run, probabilities=True)
    before = bytes_of(tmp_path / "out")
    again = done(ct, tmp_path, tiny_run, probabilities=True)
    assert again.kept
    assert bytes_of(tmp_path / "out") == before


@pytest.mark.parametrize("missing", ["ct.nii.gz", "probabilities/ct.nii.gz"])
def test_the_same_call_again_makes_what_is_missing(ct, tiny_run, tmp_path, missing):
    done(ct, tmp_path, tiny_run, probabilities=True)
    before = bytes_of(tmp_path / "out")
    (tmp_path / "out" / missing).unlink()
    assert not done(ct, tmp_path, tiny_run, probabilities=True).kept
    assert bytes_of(tmp_path / "out") == before


def corrected(ct, out):
    nibabel.save(nibabel.Nifti1Image(np.ones((64, 64, 1), np.uint8), AFFINE), out / "ct.nii.gz")


def another_image(ct, out):
    image = nibabel.load(ct)
    nibabel.save(nibabel.Nifti1Image(np.asanyarray(image.dataobj)[::-1], AFFINE), ct)


def record_lost(ct, out):
    (out / "ct.json").unlink()


def anothers_json(ct, out):
    (out / "ct.json").write_text('{"notes": "mine"}')


@pytest.mark.parametrize("change", [corrected, another_image, record_lost, anothers_json])
def test_a_mask_that_is_not_this_calls_own_is_replaced_by_overwrite_only(ct, tiny_run, tmp_path, change):
    done(ct, tmp_path, tiny_run)
    change(ct, tmp_path / "out")
    before = bytes_of(tmp_path / "out")
    refused = done(ct, tmp_path, tiny_run)
    assert refused.mask is None
    assert "`overwrite=True`" in refused.error
    assert bytes_of(tmp_path / "out") == before
    replaced = done(ct, tmp_path, tiny_run, overwrite=True)
    assert replaced.error is None
    assert done(ct, tmp_path, tiny_run).kept


@pytest.mark.parametrize("key", ["sha256", "image_sha256"])
@pytest.mark.parametrize("value", [None, 7])
def test_a_record_changed_by_hand_makes_the_mask_somebody_elses(ct, tiny_run, tmp_path, key, value):
    done(ct, tmp_path, tiny_run)
    record = json.loads((tmp_path / "out" / "ct.json").read_text())
    (tmp_path / "out" / "ct.json").write_text(json.dumps({**record, key: value}))
    assert "`overwrite=True`" in done(ct, tmp_path, tiny_run).error


def test_settings_given_as_tuples_are_the_same_again(ct, tiny_run, tmp_path):
    settings = {"window": (-1024, 600)}
    done(ct, tmp_path, tiny_run, settings=settings)
    assert done(ct, tmp_path, tiny_run, settings=settings).kept


def test_a_weights_file_is_no_place_for_a_mask_record(ct, tiny_run, tmp_path):
    import shutil

    weights = shutil.copytree(tiny_run, tmp_path / "run") / "model.safetensors"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ct.nii.gz").symlink_to(weights)
    before = weights.read_bytes()
    with pytest.raises(InputError, match="would replace the input"):
        predict([ct], tmp_path / "out", weights, overwrite=True)
    assert weights.read_bytes() == before


def test_other_settings_make_another_mask(ct, tiny_run, tmp_path):
    done(ct, tmp_path, tiny_run)
    assert "`overwrite=True`" in done(ct, tmp_path, tiny_run, roi_size=(48, 48)).error


def test_one_mask_in_the_way_stops_no_other_input(ct, tiny_run, tmp_path):
    (tmp_path / "in" / "second.nii.gz").write_bytes(ct.read_bytes())
    (tmp_path / "out").mkdir()
    corrected(ct, tmp_path / "out")
    first, second = predict([tmp_path / "in"], tmp_path / "out", tiny_run)
    assert first.mask is None
    assert second.mask is not None


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_input_that_is_a_link_into_the_output_folder_is_kept(ct, tiny_run, tmp_path, link):
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "ct.nii.gz"
    ct.rename(target)
    link(target, ct)
    before = target.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"would replace the input .*in/ct\.nii\.gz"):
            predict([ct], tmp_path / "out", tiny_run, overwrite=overwrite)
    assert target.read_bytes() == before


def test_a_link_to_another_name_in_the_output_folder_is_kept_too(ct, tiny_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.nii.gz").write_bytes(ct.read_bytes())
    (tmp_path / "in" / "a.nii.gz").symlink_to(tmp_path / "out" / "b.nii.gz")
    ct.rename(tmp_path / "in" / "b.nii.gz")
    with pytest.raises(InputError, match=r"out/b\.nii\.gz would replace the input .*in/a\.nii\.gz"):
        predict([tmp_path / "in"], tmp_path / "out", tiny_run, overwrite=True)


def test_the_weights_are_no_place_for_a_mask(ct, tiny_run, tmp_path):
    import shutil

    run = shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "in" / "model.nii.gz").write_bytes(ct.read_bytes())
    with pytest.raises(InputError, match=r"model\.json would replace the input"):
        predict([tmp_path / "in" / "model.nii.gz"], run, run, overwrite=True)


def test_a_prediction_in_python_replaces_a_mask_by_overwrite_only_and_its_own_ct_never(ct, tiny_run, tmp_path):
    prediction = cm.load(tiny_run).predict(ct)
    prediction.save(tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match="`overwrite=True`"):
        prediction.save(tmp_path / "mask.nii.gz")
    prediction.save(tmp_path / "mask.nii.gz", overwrite=True)
    before = ct.read_bytes()
    with pytest.raises(InputError, match="would replace the input"):
        prediction.save(ct, overwrite=True)
    assert ct.read_bytes() == before


def test_names_of_any_case_script_and_length_keep_their_stems(ct, tiny_run, tmp_path):
    names = ["CT1.NII.GZ", unicodedata.normalize("NFD", "Müller.Nii.gz"), "患者.nii.gz", "n" * 240 + ".nii.gz"]
    for name in names:
        (tmp_path / "in" / name).write_bytes(ct.read_bytes())
    ct.unlink()
    results = predict([tmp_path / "in"], tmp_path / "out", tiny_run)
    assert [result.error for result in results] == [None] * len(names)
    made = {path.name for path in (tmp_path / "out").glob("*.nii.gz")}
    assert made == {"CT1.nii.gz", "Müller.nii.gz", "患者.nii.gz", "n" * 240 + ".nii.gz"}


def test_names_that_differ_in_letter_case_alone_are_refused(ct, tiny_run, tmp_path):
    (tmp_path / "in" / "CT.NII").write_bytes(ct.read_bytes())
    with pytest.raises(InputError, match="would both write"):
        predict([tmp_path / "in"], tmp_path / "out", tiny_run)


@pytest.mark.parametrize("roi_size", [None, (40, 40)])
def test_progress_counts_slices_to_the_last(ct, tiny_run, roi_size):
    slices = np.concatenate([np.asanyarray(nibabel.load(ct).dataobj)] * 5, axis=2)
    nibabel.save(nibabel.Nifti1Image(slices, AFFINE), ct)
    seen: list[tuple[int, int]] = []
    cm.load(tiny_run, roi_size=roi_size).predict(ct, progress=lambda *state: seen.append(state))
    assert seen == sorted(seen)
    assert seen[-1] == (5, 5)
    assert len({count for count, _ in seen}) > 1


def test_a_bundle_run_by_monai_keeps_its_inputs_too(ct, tiny_run, tmp_path):
    from covid_monai.catalog.bundles import bundle_folder
    from covid_monai.catalog.config import build_workflow
    from covid_monai.errors import plain_input_errors

    before = ct.read_bytes()
    settings = json.loads((tiny_run / "run.json").read_text())["settings"]
    network = {key: settings[key] for key in ("image_size", "channels")}
    folder = str(ct.parent)
    places = {"dataset_dir": folder, "output_dir": folder, "checkpoint": str(tiny_run / "model.safetensors")}
    workflow = build_workflow(bundle_folder("a_segnet"), "inference", {**network, **places})

    def run():
        with plain_input_errors():
            workflow.initialize()
            workflow.run()

    with pytest.raises(InputError, match="would replace the input"):
        run()
    assert ct.read_bytes() == before
