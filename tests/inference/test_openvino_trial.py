"""The trial of a network with OpenVINO, and what the user's cache keeps of it."""

import json
import shutil
import signal
import subprocess

import pytest
import torch
from torch import nn

import covid_monai as cm
from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import build_workflow
from covid_monai.errors import InputWarning
from covid_monai.inference import openvino_cache, openvino_network, openvino_trial
from covid_monai.inference.averaging import AveragedNetwork
from covid_monai.inference.openvino_cache import kept_network, subject_of
from covid_monai.inference.openvino_network import OpenVinoNetwork, compile_network, convert_network

pytestmark = pytest.mark.usefixtures("installed")

SHAPE = (2, 1, 8, 8)


@pytest.fixture
def processes(monkeypatch):
    """Those of trials so far."""
    runs, run = [], subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: runs.append(given) or run(*given, **options))
    return runs


@pytest.fixture
def conversions(monkeypatch):
    """Those so far, by the shapes of their images."""
    shapes, convert = [], openvino_network.convert_network
    monkeypatch.setattr(
        openvino_network, "convert_network", lambda network, shape: shapes.append(shape) or convert(network, shape)
    )
    return shapes


@pytest.fixture
def unwritable(cache):
    """The user's cache lies in a file, which nobody can write a folder into, whatever the rights."""
    cache.parent.parent.mkdir()
    cache.parent.touch()


def subject(network, shape=SHAPE, openvino="2026.0"):
    return subject_of(network, shape, precision="float32", threads=1, openvino=openvino, quantised=None)


def trial_of(network, shape=SHAPE, openvino="2026.0", converted=None):
    about = subject(network, shape, openvino)
    return openvino_trial.kept_trial(network, network, lambda: convert_network(converted or network, shape), about)


def small_network():
    return nn.Conv2d(1, 2, 3, padding=1).eval().requires_grad_(False)


@pytest.mark.slow
@pytest.mark.parametrize("bundle", [name for name in bundle_names() if "residual" not in name])
def test_networks_of_bundles_are_the_same_in_openvino_mirrored_and_for_fewer_images(bundle):
    torch.manual_seed(0)
    workflow = build_workflow(bundle_folder(bundle), "inference", {"image_size": [96, 80]})
    workflow.initialize()
    network = AveragedNetwork([workflow.network_def.eval()], mirrored=True).eval()
    converted = OpenVinoNetwork(compile_network(convert_network(network, (4, 1, 96, 80)), "float32", 1))
    for count in (4, 1, 3):
        images = torch.rand(count, 1, 96, 80)
        with torch.inference_mode():
            torch.testing.assert_close(converted(images), network(images), rtol=1e-4, atol=1e-4)


def test_a_network_that_openvino_lacks_the_operations_for_is_refused_or_left_to_torch(cache):
    class Odd(nn.Module):
        def forward(self, images):
            return torch.logaddexp2(images, images)

    trial = trial_of(Odd())
    assert "logaddexp2" in trial.reason
    assert [json.loads(file.read_text())["reason"] for file in cache.iterdir()] == [trial.reason]


def test_a_trial_is_made_once_for_a_network_and_again_for_other_weights_sizes_and_versions(cache, processes):
    torch.manual_seed(0)
    networks = [small_network() for _ in range(2)]
    first = trial_of(networks[0])
    assert first.reason is None
    assert first.openvino > 0
    assert first.torch > 0
    assert trial_of(networks[0]) == first
    assert len(processes) == 1
    trial_of(networks[1])
    trial_of(networks[0], (2, 1, 8, 9))
    trial_of(networks[0], openvino="other")
    assert len(processes) == 4
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize(("status", "kept"), [(-signal.SIGFPE, True), (-signal.SIGKILL, False), (1, True)])
def test_a_trial_that_ends_its_process_says_so(status, kept, cache, monkeypatch):
    ended = subprocess.CompletedProcess([], status, "", "Traceback\nRuntimeError: no such device\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    trial = trial_of(small_network())
    assert (signal.Signals(-status).name if status < 0 else "no such device") in trial.reason
    assert cache.exists() == kept


def test_a_conversion_that_computes_something_else_is_not_used():
    network, other = small_network(), small_network()
    nn.init.constant_(network.bias[:1], 5)
    nn.init.constant_(other.bias[1:], 5)
    assert "from torch's" in trial_of(network, converted=other).reason


def loaded(run):
    """A model that OpenVINO computes, and its logits of some images."""
    model = cm.load(run, backend="openvino", precision="float32")
    assert model.backend.name == "openvino"
    size = model._segmenter.inferer.inferer.roi_size
    return model._segmenter.logits(torch.rand(2, 1, *size[:2], generator=torch.Generator().manual_seed(0)))


def test_the_first_start_converts_a_network_once_and_the_next_one_takes_what_was_compiled(
    tiny_run, conversions, processes
):
    first = loaded(tiny_run)
    assert len(conversions) == 1
    assert torch.equal(loaded(tiny_run), first)
    assert (len(conversions), len(processes)) == (1, 1)


@pytest.fixture
def compiled():
    """A function that compiles a network through the cache, and gives its logits and how often it was converted."""
    images = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))

    def logits(network):
        converted = []
        kept = kept_network(subject(network), lambda: converted.append(1) or convert_network(network, SHAPE))
        return OpenVinoNetwork(kept)(images), len(converted)

    return logits


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "removed"])
def test_a_compiled_network_that_is_damaged_is_made_anew(damage, compiled, cache):
    network = small_network()
    first, _ = compiled(network)
    (kept,) = cache.glob("*.blob")
    content = kept.read_bytes()
    if damage == "removed":
        kept.unlink()
    else:
        ways = {"cut": content[:-100], "changed": content[:-1] + bytes([content[-1] ^ 1]), "emptied": b""}
        kept.write_bytes(ways[damage])
    again, conversions = compiled(network)
    assert torch.equal(again, first)
    assert conversions == 1
    last, conversions = compiled(network)
    assert torch.equal(last, first)
    assert conversions == 0


def test_a_compiled_network_of_something_else_under_the_same_name_is_made_anew(compiled, cache):
    network = small_network()
    first, _ = compiled(network)
    (ours,) = cache.glob("*.blob")
    compiled(small_network())
    (other,) = set(cache.glob("*.blob")) - {ours}
    shutil.copy(other, ours)
    again, conversions = compiled(network)
    assert torch.equal(again, first)
    assert conversions == 1


def test_what_another_release_of_openvino_left_is_made_anew(compiled, cache, monkeypatch):
    network = small_network()
    first, _ = compiled(network)

    def refuse(*_):
        raise RuntimeError("the blob is of another release")

    monkeypatch.setattr(openvino_cache, "import_network", refuse)
    again, conversions = compiled(network)
    assert torch.equal(again, first)
    assert conversions == 1


@pytest.mark.usefixtures("unwritable")
def test_without_a_cache_that_can_be_written_a_network_is_compiled_each_time(compiled):
    network = small_network()
    assert [compiled(network)[1] for _ in range(2)] == [1, 1]


@pytest.mark.usefixtures("unwritable")
def test_where_the_cache_cannot_be_written_openvino_works_and_auto_stays_with_torch_without_a_trial(
    tiny_run, processes
):
    with pytest.warns(InputWarning, match="cache cannot be written.*torch computes the network"):
        assert cm.load(tiny_run, device="cpu").backend.name == "torch"
    assert not processes
    loaded(tiny_run)
    assert len(processes) == 1
