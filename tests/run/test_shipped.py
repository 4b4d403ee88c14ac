"""Where a run can be the weights that the package brings along, and an installation has none."""

import pytest

import covid_monai as cm
from covid_monai.errors import InputError
from covid_monai.run import trained
from covid_monai.run.copy import copy_bundle


@pytest.fixture
def without_weights(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(trained, "bundle_folder", lambda _: tmp_path)


@pytest.mark.usefixtures("without_weights")
def test_without_its_weights_the_way_to_others_is_told(tiny_dataset, tmp_path):
    message = "has no weights of covid_lesion_ct_segmentation: give the `run` of a training"
    with pytest.raises(InputError, match=message):
        cm.load()
    with pytest.raises(InputError, match=message):
        cm.train("covid_lesion", tiny_dataset, tmp_path / "run", init="shipped")
    assert not (tmp_path / "run").exists()


def test_a_copy_with_a_runs_weights_keeps_nothing_of_those_that_the_bundle_has(tiny_dataset, tmp_path):
    settings = {"image_size": [32, 32], "epochs": 1, "batch_size": 4, "channels": [4, 4, 8], "heads": 2}
    run = cm.train("covid_lesion", tiny_dataset, tmp_path / "run", settings=settings)
    copied = copy_bundle("covid_lesion", tmp_path / "mine", run=run.folder)
    assert {file.name for file in (copied / "models").iterdir()} == {"model.safetensors", "model.pt"}
    whole = copy_bundle("covid_lesion", tmp_path / "whole")
    assert (whole / "models" / "LICENSE").is_file()
