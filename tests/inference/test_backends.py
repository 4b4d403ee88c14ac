"""What computes a network: each back end against torch in float32, and what becomes of one that cannot be used."""

import json
import shutil
import signal
import subprocess
from importlib.metadata import version
from importlib.util import find_spec

import nibabel
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import covid_monai as cm
from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import build_workflow
from covid_monai.cli.root import root
from covid_monai.errors import InputError, InputWarning
from covid_monai.files import read_json
from covid_monai.inference import openvino_trial
from covid_monai.inference.averaging import AveragedNetwork
from covid_monai.inference.mask_record import Backend

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")

PROBABILITY = {"float32": 1e-3, "bfloat16": 0.2}
"""The largest difference from torch's float32 that is allowed in the probability of lesion; docs/performance.md."""
MEAN_PROBABILITY = {"float32": 1e-5, "bfloat16": 1e-3}
DICE = {"float32": 0.999, "bfloat16": 0.97}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "covid-monai" / "openvino"


@pytest.fixture
def installed(monkeypatch):
    """OpenVINO counts as installed where it is."""
    monkeypatch.setattr("covid_monai.environment.openvino_version", lambda: version("openvino"))


@pytest.fixture
def pretended(monkeypatch):
    """OpenVINO counts as installed anywhere; a trial comes out as the returned function is told."""
    monkeypatch.setattr("covid_monai.environment.openvino_version", lambda: "2026.0.0")

    def comes_out(**trial):
        monkeypatch.setattr(openvino_trial, "kept_trial", lambda *_: openvino_trial.Trial(**trial))

    return comes_out


@pytest.fixture(scope="module")
def ct(tiny_dataset):
    """Three slices as a volume."""
    slices = [nibabel.load(tiny_dataset / "images" / f"p0_s{index}.nii.gz") for index in range(3)]
    return np.concatenate([each.get_fdata() for each in slices], axis=2), slices[0].affine


def dice(first, second):
    first, second = first > 0, second > 0
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


@needs_openvino
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_openvino_agrees_with_torch_in_float32(precision, tiny_run, ct, installed):
    try:
        model = cm.load(tiny_run, backend="openvino", precision=precision)
    except InputError as error:
        if precision == "bfloat16" and "on this processor" in str(error):
            pytest.skip(str(error))
        raise
    assert model.backend == Backend("openvino", version("openvino"), precision)
    found, expected = (
        model.predict(ct, probability=True),
        cm.load(tiny_run, device="cpu", backend="torch", precision="float32").predict(ct, probability=True),
    )
    difference = np.abs(found.probability - expected.probability)
    # it has computed, and torch has not
    assert difference.max() > 0
    assert difference.max() <= PROBABILITY[precision]
    assert dice(found.mask, expected.mask) >= DICE[precision]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        ("torch", "bfloat16"),
        pytest.param("openvino", "float32", marks=needs_openvino),
        pytest.param("openvino", "bfloat16", marks=needs_openvino),
    ],
)
def test_each_back_end_agrees_with_torch_in_float32_on_real_slices(
    backend, precision, tiny_run, shared_data, installed
):
    image = nibabel.load(shared_data / "coronacases_001" / "ct.nii.gz")
    middle = image.shape[2] // 2
    part = np.asarray(image.dataobj[..., middle - 20 : middle + 20 : 4], dtype=np.float32)
    try:
        model = cm.load(tiny_run, device="cpu", backend=backend, precision=precision)
    except InputError as error:
        if precision == "bfloat16" and "on this processor" in str(error):
            pytest.skip(str(error))
        raise
    found = model.predict((part, image.affine), probability=True)
    reference = cm.load(tiny_run, device="cpu", backend="torch", precision="float32")
    expected = reference.predict((part, image.affine), probability=True)
    difference = np.abs(found.probability - expected.probability)
    print(
        f"{backend} {precision}: {difference.max():.2g} {difference.mean():.2g} {dice(found.mask, expected.mask):.5f}"
    )
    assert np.count_nonzero(expected.mask) > 1000
    assert difference.max() <= PROBABILITY[precision]
    assert difference.mean() <= MEAN_PROBABILITY[precision]
    assert dice(found.mask, expected.mask) >= DICE[precision]


