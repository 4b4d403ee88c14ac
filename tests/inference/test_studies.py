import csv
import json
import shutil
import zipfile

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

import covid_monai as cm
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of
from covid_monai.inference import study as study_module
from covid_monai.inference.inputs import find_inputs
from covid_monai.inference.predict import predict
from covid_monai.inference.study_record import StudySettings
from covid_monai.studies import read_study
from tests.inference.drawn_studies import coarse_thorax, write_dicom, write_nifti
from tests.measurements.drawn import LUNGS

FILES = {"mask.nii.gz", "mask.json", "lungs.nii.gz", "measurements.json", "run.json"}


@pytest.fixture(scope="module")
def dicom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scanner") / "Doe_Jane" / "series"
    return folder, write_dicom(folder)


@pytest.fixture(scope="module")
def done(dicom, tiny_run, tmp_path_factory):
    """The folder with the results of one study, and what was reported of it."""
    output = tmp_path_factory.mktemp("results")
    (result,) = predict([dicom[0]], output, tiny_run)
    return output, result


def results(folder):
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("measurements", "run", "mask")}


def rows(output):
    with open(output / "measurements.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_becomes_a_folder_and_a_row(done):
    output, result = done
    assert result.error is None
    folder = output / result.study
    assert {path.name for path in folder.iterdir()} == FILES
    (row,) = rows(output)
    assert (row["study"], row["state"], row["error"], row["slices"]) == (result.study, "done", "", "60")
    content = results(folder)["measurements"]
    assert content["study"] == result.study
    assert float(row["both_infected_percent"]) == content["lungs"]["both"]["infected_percent"]
    # the found lungs are those that were drawn
    for side, lung in LUNGS.items():
        assert content["lungs"][side]["lung_ml"] == pytest.approx(lung.ml(), rel=0.02)


def test_mask_and_lungs_lie_on_the_grid_of_the_study(done, dicom):
    output, result = done
    study = read_study(dicom[0])
    for name in ("mask", "lungs"):
        image = nibabel.load(output / result.study / f"{name}.nii.gz")
        assert image.get_data_dtype() == np.uint8
        assert image.shape == study.hu.shape
        np.testing.assert_allclose(image.affine, study.affine, atol=1e-3)


def test_the_record_says_what_was_read_and_made_and_how_long_it_took(done):
    output, result = done
    record = results(output / result.study)["run"]
    assert record["state"] == "done"
    assert record["model"]["bundle"] == "a_segnet_ct_segmentation"
    assert record["device"] == "cpu"
    assert len(record["files_sha256"]) == 60
    assert record["read"]["format"] == "dicom"
    assert record["read"]["spacing_mm"] == [4, 4, 4]
    assert set(record["outputs"]) == FILES - {"run.json"}
    assert set(record["seconds"]) == {"hash", "read", "prepare", "network", "invert", "lungs", "measure", "write"}
    assert record["peak_memory_bytes"]["process"] > 1e8
    assert "torch" in record["environment"]["packages"]


def test_nothing_that_is_written_names_the_patient_the_place_or_a_uid(done, dicom):
    output, _ = done
    folder, plan = dicom
    secrets = ["Doe", "secret-17", str(folder), folder.name, plan.study_uid, plan.series_uid, "im0"]
    for file in output.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            content = nibabel.load(file).header.binaryblock if file.suffix == ".gz" else content
            assert [secret for secret in secrets if secret.encode() in content or secret in str(file.name)] == []


def test_identifiers_are_kept_where_they_are_asked_for(dicom, tiny_run, tmp_path):
    folder, plan = dicom
    (result,) = predict([folder], tmp_path, tiny_run, studies=StudySettings(keep_identifiers=True))
    kept = results(tmp_path / result.study)["run"]["identifiers"]
    assert (kept["path"], kept["study_uid"], kept["series_uid"]) == (str(folder), plan.study_uid, plan.series_uid)
    (row,) = rows(tmp_path)
    assert (row["path"], row["series_uid"]) == (str(folder), plan.series_uid)


def test_the_model_gives_lungs_and_measurements_without_the_disk(done, dicom, tiny_run, tmp_path, monkeypatch):
    output, result = done
    monkeypatch.chdir(tmp_path)
    prediction = cm.load(tiny_run).predict(read_study(dicom[0]))
    assert list(tmp_path.iterdir()) == []
    content = results(output / result.study)["measurements"]
    assert prediction.measurements.to_dict() == {name: value for name, value in content.items() if name != "study"}
    np.testing.assert_array_equal(
        prediction.lungs.labels, np.asarray(nibabel.load(output / result.study / "lungs.nii.gz").dataobj)
    )
    assert prediction.measure(floor_ml=1e6).lungs["both"].infected_percent == 0


def test_an_image_that_is_no_study_has_no_measurements(dicom, tiny_run):
    study = read_study(dicom[0])
    prediction = cm.load(tiny_run).predict((study.hu[:, :, 28:30], study.affine))
    with pytest.raises(InputError, match="read_study"):
        prediction.measurements  # noqa: B018


def test_the_same_call_again_leaves_a_finished_study_alone(dicom, tiny_run, tmp_path, monkeypatch):
    (first,) = predict([dicom[0]], tmp_path, tiny_run)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / first.study).iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(study_module, "read_study", None)
        (again,) = predict([dicom[0]], tmp_path, tiny_run)
    assert (again.kept, again.study, again.mask) == (True, first.study, first.mask)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / first.study).iterdir()} == before
    (probable,) = predict([dicom[0]], tmp_path, tiny_run, probabilities=True)
    assert "made otherwise" in probable.error
    mask = nibabel.load(first.mask)
    write_nifti(first.mask, np.zeros(mask.shape, np.uint8), mask.affine)
    (edited,) = predict([dicom[0]], tmp_path, tiny_run)
    assert "changed since" in edited.error
    # what was corrected by hand is not touched, nor is its record
    assert not np.asarray(nibabel.load(first.mask).dataobj).any()
    assert results(tmp_path / first.study)["run"]["state"] == "done"
    (replaced,) = predict([dicom[0]], tmp_path, tiny_run, probabilities=True, overwrite=True)
    assert (replaced.error, replaced.kept) == (None, False)
    assert np.asarray(nibabel.load(first.mask).dataobj).any()
    assert (tmp_path / first.study / "probability.nii.gz").is_file()


