"""DICOM objects of real series pass the standard's checker and lie where their mask does."""

from pathlib import Path

import numpy as np
import pytest

from covid_monai.exchange.equipment import Algorithm
from covid_monai.exchange.formats import Formats
from covid_monai.exchange.reading import read_segmentation
from covid_monai.exchange.write import Finished, write_formats
from covid_monai.lungs import from_labels
from covid_monai.measurements import measure
from covid_monai.studies import read_study
from tests.exchange import dciodvfy
from tests.exchange.drawn_series import CLASSES

SERIES = Path(__file__).resolve().parents[3] / "shared/data/chest_dicom_series"


@pytest.mark.slow
@pytest.mark.skipif(not SERIES.is_dir(), reason="the real series of shared/data are not here")
@dciodvfy.NEEDED
@pytest.mark.parametrize("name", ["covid_P002", "normal_001"])
def test_a_real_series_has_objects_without_an_error(tmp_path, name):
    study = read_study(SERIES / name)
    lungs = np.zeros(study.hu.shape, np.uint8)
    lungs[80:230, 120:380, 20:-20], lungs[280:430, 120:380, 20:-20] = 1, 2
    mask = np.where((lungs > 0) & (study.hu > -500), np.where(study.hu < -200, 1, 2), 0).astype(np.uint8)
    of_lungs = from_labels(lungs, study.affine, hu=study.hu)
    measured = measure(study.hu, study.affine, mask, of_lungs, extents=study.extents).to_dict()
    formats = Formats(frozenset({"dicom-seg", "dicom-sr"}))
    finished = Finished(study, mask, CLASSES, lungs, measured, Algorithm("tiny_ct_segmentation", "ab" * 32))
    write_formats(tmp_path, formats, finished)
    for file in ("mask.dcm", "measurements.dcm"):
        assert dciodvfy.errors_in(tmp_path / file) == []
    read = read_segmentation(tmp_path / "mask.dcm")
    first = np.rint(np.linalg.solve(study.affine, read.affine[:, 3])[:3]).astype(int)
    np.testing.assert_allclose((study.affine @ [*first, 1])[:3], read.affine[:3, 3], atol=1e-3)
    np.testing.assert_array_equal(read.labels, mask[:, :, first[2] : first[2] + read.labels.shape[2]])
