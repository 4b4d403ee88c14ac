"""Folders, archives and DICOMDIRs with CT and much else in them."""

import shutil
import stat
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom.fileset import FileSet

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import find_studies, read_study
from tests.studies.series_files import SeriesPlan, draw_chest, write_series

CHEST = draw_chest()
VOXELS = CHEST.transpose(2, 1, 0)


def write_mixture(folder: Path) -> None:
    """Two series of a study in nested folders, with what else lies on a disc."""
    write_series(folder / "A" / "deep" / "er", SeriesPlan(CHEST, study_uid="1.2.3"))
    other = SeriesPlan(draw_chest(1), study_uid="1.2.3")
    write_series(folder / "B", other, lambda _, dataset: setattr(dataset, "Modality", "MR"), prefix="m")
    (folder / "readme.txt").write_text("not for diagnosis")
    (folder / "viewer.exe").write_bytes(b"MZ" + bytes(500))
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "A" / "picture.dcm").write_bytes(b"\x89PNG\r\n" + bytes(300))
    (folder / ".hidden.dcm").write_bytes(b"rubbish")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "im003.dcm").write_bytes(b"rubbish")


def check_mixture(found, place):
    (study,) = found.studies
    assert [series.refused for series in study.series] == [None, "a magnetic resonance image"]
    assert dict(found.problems) == {
        place / "empty.dcm": "is empty",
        place / "A" / "picture.dcm": "is no DICOM file in spite of its name",
    }
    assert found.others == 2


def test_a_nested_folder_with_other_files(tmp_path):
    write_mixture(tmp_path)
    check_mixture(find_studies(tmp_path), tmp_path)
    np.testing.assert_array_equal(read_study(tmp_path).hu, VOXELS)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_an_archive_is_read_in_place(compression, tmp_path):
    write_mixture(tmp_path / "disc")
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", compression) as opened:
        for file in sorted((tmp_path / "disc").rglob("*")):
            opened.write(file, file.relative_to(tmp_path / "disc"))
    shutil.rmtree(tmp_path / "disc")
    check_mixture(find_studies(archive), archive)
    study = read_study(archive)
    np.testing.assert_array_equal(study.hu, VOXELS)
    assert study.files[0].parent == archive / "A" / "deep" / "er"
    assert study.sources == (archive,)
    assert [path.name for path in tmp_path.iterdir()] == ["study.zip"]


def test_an_archive_is_known_by_its_content(tmp_path):
    write_series(tmp_path / "ct", SeriesPlan(CHEST))
    shutil.make_archive(str(tmp_path / "study"), "zip", tmp_path / "ct")
    (tmp_path / "study.zip").rename(tmp_path / "study.download")
    np.testing.assert_array_equal(read_study(tmp_path / "study.download").hu, VOXELS)


def test_archives_that_cannot_be_trusted_are_named(tmp_path):
    broken, odd = tmp_path / "broken.zip", tmp_path / "odd.zip"
    broken.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InputError, match="no readable zip archive"):
        find_studies(broken)
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(odd, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(link, "/etc/passwd")
        opened.writestr("bomb.dcm", bytes(3 << 20))
        opened.writestr("ct.nii.gz", b"whatever")
    reasons = {path.name: reason for path, reason in find_studies(odd).problems}
    assert reasons["link.dcm"] == "is a link or a device"
    assert "which no CT does" in reasons["bomb.dcm"]
    assert "unpack it" in reasons["ct.nii.gz"]


def write_dicomdir(folder: Path, tmp_path: Path) -> Path:
    fileset = FileSet()

    def complete(_, dataset):
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200401", "1200", "1", "1"

    for file in write_series(tmp_path / "source", SeriesPlan(CHEST), complete):
        fileset.add(file)
    fileset.write(folder)
    return folder / "DICOMDIR"


@pytest.mark.parametrize("given", ["the file", "the folder"])
def test_a_dicomdir_is_read(given, tmp_path):
    dicomdir = write_dicomdir(tmp_path / "disc", tmp_path)
    path = dicomdir if given == "the file" else dicomdir.parent
    found = find_studies(path)
    assert (found.problems, found.others) == ((), 0)
    np.testing.assert_array_equal(read_study(path).hu, VOXELS)


@pytest.mark.parametrize("given", ["the file", "the folder"])
def test_files_that_a_dicomdir_names_and_that_are_missing_are_told(given, tmp_path):
    dicomdir = write_dicomdir(tmp_path / "disc", tmp_path)
    missing = find_studies(dicomdir).studies[0].series[0].slices[3].entry.path
    missing.unlink()
    path = dicomdir if given == "the file" else dicomdir.parent
    ((named, reason),) = find_studies(path).problems
    assert (named, reason) == (missing, "is missing, though the DICOMDIR names it")
    with pytest.warns(InputWarning, match="a gap of 6 mm"):
        assert read_study(path).hu.shape[2] == 7


def test_a_dicomdir_copied_with_small_letters_is_followed(tmp_path):
    dicomdir = write_dicomdir(tmp_path / "disc", tmp_path)
    for path in sorted(dicomdir.parent.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))
    np.testing.assert_array_equal(read_study(dicomdir.with_name("dicomdir")).hu, VOXELS)


def test_volumes_among_dicom_are_left_out_and_named(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST))
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tmp_path / "mask.nii.gz")
    ((path, reason),) = find_studies(tmp_path).problems
    assert path.name == "mask.nii.gz"
    assert "lies among DICOM files" in reason
    np.testing.assert_array_equal(read_study(tmp_path).hu, VOXELS)


def test_what_is_not_there_or_holds_nothing_is_told(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        find_studies(tmp_path / "nowhere")
    assert find_studies(tmp_path).studies == ()
    with pytest.raises(InputError, match="holds no CT that can be read: give a folder"):
        read_study(tmp_path)
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(InputError, match="holds no CT that can be read"):
        read_study(tmp_path / "a.txt")


def test_a_header_that_is_cut_off_is_named_and_the_rest_goes_on(tmp_path):
    files = write_series(tmp_path, SeriesPlan(CHEST))
    files[0].write_bytes(files[0].read_bytes()[:400])
    files[-1].write_bytes(files[-1].read_bytes()[:160])
    found = find_studies(tmp_path)
    assert {path for path, _ in found.problems} == {files[0], files[-1]}
    assert read_study(tmp_path).hu.shape[2] == 6


def test_names_of_patients_are_in_no_message(tmp_path, recwarn):
    def change(index, dataset):
        dataset.PatientComments = "Doe, Jane"
        if index == 2:
            del dataset.Modality

    files = write_series(tmp_path, SeriesPlan(CHEST), change)
    files[4].write_bytes(files[4].read_bytes()[:-100])
    found = find_studies(tmp_path)
    study = read_study(tmp_path)
    said = [repr(found), repr(study), *map(repr, found.studies), *(str(warning.message) for warning in recwarn)]
    said += [repr(series) for each in found.studies for series in each.series]
    said += [str(header.values) for each in found.studies for series in each.series for header in series.slices]
    assert len(recwarn) >= 2
    for secret in ("Doe", "Jane", "secret-17"):
        assert not any(secret in text for text in said)
