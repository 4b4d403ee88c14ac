"""Files whose bytes were changed at random: refused by name, or read; never another error."""

import random
import warnings

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, RLELossless

from covid_monai.errors import InputError
from covid_monai.studies import read_study
from tests.studies.series_files import SeriesPlan, draw_chest, write_series
from tests.studies.test_enhanced import enhanced
from tests.studies.test_transfer_syntaxes import encode

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEGLosslessSV1, JPEG2000Lossless)
HEADER = 1400


def damaged(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(generator.choice((1, 2, 8))):
        place = generator.randrange(min(len(changed), generator.choice((HEADER, len(changed)))))
        kind = generator.randrange(4)
        if kind == 0:
            changed[place] = generator.randrange(256)
        elif kind == 1:
            del changed[place : place + generator.randrange(1, 40)]
        elif kind == 2:
            changed[place:place] = generator.randbytes(10)
        else:
            changed = changed[: place + 1]
    return bytes(changed)


@pytest.mark.parametrize("syntax", [*SYNTAXES, None], ids=lambda uid: uid.keyword if uid else "enhanced")
def test_damaged_files_are_refused_or_read(syntax, tmp_path):
    if syntax is None:
        file = tmp_path / "enhanced.dcm"
        enhanced(SeriesPlan(draw_chest(3)), order=[2, 0, 1]).save_as(file, enforce_file_format=True)
    else:
        (file,) = write_series(tmp_path, SeriesPlan(draw_chest(1)), lambda _, each: encode(each, syntax, tmp_path))
    content, generator = file.read_bytes(), random.Random(0)
    refusals: list[str] = []
    count = 60
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(count):
            file.write_bytes(damaged(content, generator))
            try:
                read_study(file)
            except InputError as error:
                refusals.append(str(error))
    assert 0 < len(refusals) < count
    assert not any("\n" in message for message in refusals)
