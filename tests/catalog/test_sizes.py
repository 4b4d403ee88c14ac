import json
import shutil

import pytest
import torch
from torch import nn

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow
from covid_monai.catalog.metadata import read_ablations, read_metadata
from covid_monai.catalog.sizes import count_operations, network_sizes
from covid_monai.errors import InputError


@pytest.fixture
def own_bundle(tmp_path):
    """A bundle of the user's, which tests may change."""
    folder = tmp_path / "own_ct_segmentation"
    shutil.copytree(bundle_folder("a_segnet"), folder)
    return folder


def change_metadata(folder, **changes):
    file = folder / "configs" / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_multiply_add_of_a_convolution_counts_as_two():
    network = nn.Conv2d(3, 5, kernel_size=3, padding=1)
    assert count_operations(network, (1, 3, 8, 10)) == 2 * (3 * 5 * 3 * 3) * (8 * 10)


def test_a_multiply_add_of_a_matrix_product_counts_as_two():
    assert count_operations(nn.Linear(7, 4), (6, 7)) == 2 * 7 * 4 * 6


def test_normalisation_activation_and_pooling_are_not_counted():
    convolution = nn.Conv2d(1, 2, kernel_size=1)
    dressed = nn.Sequential(convolution, nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2))
    assert count_operations(dressed, (1, 1, 8, 8)) == count_operations(convolution, (1, 1, 8, 8)) > 0


def test_counting_without_values_equals_what_a_real_slice_passes_through():
    workflow = build_workflow(bundle_folder("a_segnet"), "inference", {})
    workflow.initialize()
    network = workflow.network_def.eval()
    counted = 0

    def count(layer, inputs, output):
        nonlocal counted
        height, width = layer.kernel_size
        counted += 2 * output.numel() * layer.in_channels // layer.groups * height * width

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.rand(1, 1, 32, 32))
    # eight times the side is 64 times the pixels, and every convolution has as many results as pixels
    assert network_sizes("a_segnet")[0].operations == 64 * counted


def test_ablations_follow_the_bundles_own_network():
    network, baseline = network_sizes("a_segnet")
    assert (network.label, baseline.label) == ("", "SegNet (the paper's baseline)")
    assert baseline.settings == {"attention": False}
    assert baseline.parameters < network.parameters == 35_585_031
    assert baseline.operations < network.operations


def test_operations_at_the_common_size_are_those_of_256_x_256(own_bundle):
    train, inference = own_bundle / "configs" / "train.yaml", own_bundle / "configs" / "inference.yaml"
    for file in (train, inference):
        file.write_text(file.read_text().replace("image_size: [256, 256]", "image_size: [128, 256]"))
    (size, _) = network_sizes(str(own_bundle))
    assert size.image_size == (128, 256)
    assert size.common_operations == 2 * size.operations


def test_a_bundle_without_ablations_has_one_size(own_bundle):
    change_metadata(own_bundle, ablations={})
    assert [size.label for size in network_sizes(str(own_bundle))] == [""]


@pytest.mark.parametrize(
    ("ablations", "message"),
    [
        (["attention"], "must be like"),
        ({"SegNet": False}, "must be like"),
        ({"SegNet": {"atention": False}}, "did you mean 'attention'"),
        ({"SegNet": {"attention": "$print(1)"}}, "has an expression"),
        ({"SegNet": {"attention": "no"}}, "true or false"),
    ],
)
def test_ablations_that_cannot_be_made_are_named(own_bundle, ablations, message):
    change_metadata(own_bundle, ablations=ablations)
    with pytest.raises(InputError, match=message):
        read_ablations(own_bundle)


def test_an_ablation_that_the_network_refuses_is_named(own_bundle):
    change_metadata(own_bundle, ablations={"three levels": {"channels": [4, 4, 8]}})
    with pytest.raises(InputError, match="give one number a level"):
        network_sizes(str(own_bundle))


def test_metadata_that_lack_something_are_named(own_bundle):
    change_metadata(own_bundle, network_data_format={"inputs": {}})
    with pytest.raises(InputError, match="not as MONAI asks"):
        read_metadata(own_bundle)
