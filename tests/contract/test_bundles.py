"""What every bundle must do. A new architecture passes by adding its name and small settings to ``BUNDLES``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import build_workflow, config_files, known_settings, read_config
from covid_monai.catalog.describe import DESCRIPTION_FILE, describe_bundle, store_description, verify_bundle
from covid_monai.run.copy import copy_bundle
from covid_monai.run.export import FORMATS, export_network
from covid_monai.run.training import train
from tests.handlers.processes import log_of, train_in_processes

BUNDLES = {
    "a_segnet_ct_segmentation": {"channels": [4, 4, 8, 8, 8], "image_size": [64, 64]},
    "au_net_ct_segmentation": {"channels": [4, 8, 8, 8, 8], "image_size": [64, 64]},
    "covid_lesion_ct_segmentation": {"channels": [4, 8, 8, 8, 8], "image_size": [64, 64]},
    "residual_attention_unet_ct_segmentation": {
        "channels": [4, 8, 16, 32, 64],
        "cardinality": 2,
        "attention_heads": 2,
        "attention_rounds": 2,
        "attention_chunk": 16,
        "image_size": [65, 65],
        "copy_quarter_turns": [1],
        "copy_scalings": [0.5],
    },
    "unet_ct_segmentation": {
        "channels": [4, 4, 8, 8, 8],
        "image_size": [65, 65],
        "copy_quarter_turns": [],
        "copy_scalings": [],
    },
}
"""Bundle names, and settings with which each is small enough for a test."""

ROUNDED = {"covid_lesion_ct_segmentation": 1e-2, "residual_attention_unet_ct_segmentation": 1e-3}
"""Bundles whose first loss differs by more than 1e-5 in two processes, and by how much at most: an overlap over the
batch is over each process's share of it, and hashing puts a pixel into another bucket where two are equally good."""

TRACED = {"residual_attention_unet_ct_segmentation"}
"""Bundles whose network TorchScript has to trace, as its language lacks what the network is written in."""

SHORT = {"epochs": 1, "batch_size": 4}


@pytest.fixture(scope="module", params=BUNDLES)
def bundle(request) -> Path:
    return bundle_folder(request.param)


@pytest.fixture(scope="module")
def small(bundle) -> dict:
    return BUNDLES[bundle.name]


@pytest.fixture(scope="module")
def run(bundle, small, tiny_dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(bundle.name) / "run"
    return train(bundle.name, tiny_dataset, folder, settings={**small, **SHORT}).folder


def network_of(bundle: Path, settings: dict) -> torch.nn.Module:
    torch.manual_seed(0)
    known = known_settings(bundle, "inference", settings)
    workflow = build_workflow(bundle, "inference", {**known, "device": "$torch.device('cpu')"})
    workflow.initialize()
    return workflow.network_def.eval()


def test_every_bundle_of_the_package_is_held_to_the_contract():
    assert sorted(BUNDLES) == bundle_names()


def test_metadata_and_network_are_as_monai_asks(bundle):
    assert verify_bundle(bundle.name) == []


def test_metadata_names_this_version_of_the_package(bundle):
    import covid_monai

    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert metadata["required_packages_version"]["covid-monai"] == covid_monai.__version__
    assert metadata["version"] in metadata["changelog"]


def test_training_workflow_has_all_properties_and_runs(bundle, small, tiny_dataset, tmp_path):
    settings = {"dataset_dir": str(tiny_dataset), "output_dir": str(tmp_path), **small, **SHORT}
    workflow = build_workflow(bundle, "train", settings)
    workflow.initialize()
    assert workflow.check_properties() == []
    workflow.run()
    workflow.finalize()
    assert (tmp_path / "model.safetensors").is_file()


def test_evaluation_workflow_has_all_properties_and_runs(bundle, small, run, tiny_dataset, tmp_path):
    settings = {
        "dataset_dir": str(tiny_dataset),
        "output_dir": str(run),
        "evaluation_dir": str(tmp_path),
        **small,
    }
    workflow = build_workflow(bundle, "evaluate", settings)
    workflow.initialize()
    assert workflow.check_properties() == []
    workflow.run()
    workflow.finalize()
    assert (tmp_path / "scores.json").is_file()


def test_inference_workflow_has_all_properties_and_keeps_the_grid(bundle, small, run, tiny_dataset, tmp_path):
    settings = {
        "dataset_dir": str(tiny_dataset / "images"),
        "output_dir": str(tmp_path),
        "checkpoint": str(run / "model.safetensors"),
        **known_settings(bundle, "inference", small),
    }
    workflow = build_workflow(bundle, "inference", settings)
    workflow.initialize()
    assert workflow.check_properties() == []
    workflow.run()
    workflow.finalize()
    images = sorted((tiny_dataset / "images").iterdir())
    for image in images:
        mask, original = nibabel.load(tmp_path / image.name), nibabel.load(image)
        assert mask.shape == original.shape
        np.testing.assert_allclose(mask.affine, original.affine)
        assert mask.get_data_dtype() == np.uint8


@pytest.mark.slow
def test_monais_own_command_trains_it(bundle, small, tiny_dataset, tmp_path):
    settings = {"dataset_dir": str(tiny_dataset), "output_dir": str(tmp_path), **small, **SHORT}
    (file,) = config_files(bundle, "train")
    command = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(bundle), "--config_file", file]
    for key, value in settings.items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.parametrize("kind", ["evaluate", "inference"])