def test_a_study_done_in_another_precision_was_made_otherwise_and_says_in_which(dicom, tiny_run, tmp_path):
    (first,) = predict([dicom[0]], tmp_path, tiny_run, precision="float32", page=True)
    record = read_json(first.mask.parent / "run.json")
    assert (record["backend"]["name"], record["backend"]["precision"]) == ("torch", "float32")
    assert f"torch {record['backend']['version']}, float32" in first.page.read_text()
    (again,) = predict([dicom[0]], tmp_path, tiny_run, precision="float32", backend="torch")
    assert again.kept
    (other,) = predict([dicom[0]], tmp_path, tiny_run, precision="bfloat16")
    assert "made otherwise" in other.error


def test_a_call_that_is_interrupted_leaves_nothing_half_written_and_can_be_made_again(
    dicom, tiny_run, tmp_path, monkeypatch
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study_module, "write_measurements", interrupted)
        with pytest.raises(KeyboardInterrupt):
            predict([dicom[0]], tmp_path, tiny_run)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / ".salt"]
    (again,) = predict([dicom[0]], tmp_path, tiny_run)
    assert again.error is None


def test_what_a_killed_call_had_moved_in_part_is_taken_back_and_made_again(dicom, tiny_run, tmp_path):
    (done,) = predict([dicom[0]], tmp_path, tiny_run)
    folder = done.mask.parent
    staging = folder / ".writing-study"
    staging.mkdir()
    journal = {name: sha256_of(folder / name) for name in FILES}
    (staging / ".journal.json").write_text(json.dumps({"last": "run.json", "files": journal}))
    for name in ("run.json", "measurements.json"):
        (folder / name).rename(staging / name)
    (again,) = predict([dicom[0]], tmp_path, tiny_run)
    assert (again.error, again.kept) == (None, False)
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_table_names_its_studies_and_one_that_fails_stops_no_other(dicom, tiny_run, tmp_path):
    folder, _ = dicom
    shutil.copytree(folder, tmp_path / "second")
    for file in sorted((tmp_path / "second").iterdir())[1:]:
        file.write_bytes(file.read_bytes()[:2000])
    table = tmp_path / "studies.csv"
    table.write_text(f"study;path\nP 01;{folder}\nP 02;missing/place\nP 03;{folder}\n", encoding="utf-8-sig")
    output = tmp_path / "out"
    first, missing, third = predict([table], output, tiny_run)
    assert (first.study, missing.study, third.study) == ("P 01", "P 02", "P 03")
    assert (first.error, third.error) == (None, None)
    assert "does not exist" in missing.error
    by_name = {row["study"]: row for row in rows(output)}
    assert list(by_name) == ["P 01", "P 02", "P 03"]
    assert [row["state"] for row in by_name.values()] == ["done", "failed", "done"]
    assert "does not exist" in by_name["P 02"]["error"]
    assert "missing/place" not in (output / "measurements.csv").read_text()
    assert by_name["P 01"]["both_infected_percent"] == by_name["P 03"]["both_infected_percent"]
    # once the study is there the same call does it, and the others stay
    shutil.copytree(folder, tmp_path / "missing" / "place")
    assert [(each.kept, each.error) for each in predict([table], output, tiny_run)] == [
        (True, None),
        (False, None),
        (True, None),
    ]
    assert [row["state"] for row in rows(output)] == ["done"] * 3