@needs_openvino
@pytest.mark.slow
@pytest.mark.parametrize("bundle", [name for name in bundle_names() if "residual" not in name])
def test_networks_of_bundles_are_the_same_in_openvino_mirrored_and_for_fewer_images(bundle):
    from covid_monai.inference.openvino_network import OpenVinoNetwork, compile_network, convert_network

    torch.manual_seed(0)
    workflow = build_workflow(bundle_folder(bundle), "inference", {"image_size": [96, 80]})
    workflow.initialize()
    network = AveragedNetwork([workflow.network_def.eval()], mirrored=True).eval()
    converted = OpenVinoNetwork(compile_network(convert_network(network, (4, 1, 96, 80)), "float32", 1))
    for count in (4, 1, 3):
        images = torch.rand(count, 1, 96, 80)
        with torch.inference_mode():
            torch.testing.assert_close(converted(images), network(images), rtol=1e-4, atol=1e-4)


@needs_openvino
def test_a_network_that_openvino_lacks_the_operations_for_is_refused_or_left_to_torch(installed, cache):
    class Odd(nn.Module):
        def forward(self, images):
            return torch.logaddexp2(images, images)

    trial = openvino_trial.kept_trial(
        Odd(), Odd(), (2, 1, 8, 8), {"precision": "float32", "threads": 1, "openvino": ""}
    )
    assert "logaddexp2" in trial.reason
    assert [json.loads(file.read_text())["reason"] for file in cache.iterdir()] == [trial.reason]


@needs_openvino
def test_a_trial_is_made_once_for_a_network_and_again_for_other_weights_sizes_and_precisions(cache, monkeypatch):
    runs, run = [], subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: runs.append(given) or run(*given, **options))
    subject = {"precision": "float32", "threads": 1, "openvino": version("openvino")}
    torch.manual_seed(0)
    networks = [nn.Conv2d(1, 2, 3, padding=1).eval() for _ in range(2)]
    first = openvino_trial.kept_trial(networks[0], networks[0], (2, 1, 8, 8), subject)
    assert first.reason is None
    assert first.openvino > 0
    assert first.torch > 0
    assert openvino_trial.kept_trial(networks[0], networks[0], (2, 1, 8, 8), subject) == first
    assert len(runs) == 1
    openvino_trial.kept_trial(networks[1], networks[1], (2, 1, 8, 8), subject)
    openvino_trial.kept_trial(networks[0], networks[0], (2, 1, 8, 9), subject)
    openvino_trial.kept_trial(networks[0], networks[0], (2, 1, 8, 8), {**subject, "openvino": "other"})
    assert len(runs) == 4
    assert len(list(cache.iterdir())) == 4