def test_monais_own_function_evaluates_it_and_predicts(bundle, small, run, tiny_dataset, tmp_path, kind):
    import monai.bundle

    monai.bundle.run(
        bundle_root=str(bundle),
        config_file=config_files(bundle, kind),
        dataset_dir=str(tiny_dataset / "images" if kind == "inference" else tiny_dataset),
        output_dir=str(tmp_path),
        checkpoint=str(run / "model.safetensors"),
        **known_settings(bundle, kind, small),
    )
    written = {"evaluate": "evaluation/test/scores.csv", "inference": "p0_s0.nii.gz"}
    assert (tmp_path / written[kind]).is_file()


@pytest.mark.slow
def test_two_processes_train_as_one_at_the_same_global_batch(bundle, small, tiny_dataset, tmp_path):
    # three cases to train on, and three to validate on: the two processes' shares are uneven
    settings = {**small, "epochs": 2, "precision": "float32"}
    train_in_processes(bundle, tiny_dataset, tmp_path / "two", {**settings, "batch_size": 1})
    train(bundle.name, tiny_dataset, tmp_path / "single", settings={**settings, "batch_size": 2})
    # float32 rounds sums in another order, and training amplifies that: tests/handlers/test_data_parallel.py has more
    loss, dice = (
        list(zip(log_of(tmp_path / "two", key), log_of(tmp_path / "single", key), strict=True))
        for key in ("loss", "validation_dice")
    )
    assert loss[0][0] == pytest.approx(loss[0][1], rel=ROUNDED.get(bundle.name, 1e-5))
    assert loss[1][0] == pytest.approx(loss[1][1], rel=10 * ROUNDED.get(bundle.name, 1e-4))
    assert dice[0][0] == pytest.approx(dice[0][1], abs=10 * ROUNDED.get(bundle.name, 1e-4))


def test_training_and_inference_share_network_and_deterministic_chain(bundle):
    training, inference = read_config(bundle, "train"), read_config(bundle, "inference")
    assert training["network_def"] == inference["network_def"]
    for name in ("window", "normalize_slices", "image_size", "class_names", *_references(training["network_def"])):
        assert training[name] == inference[name], name
    assert _for_the_image(training["deterministic_transforms"]) == _for_the_image(
        inference["preprocessing"]["transforms"]
    )


def test_evaluation_and_inference_share_inferer_and_what_follows_it(bundle):
    evaluation, inference = read_config(bundle, "evaluate"), read_config(bundle, "inference")
    for part in ("inferer", "postprocessing", "roi_size", "overlap"):
        assert evaluation[part] == inference[part], part


