"""Studies in other formats beside NIfTI."""

import hashlib
import json
import os

import nibabel
import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from covid_monai.cli import root
from covid_monai.errors import InputError
from covid_monai.exchange.formats import Formats, parse_formats
from covid_monai.exchange.reading import read_segmentation
from covid_monai.inference.predict import predict
from tests.inference.drawn_studies import coarse_thorax, write_dicom, write_nifti

ALL = Formats(parse_formats("nifti,dicom-seg,dicom-sr,nrrd"))
WRITTEN = {"mask.dcm", "measurements.dcm", "mask.seg.nrrd"}


@pytest.fixture(scope="module")
def dicom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scanner") / "series"
    return folder, write_dicom(folder)


@pytest.fixture(scope="module")
def done(dicom, tiny_run, tmp_path_factory):
    output = tmp_path_factory.mktemp("results")
    (result,) = predict([dicom[0]], output, tiny_run, formats=ALL)
    assert result.error is None
    return output, output / result.study


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_a_study_has_the_formats_that_are_asked_for(done):
    _, folder = done
    assert names_in(folder) >= WRITTEN | {"mask.nii.gz", "measurements.json"}
    outputs = json.loads((folder / "run.json").read_text())["outputs"]
    assert set(outputs) >= WRITTEN


def test_the_segmentation_is_the_mask(done, dicom):
    _, folder = done
    read = read_segmentation(folder / "mask.dcm")
    mask = nibabel.load(folder / "mask.nii.gz")
    expected = np.asarray(mask.dataobj)
    assert expected.any()
    places = {}
    for name, values, affine in (("seg", read.labels, read.affine), ("nifti", expected, mask.affine)):
        where = np.argwhere(values) @ affine[:3, :3].T + affine[:3, 3]
        places[name] = where[np.lexsort(where.round(2).T)]
    np.testing.assert_allclose(places["seg"], places["nifti"], atol=1e-3)
    assert pydicom.dcmread(folder / "mask.dcm").StudyInstanceUID == dicom[1].study_uid


def test_the_same_call_again_keeps_what_is_there(done, dicom, tiny_run):
    output, folder = done
    before = (folder / "mask.dcm").read_bytes()
    for formats in (ALL, Formats(parse_formats("nrrd"))):
        (result,) = predict([dicom[0]], output, tiny_run, formats=formats)
        assert result.kept
    assert (folder / "mask.dcm").read_bytes() == before


class Untouched:
    """Stands in for the network where it must not be asked."""

    def predict(self, *_, **__):
        raise AssertionError("the network was asked for a mask that is there")


def of_names(text, **options):
    return Formats(parse_formats(text), **options)


@pytest.fixture
def once(dicom, tiny_run, tmp_path, monkeypatch):
    """A folder with finished results in NIfTI; from here on the network may not be asked again."""
    (result,) = predict([dicom[0]], tmp_path, tiny_run)
    monkeypatch.setattr("covid_monai.inference.model.Model.predict", Untouched.predict)
    return tmp_path, tmp_path / result.study