def test_a_tilted_gantry_keeps_its_shear_in_mask_and_volumes(tiny_run, tmp_path):
    thorax = coarse_thorax(tilt=15)
    write_dicom(tmp_path / "tilted", thorax)
    (result,) = predict([tmp_path / "tilted"], tmp_path / "out", tiny_run)
    assert result.error is None
    np.testing.assert_allclose(nibabel.load(result.mask).affine, thorax.affine, atol=1e-3)
    content = results(result.mask.parent)["measurements"]
    assert content["in_field"]["lung_ml"] == pytest.approx(sum(lung.ml() for lung in LUNGS.values()), rel=0.05)
    assert any("tilt" in text or "shear" in text for text in results(result.mask.parent)["run"]["assumed"])


@pytest.mark.parametrize("kind", ["zip", "nrrd", "nifti"])
def test_other_forms_of_a_study_have_the_same_measurements(kind, dicom, done, tiny_run, tmp_path):
    thorax = coarse_thorax()
    if kind == "zip":
        path = tmp_path / "study.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in dicom[0].iterdir():
                archive.write(file, f"inner/{file.name}")
    elif kind == "nrrd":
        path = tmp_path / "study.nrrd"
        image = sitk.GetImageFromArray(thorax.hu.transpose(2, 1, 0))
        image.SetSpacing((4.0, 4.0, 4.0))
        image.SetOrigin((thorax.affine[:3, 3] * [-1, -1, 1]).tolist())
        sitk.WriteImage(image, str(path))
    else:
        path = write_nifti(tmp_path / "study.nii.gz", thorax.hu, thorax.affine)
    (result,) = predict([path], tmp_path / "out", tiny_run, measure=kind == "nifti")
    assert result.error is None
    expected = results(done[0] / done[1].study)["measurements"]
    found = results(result.mask.parent)["measurements"]
    assert found["lungs"]["both"] == pytest.approx(expected["lungs"]["both"], rel=1e-3)
    assert found["severity"] == expected["severity"]


def test_keys_are_the_same_in_one_folder_and_differ_in_another(dicom, done, tiny_run, tmp_path):
    output, first = done
    (again,) = predict([dicom[0].parent], output, tiny_run)
    assert (again.study, again.kept) == (first.study, True)
    assert first.study.startswith("study-")
    (other,) = predict([dicom[0]], tmp_path, tiny_run)
    assert other.study != first.study


