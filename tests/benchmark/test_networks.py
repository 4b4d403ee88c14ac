"""What a network is timed with, and the operations that it is said to take."""

from importlib.util import find_spec

import pytest
import torch
from torch import nn

from covid_monai.benchmark.networks import BATCHES, INFERENCE, TRAINING, measure_network, segmentation, training_step
from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.errors import InputError
from tests.contract.test_bundles import BUNDLES

UNET = {"channels": BUNDLES["unet_ct_segmentation"]["channels"]}


def measured(bundle, work, *, backend="torch", batch=2, size=32, settings=None):
    given = BUNDLES[bundle_folder(bundle).name] if settings is None else settings
    return measure_network(str(bundle_folder(bundle)), size, work, backend, "float32", "cpu", batch, 1, given)


def operations_by_layer(network, images):
    """Operations of each convolution in closed form from the sizes that it sees, in the order of computation."""
    found = []

    def note(layer, inputs, output):
        kernel = layer.weight.shape[2] * layer.weight.shape[3]
        channels = layer.in_channels * layer.out_channels // layer.groups
        # a transposed convolution multiplies for each pixel that comes in, the other for each that goes out
        pixels = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        found.append(2 * kernel * channels * pixels.shape[0] * pixels.shape[2] * pixels.shape[3])

    hooks = [
        layer.register_forward_hook(note)
        for layer in network.modules()
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


@pytest.fixture(scope="module")
def layers():
    """Operations of the small U-Net's convolutions for a slice of 32 x 32."""
    settings = {**UNET, "image_size": [32, 32], "device": "$torch.device('cpu')"}
    network = segmentation(bundle_folder("unet"), settings).segmenter.network
    return operations_by_layer(network, torch.rand(1, 1, 32, 32))


def test_inference_counts_the_operations_of_all_convolutions(layers):
    assert len(layers) == 23
    assert measured("unet", INFERENCE, settings=UNET)["flops_per_slice"] == sum(layers)


def test_a_training_step_counts_three_times_as_many_without_the_gradient_of_the_image(layers):
    assert measured("unet", TRAINING, settings=UNET)["flops_per_slice"] == 3 * sum(layers) - layers[0]


@pytest.mark.parametrize("bundle", bundle_names())
@pytest.mark.parametrize("work", [TRAINING, INFERENCE])
def test_every_bundle_is_measured(bundle, work):
    found = measured(bundle, work)
    assert found["batch"] == 2
    assert found["slices"] == (2 if work == TRAINING else 2 * BATCHES)
    assert found["slices_per_second"] == pytest.approx(found["slices"] / found["seconds"]["median"])
    assert found["flops_per_second"] == pytest.approx(found["flops_per_slice"] * found["slices_per_second"])
    assert found["peak_memory_bytes"] >= found["memory_before_bytes"] > 0


def test_as_many_slices_are_taken_at_a_time_as_were_asked_for():
    found = [measured("unet", work, settings=UNET, batch=3) for work in (TRAINING, INFERENCE)]
    assert [each["batch"] for each in found] == [3, 3]
    assert [each["slices"] for each in found] == [3, 3 * BATCHES]


def test_a_training_step_changes_the_weights_as_the_trainer_does():
    settings = {**UNET, "image_size": [32, 32], "batch_size": 2, "device": "$torch.device('cpu')"}
    work = training_step(bundle_folder("unet"), settings)
    parameters = list(work.network.parameters())
    before = [value.detach().clone() for value in parameters]
    work.compute()
    assert any(not torch.equal(old, new) for old, new in zip(before, parameters, strict=True))


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_computes_what_it_can_and_says_what_it_cannot():
    of_torch = measured("unet", INFERENCE, settings=UNET)
    assert measured("unet", INFERENCE, backend="openvino")["flops_per_slice"] == of_torch["flops_per_slice"]
    with pytest.raises(InputError, match=r"OpenVINO cannot compute it \(No conversion rule"):
        measured("residual_attention_unet", INFERENCE, backend="openvino")


def test_a_setting_that_a_network_cannot_have_is_one_line():
    with pytest.raises(InputError, match=r"channels is \[1\]"):
        measured("unet", TRAINING, settings={"channels": [1]})
