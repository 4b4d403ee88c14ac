import re
import warnings

import nibabel
import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.transforms import HounsfieldReader
from covid_monai.transforms.intensity import MODES

SOFT_TISSUE = np.linspace(-90, 140, 64, dtype=np.float32).reshape(8, 8, 1)
GREY = np.linspace(0, 255, 64, dtype=np.float32).round().reshape(8, 8, 1)
CHEST = np.concatenate([np.linspace(-950, -750, 30), np.linspace(-20, 90, 34)]).astype(np.float32).reshape(8, 8, 1)
MOSTLY_BLACK = np.where(GREY > 200, GREY, 0)


def read(folder, values, mode=None):
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / "ct.nii.gz")
    reader = HounsfieldReader() if mode is None else HounsfieldReader(intensity=mode)
    return np.asarray(reader.get_data(reader.read(folder / "ct.nii.gz"))[0])


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        (CHEST + 1024, None),
        (CHEST + 1024, "checked"),
        (CHEST + 1024, "auto"),
        (-CHEST, None),
        (SOFT_TISSUE, "window"),
        (SOFT_TISSUE, "anchors"),
        (GREY, None),
        (GREY, "anchors"),
        (MOSTLY_BLACK, None),
        (MOSTLY_BLACK, "auto"),
    ],
)
def test_the_mode_that_a_refusal_names_reads_the_file(tmp_path, values, mode):
    with pytest.raises(InputError, match="intensity") as refused:
        read(tmp_path, values, mode)
    named = set(re.findall(r"--intensity (\w+)", str(refused.value)))
    assert named
    assert named <= {*MODES} - {mode or "checked"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for working in named:
            assert read(tmp_path, values, working).shape == values.shape


@pytest.mark.parametrize("mode", ["hu", "trusted"])
def test_hu_on_the_users_word_are_taken_as_they_are(tmp_path, mode):
    for values in (SOFT_TISSUE, np.full((4, 4, 1), -40000, np.float32)):
        np.testing.assert_array_equal(read(tmp_path, values, mode), values)


def test_grey_values_taken_as_hu_are_warned_of(tmp_path):
    """Bundles of release 0.1 ask for ``hu`` and meant ``checked``."""
    with pytest.warns(UserWarning, match="look like 8-bit grey values"):
        np.testing.assert_array_equal(read(tmp_path, GREY, "hu"), GREY)


def test_hu_that_look_like_hu_pass_the_check(tmp_path):
    values = np.linspace(-1000, 400, 64, dtype=np.float32).reshape(8, 8, 1)
    np.testing.assert_array_equal(read(tmp_path, values), values)


def test_an_unknown_mode_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="auto, checked, hu, window, anchors"):
        HounsfieldReader(intensity="raw")
