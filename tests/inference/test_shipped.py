"""The model that the package brings along."""

import shutil
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

import covid_monai as cm
from covid_monai.catalog.bundles import bundle_folder
from covid_monai.cli.root import root
from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.lungs import box_to_crop
from covid_monai.run import trained
from tests.lungs.phantom import draw_chest

pytestmark = pytest.mark.skipif(
    not (bundle_folder("covid_lesion") / "models" / "model.safetensors").is_file(),
    reason="this checkout has no weights of the shipped model",
)

LICENCE = "CC BY-NC-SA 4.0"


@pytest.fixture(scope="module")
def chest(tmp_path_factory):
    """A drawn chest, as a file."""
    drawn = draw_chest()
    file = tmp_path_factory.mktemp("chest") / "images" / "chest.nii.gz"
    file.parent.mkdir()
    nibabel.save(nibabel.Nifti1Image(drawn.hu.astype(np.int16), drawn.affine), file)
    return drawn, file


@pytest.fixture(scope="module")
def prediction(chest):
    return cm.load(device="cpu").predict(chest[1], probability=True)


def test_without_a_run_it_is_loaded_and_tells_its_classes_and_terms():
    model = cm.load(device="cpu")
    assert model.bundle == "covid_lesion_ct_segmentation"
    assert model.class_names == ["background", "ground-glass", "consolidation"]
    assert LICENCE in model.origin.terms
    assert model.origin.weights == read_json(trained.shipped_weights() / "model.json")["sha256"]


def test_its_weights_are_small_and_of_half_precision_beside_their_licence():
    folder = trained.shipped_weights()
    assert (folder / "model.safetensors").stat().st_size <= 15e6
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.float16}
    licence = (folder / "LICENSE").read_text()
    for source in (LICENCE, "13521488", "13521509", "3757476", "research only"):
        assert source in licence


def test_weights_that_were_exchanged_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    shutil.copytree(trained.shipped_weights(), folder)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    monkeypatch.setattr(trained, "shipped_weights", lambda: folder)
    with pytest.raises(InputError, match="damaged or was exchanged"):
        cm.load()


def test_what_lies_outside_of_the_lungs_box_is_no_lesion(chest, prediction):
    drawn, _ = chest
    box = box_to_crop(drawn.hu, drawn.affine, "chest")
    outside = np.ones(drawn.hu.shape, bool)
    outside[box] = False
    assert outside.any()
    assert prediction.mask.shape == drawn.hu.shape
    assert not prediction.mask[outside].any()
    assert prediction.probability[outside].max() < 0.5
    assert 0 < prediction.probability.max() <= 1


def test_monais_own_command_gives_the_same_mask_voxel_for_voxel(chest, prediction, tmp_path):
    bundle = bundle_folder("covid_lesion")
    words = ["--config_file", str(bundle / "configs" / "inference.yaml"), "--bundle_root", str(bundle)]
    words += ["--dataset_dir", str(chest[1].parent), "--output_dir", str(tmp_path), "--device", "cpu"]
    subprocess.run([sys.executable, "-m", "monai.bundle", "run", *words], check=True, capture_output=True)
    mask = np.asanyarray(nibabel.load(tmp_path / "chest.nii.gz").dataobj)
    assert np.array_equal(mask, prediction.mask)


def test_predict_without_a_run_takes_it_and_notes_the_terms(chest, prediction, tmp_path):
    done = CliRunner().invoke(root, ["predict", str(chest[1]), "-o", str(tmp_path), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert LICENCE in read_json(tmp_path / "chest.json")["terms"]
    assert np.array_equal(np.asanyarray(nibabel.load(tmp_path / "chest.nii.gz").dataobj), prediction.mask)


def test_bundle_show_tells_the_terms():
    done = CliRunner().invoke(root, ["bundle", "show", "covid_lesion"])
    assert done.exit_code == 0, done.output
    assert LICENCE in done.output
    assert "Apache-2.0" in done.output


def test_a_training_can_begin_with_it(tiny_dataset, tmp_path):
    settings = {"image_size": [32, 32], "epochs": 1, "batch_size": 4, "learning_rate": 1e-9}
    run = cm.train("covid_lesion", tiny_dataset, tmp_path / "run", settings=settings, init="shipped")
    shipped, tuned = load_file(trained.shipped_weights() / "model.safetensors"), load_file(run.weights)
    for name, values in shipped.items():
        torch.testing.assert_close(tuned[name], values.float(), atol=1e-5, rtol=0)


def test_its_weights_fit_no_other_network(tiny_dataset, tmp_path):
    with pytest.raises(InputError, match="do not fit this network"):
        cm.train("a_segnet", tiny_dataset, tmp_path / "run", init="shipped")