def test_classes_are_the_same_in_metadata_and_configuration(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    outputs = metadata["network_data_format"]["outputs"]["pred"]
    names = read_config(bundle, "train")["class_names"]
    assert list(outputs["channel_def"].values()) == names
    assert outputs["num_channels"] == len(names)


@pytest.mark.parametrize("size", [(64, 64), (369, 369), (65, 97)])
def test_any_input_size_is_taken(bundle, small, size):
    network = network_of(bundle, small)
    with torch.inference_mode():
        assert network(torch.rand(1, 1, *size)).shape[2:] == size


def test_weights_survive_saving_and_loading(bundle, small, run):
    from covid_monai.weights import load_weights, save_weights

    trained = load_weights(network_of(bundle, small), run / "model.safetensors")
    save_weights(run / "again.safetensors", trained)
    again = load_weights(network_of(bundle, small), run / "again.safetensors")
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.equal(trained.eval()(image), again.eval()(image))


def test_training_repeats_to_the_bit(bundle, small, run, tiny_dataset, tmp_path):
    again = train(bundle.name, tiny_dataset, tmp_path / "run", settings={**small, **SHORT}).folder
    assert (again / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_a_copy_has_the_weights_that_monais_tools_expect_and_the_settings_that_fit_them(bundle, small, run, tmp_path):
    folder = copy_bundle(bundle.name, tmp_path / bundle.name, run=run)
    for kind in ("train", "inference"):
        copied, original = read_config(folder, kind), read_config(bundle, kind)
        assert {key: copied[key] for key in small if key in original} == {
            key: value for key, value in small.items() if key in original
        }
    state = torch.load(folder / "models" / "model.pt", weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())


@pytest.mark.slow
def test_torchscript_export_by_monais_command_agrees_with_eager(bundle, small, run, tmp_path):
    from monai.bundle import ckpt_export

    from covid_monai.weights import load_weights

    folder = copy_bundle(bundle.name, tmp_path / bundle.name, run=run)
    exported = tmp_path / "model.ts"
    ckpt_export(
        net_id="network_def",
        filepath=str(exported),
        ckpt_file=str(folder / "models" / "model.pt"),
        meta_file=str(folder / "configs" / "metadata.json"),
        config_file=str(folder / "configs" / "inference.yaml"),
        **({"use_trace": True, "input_shape": [2, 1, 70, 80]} if bundle.name in TRACED else {}),
    )
    image = torch.rand(1, 1, 64, 96)
    eager = load_weights(network_of(bundle, known_settings(bundle, "inference", small)), run / "model.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(torch.jit.load(exported)(image), eager(image), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", FORMATS)
def test_an_export_of_any_batch_height_and_width_agrees_with_eager(bundle, small, tmp_path, file_format):
    network, file = network_of(bundle, known_settings(bundle, "inference", small)), tmp_path / "network"
    export_network(network, 1, FORMATS[file_format], file)
    exported = FORMATS[file_format].read(file)
    for size in ((1, 1, 33, 33), (3, 1, 65, 97), (2, 1, 96, 64)):
        image = torch.rand(size)
        with torch.inference_mode():
            torch.testing.assert_close(exported(image), network(image), atol=1e-4, rtol=0)


def test_description_counts_the_networks_parameters(bundle):
    described = describe_bundle(bundle.name)
    assert described.parameters == sum(parameter.numel() for parameter in network_of(bundle, {}).parameters())
    assert "epochs" in described.settings


def test_the_stored_description_is_what_is_computed_now(bundle, tmp_path):
    copied = tmp_path / bundle.name
    shutil.copytree(bundle, copied)
    store_description(copied)
    stored, now = ((folder / "configs" / DESCRIPTION_FILE).read_text() for folder in (bundle, copied))
    assert stored == now, f"make it again: covid_monai.catalog.describe.store_description({bundle})"


def test_a_bundle_without_a_file_is_found_wanting(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "bundle")
    (tmp_path / "bundle" / "LICENSE").unlink()
    assert verify_bundle(str(tmp_path / "bundle")) == ["LICENSE is missing"]


def test_a_bundle_with_wrong_metadata_is_found_wanting(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "bundle")
    file = tmp_path / "bundle" / "configs" / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": "one"}))
    (problem,) = verify_bundle(str(tmp_path / "bundle"))
    assert problem.startswith("metadata: ")


def _references(definition: dict) -> list[str]:
    texts = [value for value in definition.values() if isinstance(value, str) and value.startswith("@")]
    return [text.removeprefix("@") for text in texts]


OF_OTHER_FILES = ("orientation", "grid_tolerance")
"""Settings of the reader that prepared data need none of."""


def _for_the_image(transforms: list[dict]) -> list[dict]:
    """The steps that touch the image, as they act on it alone; who vouches for its intensities may differ."""
    steps = []
    for transform in transforms:
        keys = transform["keys"]
        if "image" not in (keys if isinstance(keys, list) else [keys]):
            continue
        step = {key: value for key, value in transform.items() if key != "keys"}
        # prepared data say how they lie, other files may not
        if "reader" in step:
            step["reader"] = {key: value for key, value in step["reader"].items() if key not in OF_OTHER_FILES}
        if isinstance(step.get("mode"), list):
            step["mode"] = step["mode"][0]
        steps.append(step)
    return steps
