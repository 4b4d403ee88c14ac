"""Encodings that nothing here writes: frames that other encoders wrote once (CharLS 2, OpenJPEG 2.5), and 8-bit JPEG.

JPEG extended (12 bits, with loss) is not among them.
"""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000, UID, JPEGBaseline8Bit, JPEGLSLossless, JPEGLSNearLossless

from covid_monai.studies import read_study
from tests.studies.series_files import SeriesPlan, write_series


def ramp(rows: int, columns: int, per_row: int, per_column: int, first: int = 0) -> np.ndarray:
    row, column = np.mgrid[:rows, :columns]
    return (row * per_row + column * per_column + first) % 1500


SMALL = ramp(12, 16, 37, 11)
LARGE = ramp(64, 64, 11, 7, 300)

JPEG_LS = (
    "/9j/9wALCgAMABABAREA/9oACAEBAAAAAJVVVNH/KqaP+7zcNLKJIe5rGO7sxYNZmZVVVVVVlCjbbbaSSRImkkkkkkkQJJJVVVXiKqqqquEFVX"
    "/p9/98PP9/h1//ecf/fv/Z"
)
JPEG_LS_SIGNED = (
    "/9j/9wALEAAMABABAREA//gADQH//wASAEMBFABA/9oACAEBAAAAACu0FYJwjB8NhcJg8PDwsLCwsLEqC0FIShCHQyFQiIhoaGhISC0SoSEhIk"
    "KFChQoUKFChQUiRChQoUKFCigggggghKRoIIIIIIIIIIIIIIQkSCCCCCCCCCCCEIQ6hQhCEIQhCEIQhDKBCEIQhCEIQhCEKn0IiIiIiIiIhE8i"
    "IiIiIiIiIidRERJJJJJDTiSSSSSSSGD/2Q=="
)
JPEG_LS_NEAR = (
    "/9j/9wALCgAMABABAREA/9oACAEBAAIAAL9f/X/6/GZERERMibIgRYlEiSKSQZKUlSUkjklLSkqmcbG1qo6rnzo4+fPR2fn+d/90d/98z/9o/9k="
)
JPEG_2000_LOSSY = (
    "/0//UQApAAAAAABAAAAAQAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAAAAABDwEB/1IADAAAAAEABQQEAAD/XAAjQrcgtvC28LbArwCvAK7gp1CnUK"
    "dokAWQBZBHl9OX05di/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS4y/5AACgAAAAAATwAB/5PP/CgkCJBfqenTmOjqwAPl"
    "CQAfSFAM9vHyCzymGy3AAfCNAA+QOCIYI4qW9QN/ZqUsSjrAAI4ACMA2oYE9pjSAgP/Z"
)


def baseline_jpeg() -> str:
    stream = BytesIO()
    Image.fromarray((SMALL // 8).astype(np.uint8)).save(stream, "JPEG", quality=98)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.filterwarnings("ignore:.*intensity hu")
@pytest.mark.parametrize(
    ("syntax", "frame", "expected", "error"),
    [
        pytest.param(JPEGLSLossless, JPEG_LS, SMALL, 0, id="JPEG-LS"),
        pytest.param(JPEGLSLossless, JPEG_LS_SIGNED, SMALL - 700, 0, id="JPEG-LS, signed"),
        pytest.param(JPEGLSNearLossless, JPEG_LS_NEAR, SMALL, 2, id="JPEG-LS, near-lossless"),
        pytest.param(JPEG2000, JPEG_2000_LOSSY, LARGE, 50, id="JPEG 2000 with loss"),
        pytest.param(JPEGBaseline8Bit, baseline_jpeg(), SMALL // 8, 3, id="JPEG baseline"),
    ],
)
def test_frames_of_other_encoders_are_decoded(syntax: UID, frame: str, expected: np.ndarray, error: int, tmp_path):
    signed = expected.min() < 0

    def change(_, dataset):
        bits = 8 if syntax == JPEGBaseline8Bit else 16
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        if syntax != JPEG2000 and not signed and bits == 16:
            # what the frame itself says
            dataset.BitsStored, dataset.HighBit = 10, 9
        dataset.PixelData = encapsulate([base64.b64decode(frame)])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax

    plan = SeriesPlan(np.stack([expected] * 2), signed=signed, intercept=0)
    write_series(tmp_path, plan, change)
    # a ramp is no CT
    hu = read_study(tmp_path, intensity="hu").hu
    assert np.abs(hu - expected.T[:, :, None]).max() <= error
