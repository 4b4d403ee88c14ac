import json
import shutil

import nibabel
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from scipy.special import expit, logit
from torch import nn

import covid_monai as cm
from covid_monai.cli import root
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.inference.averaging import AveragedNetwork


def convolution(seed):
    torch.manual_seed(seed)
    return nn.Conv2d(1, 3, 3, padding=1)


SLICES = torch.randn(2, 1, 6, 7, generator=torch.Generator().manual_seed(0))


def test_one_network_is_itself():
    network = convolution(0)
    torch.testing.assert_close(AveragedNetwork([network])(SLICES), network(SLICES), rtol=0, atol=0)


def test_several_networks_are_averaged_logit_by_logit():
    networks = [convolution(seed) for seed in range(3)]
    expected = torch.stack([network(SLICES) for network in networks]).mean(dim=0)
    torch.testing.assert_close(AveragedNetwork(networks)(SLICES), expected)


def test_mirror_images_are_turned_back_before_they_count():
    networks = [convolution(seed) for seed in range(2)]
    views = [network(SLICES) for network in networks]
    views += [network(torch.flip(SLICES, dims=[2])).flip(2) for network in networks]
    averaged = AveragedNetwork(networks, mirrored=True)
    torch.testing.assert_close(averaged(SLICES), torch.stack(views).mean(dim=0))
    # so that a slice and its mirror image are treated alike
    torch.testing.assert_close(averaged(SLICES.flip(2)), averaged(SLICES).flip(2))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(averaged(SLICES.flip(3)), averaged(SLICES).flip(3))


def test_no_network_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        AveragedNetwork([])


@pytest.fixture(scope="module")
def ct(tiny_dataset):
    return nibabel.load(tiny_dataset / "images" / "p0_s0.nii.gz")


@pytest.fixture(scope="module")
def other_run(tiny_run, tmp_path_factory):
    """The run with weights that differ a little."""
    run = shutil.copytree(tiny_run, tmp_path_factory.mktemp("other") / "run")
    weights = {
        name: 1.05 * tensor if tensor.is_floating_point() else tensor
        for name, tensor in load_file(run / "model.safetensors").items()
    }
    save_file(weights, run / "model.safetensors")
    write_json(run / "model.json", {**read_json(run / "model.json"), "sha256": sha256_of(run / "model.safetensors")})
    return run


def test_runs_are_averaged_whatever_their_order(tiny_run, other_run, ct):
    first, second = (
        cm.load(run, device="cpu").predict(ct, probability=True).probability for run in (tiny_run, other_run)
    )
    both = [
        cm.load(runs, device="cpu").predict(ct, probability=True)
        for runs in ([tiny_run, other_run], [other_run, tiny_run])
    ]
    # up to what the way back to the CT's grid makes of a mean of logits instead of probabilities
    logits = [logit(np.clip(p.astype(float), 1e-6, 1 - 1e-6)) for p in (first, second)]
    expected = expit(np.mean(logits, axis=0))
    np.testing.assert_allclose(both[0].probability, expected, atol=0.02)
    assert min(abs(expected - first).max(), abs(expected - second).max()) > 0.04
    np.testing.assert_allclose(both[0].probability, both[1].probability, atol=1e-6)
    assert both[0].origin == both[1].origin != cm.load(tiny_run, device="cpu").origin


def test_a_mirrored_prediction_is_the_same_of_the_mirrored_slice(tiny_run, ct):
    model = cm.load(tiny_run, device="cpu", mirrored=True)
    mirrored = nibabel.Nifti1Image(np.asanyarray(ct.dataobj)[::-1], ct.affine)
    there, back = (model.predict(image, probability=True).probability for image in (ct, mirrored))
    np.testing.assert_allclose(back[::-1], there, atol=1e-4)
    assert model.origin.settings["mirrored"] is True


def test_small_lesions_are_left_out_of_the_mask(tiny_run, ct):
    whole = cm.load(tiny_run, device="cpu").predict(ct).mask
    voxel = abs(np.linalg.det(ct.affine[:3, :3])) / 1000
    assert whole.any()
    larger = voxel * (np.count_nonzero(whole) + 1)
    assert not cm.load(tiny_run, device="cpu", min_volume_ml=larger).predict(ct).mask.any()


def test_runs_that_do_not_belong_together_are_refused(tiny_run, other_run, tmp_path):
    changed = shutil.copytree(other_run, tmp_path / "changed")
    record = read_json(changed / "run.json")
    write_json(changed / "run.json", {**record, "settings": {**record["settings"], "window": [-1000, 500]}})
    with pytest.raises(InputError, match="differ in window; only runs with the same settings are averaged"):
        cm.load([tiny_run, changed])
    with pytest.raises(InputError, match="is given twice"):
        cm.load([tiny_run, tiny_run])
    with pytest.raises(InputError, match="there is no run; give one"):
        cm.load([])


def test_the_command_notes_in_the_record_what_a_mask_is_the_mean_of(tiny_run, other_run, ct, tmp_path):
    nibabel.save(ct, tmp_path / "ct.nii.gz")
    command = ["predict", str(tmp_path / "ct.nii.gz"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    both = [*command, "--run", str(tiny_run), "--run", str(other_run), "--mirrored", "--min-volume-ml", "0.002"]
    assert CliRunner().invoke(root, both).exit_code == 0
    record = json.loads((tmp_path / "out" / "ct.json").read_text())
    assert record["weights_sha256"].count("+") == 1
    assert record["settings"] == {"intensity": "checked", "mirrored": True, "min_volume_ml": 0.002}
    assert "kept, it was done before" in CliRunner().invoke(root, both).output
    alone = CliRunner().invoke(root, [*command, "--run", str(tiny_run)])
    assert alone.exit_code == 1
    assert "made otherwise or changed since; give --overwrite" in alone.output


def test_the_command_refuses_a_volume_that_is_none(tiny_run, ct, tmp_path):
    nibabel.save(ct, tmp_path / "ct.nii.gz")
    command = ["predict", str(tmp_path / "ct.nii.gz"), "-o", str(tmp_path / "out"), "--run", str(tiny_run)]
    result = CliRunner().invoke(root, [*command, "--min-volume-ml", "-1"])
    assert result.exit_code == 1
    assert "--min-volume-ml is -1.0; give a volume in mL" in result.output
