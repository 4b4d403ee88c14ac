"""Studies in other formats beside NIfTI."""

import json

import nibabel
import numpy as np
import pydicom
import pytest

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


def test_a_format_that_is_missing_is_added_and_one_written_otherwise_is_written_again(dicom, tiny_run, tmp_path):
    predict([dicom[0]], tmp_path, tiny_run)
    (result,) = predict([dicom[0]], tmp_path, tiny_run, formats=Formats(parse_formats("dicom-seg")))
    assert (result.error, result.kept) == (None, False)
    file = tmp_path / result.study / "mask.dcm"
    few = pydicom.dcmread(file).NumberOfFrames
    every = Formats(parse_formats("dicom-seg"), all_frames=True)
    (result,) = predict([dicom[0]], tmp_path, tiny_run, formats=every)
    assert (result.error, result.kept) == (None, False)
    assert pydicom.dcmread(file).NumberOfFrames > few


def test_a_page_that_is_there_stays_where_a_format_is_added(dicom, tiny_run, tmp_path):
    predict([dicom[0]], tmp_path, tiny_run, page=True)
    (result,) = predict([dicom[0]], tmp_path, tiny_run, formats=Formats(parse_formats("nrrd")))
    assert (result.error, result.kept) == (None, False)
    assert {"page.html", "mask.seg.nrrd"} <= names_in(tmp_path / result.study)
    (again,) = predict([dicom[0]], tmp_path, tiny_run, page=True, formats=Formats(parse_formats("nrrd")))
    assert again.kept


def test_a_study_that_is_no_dicom_is_told_what_it_needs_and_stops_no_other(dicom, tiny_run, tmp_path):
    thorax = coarse_thorax()
    nifti = write_nifti(tmp_path / "ct.nii.gz", thorax.hu, thorax.affine)
    refused, other = predict([nifti, dicom[0]], tmp_path / "out", tiny_run, measure=True, formats=ALL)
    assert "dicom-seg and dicom-sr cannot be written of nifti, which has no DICOM images to refer to" in refused.error
    assert refused.mask is None or not refused.mask.exists()
    assert other.error is None


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
