"""All that a device computes, held against the CPU: ``make gpu-check`` names a GPU, without it the CPU stands for one.

Both compute in float32, without TF32, so that they differ by the order of sums alone.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import covid_monai as cm
from covid_monai.files import read_json
from covid_monai.handlers import log
from covid_monai.handlers.seeding import start_from_seed
from covid_monai.inference.mask_record import Backend
from covid_monai.run.export import export_bundle
from covid_monai.run.training import train
from covid_monai.transforms import (
    BatchRandAdjustContrastd,
    BatchRandAffined,
    BatchRandFlipd,
    BatchRandGaussianNoised,
    BatchRandGaussianSmoothd,
    BatchRandScaleIntensityd,
    BatchRandShiftIntensityd,
)
from covid_monai.transforms.counter_random import CounterRandom, mixed
from tests.contract.test_bundles import BUNDLES
from tests.tables.tiny_table import write_table

# together over a minute of a processor
pytestmark = pytest.mark.slow

DEVICE = os.environ.get("CHECKED_DEVICE", "cpu")

NOT_COPIED = {"copy_quarter_turns": [], "copy_scalings": []}
"""Copies lengthen an epoch and show nothing of a device."""

LOSS = {"residual_attention_unet_ct_segmentation": 0.05}
"""By how much a loss may differ, as a share, where it is more than ``LOSS_ELSEWHERE``: hashing puts a pixel into
another bucket where two are equally good."""

LOSS_ELSEWHERE = 0.01


@pytest.fixture(scope="module", autouse=True)
def device_computes_float32() -> Iterator[None]:
    if torch.device(DEVICE).type == "cuda" and not torch.cuda.is_available():
        pytest.fail(f"CHECKED_DEVICE is {DEVICE}, and torch {torch.__version__} sees no GPU")
    with pytest.MonkeyPatch.context() as patch:
        # else a GPU's convolutions have the ten bits of TF32, which the pixels of a network that has hardly learned
        # and the buckets of hashing follow
        patch.setattr(torch.backends.cudnn, "allow_tf32", False)
        yield


def settings_of(bundle: str, **changed: object) -> dict[str, object]:
    small = dict(BUNDLES[bundle])
    small |= {key: value for key, value in NOT_COPIED.items() if key in small}
    return {**small, "epochs": 2, "batch_size": 4, "augmentation": 0.0, "precision": "float32", **changed}


@pytest.fixture(scope="module", params=BUNDLES)
def runs(request, tiny_dataset, tmp_path_factory) -> dict[str, Path]:
    """Each bundle trained alike on the CPU and on the device."""
    folder = tmp_path_factory.mktemp("runs")
    places = {"cpu": "cpu", "device": DEVICE}
    settings = settings_of(request.param)
    return {
        name: train(request.param, tiny_dataset, folder / name, settings=settings, device=place).folder
        for name, place in places.items()
    }


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def bundle_of(run: Path) -> str:
    return str(cm.Run(run).bundle)


def test_training_has_the_same_losses(runs):
    tolerance = LOSS.get(bundle_of(runs["cpu"]), LOSS_ELSEWHERE)
    assert losses(runs["device"]) == pytest.approx(losses(runs["cpu"]), rel=tolerance)


def test_training_by_itself_takes_a_precision_that_the_device_has(runs, tiny_dataset, tmp_path):
    bundle = bundle_of(runs["cpu"])
    settings = settings_of(bundle, precision="auto", epochs=1)
    run = train(bundle, tiny_dataset, tmp_path / "run", settings=settings, device=DEVICE).folder
    assert losses(run) == pytest.approx(losses(runs["cpu"])[:1], rel=0.1)


def test_the_same_weights_have_the_same_scores(runs, tmp_path):
    scores = [
        cm.Run(runs["cpu"]).evaluate(output=tmp_path / name, device=place).frame.query("level == 'slice'")
        for name, place in (("cpu", "cpu"), ("device", DEVICE))
    ]
    for measure in ("dice", "sensitivity", "specificity"):
        np.testing.assert_allclose(scores[1][measure], scores[0][measure], atol=0.02, equal_nan=True)


def test_the_same_weights_give_the_same_probabilities(runs, tiny_dataset):
    slices = [nibabel.load(tiny_dataset / "images" / f"p0_s{index}.nii.gz") for index in range(3)]
    volume = np.concatenate([np.asanyarray(each_slice.dataobj) for each_slice in slices], axis=2)
    ct = (volume, np.diag([-2.0, -2.0, 5.0, 1.0]))
    predictions = [
        cm.load(runs["cpu"], device=place, backend="torch", precision="float32").predict(ct, probability=True)
        for place in ("cpu", DEVICE)
    ]
    assert predictions[1].origin.backend == Backend("torch", torch.__version__, "float32")
    np.testing.assert_allclose(predictions[1].probability, predictions[0].probability, atol=2e-3)


def test_an_interrupted_training_is_resumed_bit_for_bit(runs, tiny_dataset, tmp_path, monkeypatch):
    bundle = bundle_of(runs["cpu"])
    settings = settings_of(bundle, deterministic=True)
    whole = train(bundle, tiny_dataset, tmp_path / "whole", settings=settings, device=DEVICE).folder
    add_loss = log.EpochLog.add_loss

    def interrupted(self, engine):
        add_loss(self, engine)
        if engine.state.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(log.EpochLog, "add_loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(bundle, tiny_dataset, tmp_path / "run", settings=settings, device=DEVICE)
    resumed = train(bundle, tiny_dataset, tmp_path / "run", resume=True, device=DEVICE).folder
    expected, found = (load_file(run / "model.safetensors") for run in (whole, resumed))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_the_device_has_trained_is_exported(runs, tmp_path):
    bundle = bundle_of(runs["device"])
    for agreement in export_bundle(bundle, runs["device"], "torchscript", tmp_path / "network.ts"):
        assert agreement.difference <= agreement.allowed


@pytest.mark.parametrize(
    "transform",
    [
        BatchRandFlipd(["image", "label"], 0.7, 0),
        BatchRandAffined(
            ["image", "label"], 0.7, rotate_range=0.3, scale_range=(0.2, 0.2), mode=["bilinear", "largest_share"]
        ),
        BatchRandScaleIntensityd("image", 0.7, 0.1),
        BatchRandShiftIntensityd("image", 0.7, 0.1),
        BatchRandGaussianNoised("image", 0.7, 0.1),
        BatchRandAdjustContrastd("image", 0.7, (0.5, 2.0)),
        BatchRandGaussianSmoothd("image", 0.7, (0.5, 1.5)),
    ],
    ids=lambda transform: type(transform).__name__,
)
@pytest.mark.parametrize("deterministic", [False, True])
def test_random_transforms_draw_and_change_alike(transform, deterministic):
    start_from_seed(0, deterministic)
    image = torch.nn.functional.avg_pool2d(torch.rand(8, 1, 70, 70), 7, 1)
    batch = {"image": image, "label": (image > 0.5).byte() + (image > 0.55).byte()}
    expected, found = (
        transform({key: values.to(place) for key, values in batch.items()}, CounterRandom(mixed(torch.arange(8))))
        for place in ("cpu", DEVICE)
    )
    assert any(not torch.equal(expected[key], batch[key]) for key in batch)
    assert found["image"].device == torch.device(DEVICE)
    torch.testing.assert_close(found["image"].cpu(), expected["image"], atol=1e-4, rtol=0)
    # a pixel whose two shares are equal but for rounding
    assert (found["label"].cpu() != expected["label"]).sum() <= 2


def test_a_matrix_product_before_does_not_rule_out_deterministic_algorithms():
    code = (
        "import covid_monai, torch\n"
        f"matrix = torch.rand(8, 8, device={DEVICE!r})\n"
        "matrix @ matrix\n"
        "from covid_monai.handlers.seeding import start_from_seed\n"
        "start_from_seed(0, True)\n"
        "print((matrix @ matrix).sum().item())"
    )
    environment = {key: value for key, value in os.environ.items() if key != "CUBLAS_WORKSPACE_CONFIG"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_two_processes_share_the_device(tiny_dataset, tmp_path):
    table = write_table(tmp_path, {})
    shared = ["--device", DEVICE, "--folds", "0", "--seeds", "1", "--protocol", "grouped"]
    shared += ["--per-device", "2"] if DEVICE != "cpu" else ["--workers", "2"]
    command = [sys.executable, "-m", "covid_monai", "reproduce", str(table), "--data", str(tiny_dataset)]
    done = subprocess.run([*command, "-o", str(tmp_path / "out"), *shared], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    records = [read_json(path) for path in (tmp_path / "out").glob("jobs/*/*/*/job.json")]
    assert len(records) == 2
    assert all(record["peak_memory_bytes"] > 0 for record in records)


def test_the_shipped_model_marks_the_same_voxels():
    from tests.lungs.phantom import draw_chest

    chest = draw_chest()
    masks = [
        cm.load(device=place, backend="torch", precision="float32").predict((chest.hu, chest.affine)).mask
        for place in ("cpu", DEVICE)
    ]
    assert masks[0].any()
    assert np.count_nonzero(masks[0] != masks[1]) <= 1e-3 * np.count_nonzero(masks[0])


def test_the_benchmark_measures_the_device(tmp_path):
    file = tmp_path / "speed.json"
    command = [sys.executable, "-m", "covid_monai", "benchmark", "-o", str(file), "--device", DEVICE]
    command += ["--bundle", "au_net", "--size", "64", "--repeats", "1", "--study", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert file.is_file()
