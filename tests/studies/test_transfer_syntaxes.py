"""The encodings of pixels that scanners and archives write, and that can be written here."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import compress
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
)

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import read_study
from tests.studies.series_files import SLICES, SeriesPlan, draw_chest, write_series

CHEST = draw_chest()
GDCM_WRITES = {JPEGLosslessSV1: "JPEG", JPEG2000Lossless: "JPEG2000"}


def encode(dataset: Dataset, syntax: UID, folder: Path) -> None:
    """Store the pixels of a dataset of explicit little endian otherwise."""
    if syntax in GDCM_WRITES:
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(str(folder / "encoded.dcm"))
        writer.UseCompressionOn()
        writer.SetCompressor(GDCM_WRITES[syntax])
        writer.Execute(sitk.GetImageFromArray(dataset.pixel_array))
        encoded = dcmread(folder / "encoded.dcm")
        (folder / "encoded.dcm").unlink()
        assert encoded.file_meta.TransferSyntaxUID == syntax
        dataset.PixelData = encoded.PixelData
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax == RLELossless:
        compress(dataset, RLELossless, generate_instance_uid=False)
    else:
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = dataset.pixel_array.astype(dataset.pixel_array.dtype.newbyteorder(">")).tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ImplicitVRLittleEndian:
            dataset["PixelData"].VR = "OW"


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLosslessSV1,
        JPEG2000Lossless,
    ],
    ids=lambda value: value.keyword if isinstance(value, UID) else value,
)
def test_every_encoding_gives_the_same_voxels(syntax, signed, tmp_path):
    plan = SeriesPlan(CHEST, signed=signed, intercept=0 if signed else -1024)
    write_series(tmp_path / "ct", plan, lambda _, dataset: encode(dataset, syntax, tmp_path))
    assert dcmread(next((tmp_path / "ct").iterdir())).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read_study(tmp_path / "ct").hu, CHEST.transpose(2, 1, 0))


def test_encodings_can_differ_within_a_series(tmp_path):
    syntaxes = (ExplicitVRBigEndian, JPEGLosslessSV1, RLELossless, ImplicitVRLittleEndian)
    write_series(
        tmp_path / "ct", SeriesPlan(CHEST), lambda index, dataset: encode(dataset, syntaxes[index % 4], tmp_path)
    )
    np.testing.assert_array_equal(read_study(tmp_path / "ct").hu, CHEST.transpose(2, 1, 0))


def test_compressed_slices_keep_their_own_rescaling(tmp_path):
    def change(index, dataset):
        encode(dataset, JPEGLosslessSV1, tmp_path)
        dataset.RescaleIntercept = -1024 + 10 * index

    write_series(tmp_path / "ct", SeriesPlan(CHEST), change)
    expected = CHEST + 10 * np.arange(SLICES)[:, None, None]
    np.testing.assert_array_equal(read_study(tmp_path / "ct").hu, expected.transpose(2, 1, 0))


def test_a_file_without_preamble_and_meta_header_is_read(tmp_path):
    for index, dataset in enumerate(SeriesPlan(CHEST).datasets()):
        del dataset.file_meta
        dataset["PixelData"].VR = "OW"
        dataset.save_as(tmp_path / f"IM{index}", implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_study(tmp_path).hu, CHEST.transpose(2, 1, 0))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLosslessSV1, JPEG2000Lossless])
def test_a_file_that_is_cut_off_is_named_and_left_out(syntax, tmp_path):
    files = write_series(tmp_path / "ct", SeriesPlan(CHEST), lambda _, dataset: encode(dataset, syntax, tmp_path))
    content = files[3].read_bytes()
    files[3].write_bytes(content[: len(content) - 300])
    with pytest.warns(InputWarning) as caught:
        study = read_study(tmp_path / "ct")
    assert any(str(files[3]) in str(warning.message) for warning in caught)
    ((path, reason),) = study.left_out
    assert path == files[3]
    assert "cut off" in reason
    np.testing.assert_array_equal(study.hu, np.delete(CHEST, 3, axis=0).transpose(2, 1, 0))
    # the slices beside the gap stand for it
    np.testing.assert_allclose(study.extents, [3, 3, 4.5, 4.5, 3, 3, 3])
    assert "1 slice could not be read and is left out" in study.warnings
    assert any("a gap of 6 mm" in message for message in study.warnings)
    assert not any(str(tmp_path) in message for message in study.warnings)


def test_pixels_that_decode_to_other_values_are_damaged(tmp_path, capfd):
    files = write_series(
        tmp_path / "ct", SeriesPlan(CHEST), lambda _, dataset: encode(dataset, JPEGLosslessSV1, tmp_path)
    )
    content = bytearray(files[3].read_bytes())
    middle = len(content) - 400
    # the decoder goes on with other values
    content[middle : middle + 40] = b"\x55" * 40
    files[3].write_bytes(content)
    with pytest.warns(InputWarning, match="damaged within its compressed pixels"):
        study = read_study(tmp_path / "ct")
    np.testing.assert_array_equal(study.hu, np.delete(CHEST, 3, axis=0).transpose(2, 1, 0))
    assert capfd.readouterr().err == ""


def test_an_encoding_that_cannot_be_decoded_is_named(tmp_path):
    def change(_, dataset):
        encode(dataset, JPEG2000Lossless, tmp_path)
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless

    write_series(tmp_path / "ct", SeriesPlan(CHEST), change)
    with pytest.raises(InputError, match="HTJ2K"):
        read_study(tmp_path / "ct")


def test_bits_beyond_the_stored_ones_are_no_part_of_a_value(tmp_path):
    def change(_, dataset):
        dataset.BitsStored, dataset.HighBit = 12, 11
        # an overlay, as old scanners keep it in unused bits
        dataset.PixelData = (np.frombuffer(dataset.PixelData, np.uint16) | 0x4000).tobytes()

    write_series(tmp_path, SeriesPlan(CHEST), change)
    np.testing.assert_array_equal(read_study(tmp_path).hu, CHEST.transpose(2, 1, 0))