@needs_openvino
@pytest.mark.parametrize(("status", "kept"), [(-signal.SIGFPE, True), (-signal.SIGKILL, False), (1, True)])
def test_a_trial_that_ends_its_process_says_so(status, kept, cache, monkeypatch):
    ended = subprocess.CompletedProcess([], status, "", "Traceback\nRuntimeError: no such device\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    network = nn.Conv2d(1, 2, 1).eval()
    subject = {"precision": "float32", "threads": 1, "openvino": ""}
    trial = openvino_trial.kept_trial(network, network, (2, 1, 8, 8), subject)
    assert (signal.Signals(-status).name if status < 0 else "no such device") in trial.reason
    assert cache.exists() == kept


@needs_openvino
def test_a_conversion_that_computes_something_else_is_not_used(monkeypatch):
    network, other = (nn.Conv2d(1, 2, 1).eval().requires_grad_(False) for _ in range(2))
    nn.init.constant_(network.bias[:1], 5)
    nn.init.constant_(other.bias[1:], 5)
    convert = openvino_trial.convert_network
    monkeypatch.setattr(openvino_trial, "convert_network", lambda _, shape: convert(other, shape))
    trial = openvino_trial.kept_trial(
        network, network, (2, 1, 8, 8), {"precision": "float32", "threads": 1, "openvino": ""}
    )
    assert "from torch's" in trial.reason


def test_auto_falls_back_to_torch_with_a_warning_and_openvino_is_one_error(tiny_run, pretended):
    pretended(reason="the process was ended by SIGFPE", place="/cache/trial.json")
    with pytest.warns(InputWarning, match="SIGFPE.*torch computes the network"):
        model = cm.load(tiny_run, device="cpu")
    assert model.backend.name == "torch"
    with pytest.raises(InputError, match=r"SIGFPE; remove /cache/trial.json to try again"):
        cm.load(tiny_run, backend="openvino")


def test_auto_stays_with_torch_where_that_is_faster(tiny_run, pretended, recwarn):
    pretended(reason=None, openvino=2.0, torch=1.0, place="/cache/trial.json")
    assert cm.load(tiny_run, device="cpu").backend.name == "torch"
    assert not [each for each in recwarn if each.category is InputWarning]


def test_auto_does_not_choose_by_a_trial_that_cannot_be_kept(tiny_run, pretended):
    pretended(reason=None, openvino=1.0, torch=2.0)
    with pytest.warns(InputWarning, match="cache cannot be written"):
        assert cm.load(tiny_run, device="cpu").backend.name == "torch"


@needs_openvino
def test_auto_takes_openvino_where_that_is_faster(tiny_run, pretended):
    pretended(reason=None, openvino=1.0, torch=2.0, place="/cache/trial.json")
    model = cm.load(tiny_run, device="cpu", precision="float32")
    assert model.backend == Backend("openvino", "2026.0.0", "float32")


def test_without_openvino_auto_is_torch_and_asking_for_it_says_what_to_install(tiny_run):
    model = cm.load(tiny_run, device="cpu")
    assert (model.backend.name, model.backend.version) == ("torch", torch.__version__)
    with pytest.raises(InputError, match=r'pip install "covid-monai\[openvino\]"'):
        cm.load(tiny_run, backend="openvino")


@pytest.mark.parametrize("options", [{"backend": "onnx"}, {"precision": "float16"}])
def test_unknown_back_ends_and_precisions_are_refused(options, tiny_run):
    with pytest.raises(InputError, match="it can be one of"):
        cm.load(tiny_run, **options)


def test_precision_is_that_asked_for_and_stands_in_the_record(tiny_run, ct, tmp_path):
    model = cm.load(tiny_run, device="cpu", precision="float32", settings={"precision": "bfloat16"})
    mask = model.predict(ct).save(tmp_path / "mask.nii.gz")
    record = read_json(mask.with_name("mask.json"))
    assert record["backend"] == {"name": "torch", "version": torch.__version__, "precision": "float32"}
    assert "precision" not in record["settings"]


def test_a_mask_made_in_another_precision_is_made_otherwise(tiny_run, tiny_dataset, tmp_path):
    image, out = tiny_dataset / "images" / "p0_s0.nii.gz", tmp_path / "masks"

    def predict(*options):
        command = ["predict", str(image), "-o", str(out), "--run", str(tiny_run), "--device", "cpu", *options]
        return CliRunner().invoke(root, command)

    assert predict("--precision", "float32").exit_code == 0
    assert "kept" in predict("--precision", "float32", "--backend", "torch").output
    other = predict("--precision", "bfloat16")
    assert other.exit_code == 1
    assert "made otherwise" in other.output
    # a record of a release that had torch alone
    record = read_json(out / "p0_s0.json")
    del record["backend"]
    (out / "p0_s0.json").write_text(json.dumps(record))
    assert "kept" in predict("--precision", "bfloat16").output
    shutil.rmtree(out)


def test_a_record_of_another_back_end_is_told_from_ones_own():
    torchs, openvinos = Backend("torch", "2.13", "float32"), Backend("openvino", "2026.4", "float32")
    of_torch = {"backend": {"name": "torch", "version": "2.10", "precision": "float32"}}
    assert torchs.made(of_torch)
    assert not openvinos.made(of_torch)
    assert torchs.made({})
    assert not openvinos.made({})


def test_a_refusal_says_which_back_end_made_what_is_there():
    ours = Backend("openvino", "2026.4.1", "float32")
    assert ours.unlike({"backend": {"name": "openvino", "version": "2025.2", "precision": "float32"}}) == ""
    told = ours.unlike({"backend": {"name": "torch", "version": "2.13.0", "precision": "bfloat16"}})
    assert "computed by torch in bfloat16, now it would be openvino in float32" in told
