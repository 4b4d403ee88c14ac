"""Headers whose values are drawn from what no CT has: refused by name, or read with a grid that is one."""

import random
import warnings

import numpy as np
import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from covid_monai.errors import InputError
from covid_monai.studies import read_study
from tests.studies.series_files import SeriesPlan, draw_chest, write_series

CHEST = draw_chest(4)
TEXTS = ("0", "-1", "1", "1e30", "-1e30", "nan", "inf", "1e-30", "abc", "", "0.00001", "65536", "2\\3")
PLACES = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
KEYWORDS = (
    *("SliceThickness", "SliceLocation", "SpacingBetweenSlices", "InstanceNumber", "RescaleSlope", "RescaleIntercept"),
    *("ImageType", "Modality", "NumberOfFrames", "ReconstructionDiameter", "GantryDetectorTilt", "SOPClassUID"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
    *("SeriesInstanceUID", "AcquisitionNumber", "PixelPaddingValue", "RescaleType"),
    *PLACES,
)


def spoil(dataset: Dataset, keyword: str, generator: random.Random) -> None:
    if keyword in dataset and generator.random() < 0.2:
        delattr(dataset, keyword)
    elif keyword in PLACES:
        numbers = [generator.choice(TEXTS[:10]) for _ in range(generator.choice((2, 3, 6)))]
        dataset.add_new(keyword, "LO", numbers)
    elif "US" in dictionary_VR(keyword):
        dataset.add_new(keyword, "US", generator.choice((0, 1, 8, 12, 16, 32, 65535)))
    else:
        # a text is what any writer can put there
        dataset.add_new(keyword, "LO", generator.choice(TEXTS).split("\\"))


@pytest.mark.parametrize("seed", range(40))
def test_odd_headers_are_refused_or_give_a_grid(seed, tmp_path, monkeypatch):
    monkeypatch.setattr(config.settings, "_writing_validation_mode", config.IGNORE)
    generator = random.Random(seed)
    keywords = generator.sample(KEYWORDS, generator.randint(1, 3))
    every = generator.choice((1, 2))

    def change(index, dataset):
        for keyword in keywords if index % every == 0 else ():
            spoil(dataset, keyword, generator)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_series(tmp_path, SeriesPlan(CHEST), change)
        try:
            study = read_study(tmp_path)
        except InputError as error:
            message = str(error)
        else:
            message = ""
            assert study.extents.shape == (study.hu.shape[2],)
            assert study.extents.min() > 0
            assert np.all(np.isfinite(study.affine))
            assert abs(np.linalg.det(study.affine[:3, :3])) > 0
            assert study.hu.min() >= -1024
    assert "\n" not in message