def test_nifti_is_an_image_unless_it_is_to_be_measured(tmp_path):
    thorax = coarse_thorax()
    image = write_nifti(tmp_path / "a.nii.gz", thorax.hu, thorax.affine)
    assert [len(each) for each in (find_inputs([image]).images, find_inputs([image]).studies)] == [1, 0]
    measured = find_inputs([tmp_path], measure=True)
    assert (measured.images, [study.files for study in measured.studies]) == ([], [(image,)])
    write_dicom(tmp_path / "dicom")
    both = find_inputs([image, tmp_path / "dicom"])
    assert (both.images, len(both.studies), len(both)) == ([image], 1, 2)
    assert len(find_inputs([str(tmp_path / "dic*")]).studies) == 1


def test_several_studies_below_a_folder_are_each_done(tiny_run, tmp_path):
    thorax = coarse_thorax()
    for name in ("a", "b"):
        write_dicom(tmp_path / "in" / name, thorax)
    done = predict([tmp_path / "in"], tmp_path / "out", tiny_run)
    assert len({each.study for each in done}) == 2
    assert len(rows(tmp_path / "out")) == 2


def test_a_series_is_chosen_by_its_uid(tiny_run, tmp_path):
    thorax = coarse_thorax()
    plan = write_dicom(tmp_path / "in" / "a", thorax)
    other = write_dicom(tmp_path / "in" / "b", thorax, study_uid=plan.study_uid)
    settings = StudySettings(keep_identifiers=True)
    for uid in (plan.series_uid, other.series_uid):
        (done,) = predict([tmp_path / "in"], tmp_path / "out", tiny_run, series=uid, studies=settings)
        assert results(done.mask.parent)["run"]["identifiers"]["series_uid"] == uid
    (none,) = predict([tmp_path / "in"], tmp_path / "out", tiny_run, series="1.2.3")
    assert "no series 1.2.3" in none.error


def test_a_study_that_cannot_be_read_is_noted_without_the_names_of_its_files(dicom, tiny_run, tmp_path):
    place = tmp_path / "Doe_Jane"
    place.mkdir()
    (place / "Doe_Jane_1.dcm").write_bytes(b"")
    (done,) = predict([place], tmp_path / "out", tiny_run)
    assert "Doe_Jane_1.dcm is empty" in done.error
    (row,) = rows(tmp_path / "out")
    assert (row["state"], row["study"]) == ("failed", done.study)
    assert "a file is empty" in row["error"]
    assert "Doe" not in (tmp_path / "out" / "measurements.csv").read_text()
    assert "Doe" not in (tmp_path / "out" / done.study / "run.json").read_text()


def test_files_that_are_left_out_are_warned_of_and_noted_without_their_names(dicom, tiny_run, tmp_path):
    place = tmp_path / "Doe_Jane"
    shutil.copytree(dicom[0], place)
    for index in range(7):
        (place / f"Doe_{index}.dcm").write_bytes(b"")
    (done,) = predict([place], tmp_path / "out", tiny_run)
    assert done.error is None
    assert f"{place / 'Doe_0.dcm'} is empty; it is left out" in done.warnings
    assert any("2 more files are left out" in warning for warning in done.warnings)
    record = (done.mask.parent / "run.json").read_text()
    assert "a file is empty; it is left out" in record
    assert "Doe" not in record


def test_a_damaged_salt_is_told_with_what_to_do(dicom, tiny_run, tmp_path):
    (tmp_path / ".salt").write_text("no salt")
    with pytest.raises(InputError, match="delete it"):
        predict([dicom[0]], tmp_path, tiny_run)


def test_grey_values_have_shares_and_no_hounsfield_units(tiny_run, tmp_path):
    thorax = coarse_thorax()
    grey = np.clip((thorax.hu + 1024.0) / 1624 * 255, 0, 255).round().astype(np.uint8)
    image = write_nifti(tmp_path / "grey.nii.gz", grey, thorax.affine)
    (refused,) = predict([image], tmp_path / "out", tiny_run, measure=True)
    assert "8-bit" in refused.error
    (done,) = predict([image], tmp_path / "out", tiny_run, measure=True, intensity="window")
    assert done.error is None
    content = results(done.mask.parent)["measurements"]
    assert content["lungs"]["both"]["infected_percent"] is not None
    assert content["lungs"]["both"]["consolidation_percent"] is None
    assert content["hu"]["lung"]["mean"] is None
    assert content["settings"]["divided"] == "not divided"
