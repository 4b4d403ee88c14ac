import shutil

import pytest

from covid_monai.catalog.describe import describe_bundle
from covid_monai.errors import InputError
from covid_monai.run.copy import copy_bundle


def test_a_description_tells_input_losses_ablations_and_settings():
    described = describe_bundle("a_segnet")
    assert described.parameters == 35_585_031
    assert [size.label for size in described.sizes] == ["", "SegNet (the paper's baseline)"]
    assert described.loss in described.losses
    assert described.settings["image_size"] == [256, 256]
    assert "ScaleIntensityRanged" in described.intensity_steps[0]


def test_damaged_weights_are_not_copied(tiny_run, tmp_path):
    home = tmp_path / "run"
    shutil.copytree(tiny_run, home)
    weights = home / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        copy_bundle("a_segnet", tmp_path / "copy", run=home)
    assert not (tmp_path / "copy").exists()