def test_formats_that_are_missing_are_written_of_the_mask_that_is_there_in_any_order(once, dicom, tiny_run, done):
    output, folder = once
    mask = (folder / "mask.nii.gz").read_bytes()
    for formats in ("nrrd", "dicom-seg", "dicom-sr"):
        (result,) = predict([dicom[0]], output, tiny_run, formats=of_names(formats))
        assert (result.error, result.kept) == (None, False)
    assert names_in(folder) == names_in(done[1])
    assert (folder / "mask.nii.gz").read_bytes() == mask
    outputs = json.loads((folder / "run.json").read_text())["outputs"]
    for name in WRITTEN:
        assert outputs[name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    expected, found = (read_segmentation(each / "mask.dcm").labels for each in (done[1], folder))
    np.testing.assert_array_equal(found, expected)


def test_a_report_refers_to_the_segmentation_beside_it_however_late_it_was_asked_for(once, dicom, tiny_run):
    output, folder = once
    for formats in ("dicom-seg", "dicom-sr"):
        predict([dicom[0]], output, tiny_run, formats=of_names(formats))
    segmentation, report = (pydicom.dcmread(folder / name) for name in ("mask.dcm", "measurements.dcm"))
    assert segmentation.SOPInstanceUID in str(report)


def test_a_segmentation_that_was_written_otherwise_is_written_again(once, dicom, tiny_run):
    output, folder = once
    predict([dicom[0]], output, tiny_run, formats=of_names("dicom-seg"))
    few = pydicom.dcmread(folder / "mask.dcm").NumberOfFrames
    (result,) = predict([dicom[0]], output, tiny_run, formats=of_names("dicom-seg", all_frames=True))
    assert result.error is None
    assert pydicom.dcmread(folder / "mask.dcm").NumberOfFrames > few
    # a report that is asked for later keeps it so
    predict([dicom[0]], output, tiny_run, formats=of_names("dicom-sr"))
    assert pydicom.dcmread(folder / "mask.dcm").NumberOfFrames > few


def test_a_file_of_the_users_own_is_not_replaced_by_a_format(once, dicom, tiny_run):
    output, folder = once
    (folder / "mask.seg.nrrd").write_bytes(b"mine")
    (result,) = predict([dicom[0]], output, tiny_run, formats=of_names("nrrd"))
    assert "move it away" in result.error
    assert (folder / "mask.seg.nrrd").read_bytes() == b"mine"


@pytest.mark.parametrize("moved", [True, False], ids=["moved", "not moved yet"])
@pytest.mark.parametrize("earlier", [None, "dicom-seg"], ids=["new", "written otherwise"])
def test_formats_of_a_call_that_was_killed_are_written_again(once, dicom, tiny_run, monkeypatch, earlier, moved):
    output, folder = once
    if earlier:
        predict([dicom[0]], output, tiny_run, formats=of_names(earlier))
    wanted = of_names("dicom-seg", all_frames=True)

    def killed(staging):
        if moved:
            os.replace(staging.path / "mask.dcm", folder / "mask.dcm")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("covid_monai.staging.Staging.add", killed)
        with pytest.raises(KeyboardInterrupt):
            predict([dicom[0]], output, tiny_run, formats=wanted)
    (result,) = predict([dicom[0]], output, tiny_run, formats=wanted)
    assert result.error is None
    content = json.loads((folder / "run.json").read_text())
    assert content["outputs"]["mask.dcm"] == hashlib.sha256((folder / "mask.dcm").read_bytes()).hexdigest()
    assert "pending" not in content
    (again,) = predict([dicom[0]], output, tiny_run, formats=wanted)
    assert again.kept


def test_a_mask_that_was_changed_gets_no_formats(once, dicom, tiny_run):
    output, folder = once
    mask = folder / "mask.nii.gz"
    mask.write_bytes(mask.read_bytes()[:-1] + b"x")
    (result,) = predict([dicom[0]], output, tiny_run, formats=of_names("dicom-seg"))
    assert "changed since" in result.error
    assert not (folder / "mask.dcm").exists()


def test_a_page_that_is_there_stays_where_a_format_is_added(dicom, tiny_run, tmp_path):
    predict([dicom[0]], tmp_path, tiny_run, page=True)
    (result,) = predict([dicom[0]], tmp_path, tiny_run, formats=of_names("nrrd"))
    assert result.error is None
    assert {"page.html", "mask.seg.nrrd"} <= names_in(tmp_path / result.study)


def test_a_study_that_is_no_dicom_is_told_what_it_needs_and_stops_no_other(dicom, tiny_run, tmp_path):
    thorax = coarse_thorax()
    nifti = write_nifti(tmp_path / "ct.nii.gz", thorax.hu, thorax.affine)
    refused, other = predict([nifti, dicom[0]], tmp_path / "out", tiny_run, measure=True, formats=ALL)
    assert "dicom-seg and dicom-sr cannot be written of nifti, which has no DICOM images to refer to" in refused.error
    assert refused.mask is None or not refused.mask.exists()
    assert other.error is None


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "mask alone"])
@pytest.mark.parametrize("format_", ["dicom-seg", "dicom-sr"])
def test_a_nifti_file_alone_is_refused_dicom_in_one_line_before_a_run_is_read(tmp_path, format_, measured):
    thorax = coarse_thorax()
    nifti = write_nifti(tmp_path / "ct.nii.gz", thorax.hu, thorax.affine)
    arguments = ["predict", str(nifti), "-o", str(tmp_path / "out"), "--run", str(tmp_path / "none")]
    arguments += ["--format", format_, *(["--measure"] if measured else [])]
    done = CliRunner().invoke(root, arguments)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert f"ct.nii.gz: {format_} cannot be written of nifti, which has no DICOM images to refer to" in line
    assert "give the DICOM series that it was made from, or ask for nifti, or of studies nrrd, as --format" in line
    assert not (tmp_path / "out").exists()


def test_a_nifti_mask_beside_a_study_that_can_have_dicom_is_the_one_that_fails(dicom, tiny_run, tmp_path):
    thorax = coarse_thorax()
    nifti = write_nifti(tmp_path / "ct.nii.gz", thorax.hu, thorax.affine)
    refused, other = predict([nifti, dicom[0]], tmp_path / "out", tiny_run, formats=of_names("dicom-seg"))
    assert "no DICOM images to refer to" in refused.error
    assert not (tmp_path / "out/ct.nii.gz").exists()
    assert (other.mask.parent / "mask.dcm").is_file()


def test_a_measured_nifti_file_has_a_segmentation_for_slicer(tiny_run, tmp_path):
    thorax = coarse_thorax()
    nifti = write_nifti(tmp_path / "ct.nii.gz", thorax.hu, thorax.affine)
    (done,) = predict([nifti], tmp_path / "out", tiny_run, measure=True, formats=of_names("nifti,nrrd"))
    assert done.error is None
    assert names_in(done.mask.parent) >= {"mask.nii.gz", "mask.seg.nrrd", "measurements.json"}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("dicom-sg", {}, "did you mean"),
        ("nrrd", {"all_frames": True}, "add dicom-seg"),
        ("dicom-seg", {"seg_type": "labelmap", "lung_segments": True}, "one segment a voxel"),
    ],
)
def test_formats_that_cannot_be_are_refused(text, options, message):
    with pytest.raises(InputError, match=message):
        Formats(parse_formats(text), **options)
