"""Enhanced CT: many slices in one file, their places in functional groups."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, JPEGLosslessSV1

from covid_monai.studies import find_studies, read_study
from tests.studies.series_files import SLICES, SeriesPlan, draw_chest, write_series
from tests.studies.test_transfer_syntaxes import encode

CHEST = draw_chest()


def group(keyword: str, **values) -> Dataset:
    inner = Dataset()
    for name, value in values.items():
        setattr(inner, name, value)
    outer = Dataset()
    setattr(outer, keyword, Sequence([inner]))
    return outer


def enhanced(plan: SeriesPlan, *, order: list[int], intercept_per_frame: bool = False) -> Dataset:
    """One file of a series, its frames in an order that is not the slices'."""
    dataset = plan.dataset(0)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, keyword)
    for keyword in ("RescaleSlope", "RescaleIntercept", "ConvolutionKernel"):
        delattr(dataset, keyword)
    shared = Dataset()
    shared.update(group("PixelMeasuresSequence", PixelSpacing=list(plan.spacing), SliceThickness=3))
    shared.update(group("PlaneOrientationSequence", ImageOrientationPatient=list(plan.orientation)))
    shared.update(group("CTReconstructionSequence", ConvolutionKernel="B31f"))
    if not intercept_per_frame:
        shared.update(group("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=plan.intercept))
    frames = []
    for index in order:
        frame = group("PlanePositionSequence", ImagePositionPatient=list(map(float, plan.position(index))))
        if intercept_per_frame:
            frame.update(group("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-1024 + index))
        frames.append(frame)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.NumberOfFrames = len(order)
    dataset.PixelData = b"".join(plan.stored(index).tobytes() for index in order)
    return dataset


def write(dataset: Dataset, folder: Path) -> Path:
    dataset.save_as(folder / "enhanced.dcm", enforce_file_format=True)
    return folder / "enhanced.dcm"


ORDER = [3, 0, 5, 1, 7, 2, 6, 4]


def test_frames_are_read_in_the_order_of_their_places(tmp_path):
    plan = SeriesPlan(CHEST)
    file = write(enhanced(plan, order=ORDER), tmp_path)
    study = read_study(file)
    write_series(tmp_path / "single", plan)
    single = read_study(tmp_path / "single")
    np.testing.assert_array_equal(study.hu, single.hu)
    np.testing.assert_allclose(study.affine, single.affine)
    np.testing.assert_allclose(study.extents, 3)
    assert study.files == (file,)
    assert study.identity.frames == tuple(ORDER.index(index) + 1 for index in range(SLICES))
    assert len(set(study.identity.sop_instance_uids)) == 1
    assert len(study.identity.sop_instance_uids) == SLICES
    (series,) = find_studies(tmp_path / "enhanced.dcm").studies[0].series
    assert series.kernel == "B31f"


def test_frames_have_their_own_rescaling(tmp_path):
    file = write(enhanced(SeriesPlan(CHEST), order=ORDER, intercept_per_frame=True), tmp_path)
    expected = CHEST + np.arange(SLICES)[:, None, None]
    np.testing.assert_array_equal(read_study(file).hu, expected.transpose(2, 1, 0))


def test_compressed_frames_are_decoded_one_by_one(tmp_path):
    plan = SeriesPlan(CHEST)
    dataset = enhanced(plan, order=ORDER)
    frames = []
    for index in ORDER:
        single = plan.dataset(index)
        encode(single, JPEGLosslessSV1, tmp_path)
        frames.append(next(generate_frames(single.PixelData, number_of_frames=1)))
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    file = write(dataset, tmp_path)
    np.testing.assert_array_equal(read_study(file).hu, CHEST.transpose(2, 1, 0))


def test_a_localizer_frame_type_is_refused_by_name(tmp_path):
    dataset = enhanced(SeriesPlan(CHEST), order=ORDER)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.update(group("CTImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]))
    file = write(dataset, tmp_path)
    (series,) = find_studies(file).studies[0].series
    assert series.refused == "a localizer"
    assert len(series.slices) == SLICES


@pytest.mark.parametrize("lost", [100, 5000])
def test_a_file_that_is_cut_off_loses_all_its_frames(lost, tmp_path):
    from covid_monai.errors import InputError

    file = write(enhanced(SeriesPlan(CHEST), order=ORDER), tmp_path)
    assert len(dcmread(file).PixelData) == CHEST.nbytes
    file.write_bytes(file.read_bytes()[:-lost])
    with pytest.raises(InputError, match="none of the 8 slices can be read"):
        read_study(file)
