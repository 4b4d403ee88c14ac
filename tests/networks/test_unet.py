"""MONAI's BasicUNet as the bundle's YAML sets it."""

import itertools

import pytest
import torch
from monai.bundle import ConfigParser
from torch import nn
from torch.nn import functional

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import config_files

CHANNELS = [4, 8, 8, 16, 16]


def small_network(**settings) -> nn.Module:
    torch.manual_seed(0)
    parser = ConfigParser(ConfigParser.load_config_files(config_files(bundle_folder("unet"), "inference")))
    parser.update({"channels": CHANNELS, **settings})
    return parser.get_parsed_content("network_def").eval()


@pytest.mark.parametrize("size", [(256, 256), (369, 369), (512, 512), (33, 70), (16, 31)])
def test_output_has_the_input_size_whatever_it_is(size):
    with torch.inference_mode():
        assert small_network()(torch.randn(1, 1, *size)).shape == (1, 4, *size)


def test_output_has_one_channel_a_class():
    assert small_network(class_names=["background", "lesion"])(torch.randn(2, 1, 32, 32)).shape == (2, 2, 32, 32)


def test_a_gradient_reaches_every_parameter():
    network = small_network().train()
    network(torch.randn(2, 1, 65, 64)).square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    # a bias before a normalisation changes nothing, but every weight does
    assert [name for name, gradient in gradients.items() if gradient.ndim > 1 and not gradient.any()] == []


def test_activation_and_normalisation_are_those_of_the_compared_networks():
    leaves = [module for module in small_network().modules() if not [*module.children()]]
    dropped = [module.p for module in leaves if isinstance(module, nn.Dropout)]
    kinds = {type(module) for module in leaves} - {nn.Dropout}
    assert kinds == {nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d}
    assert not any(dropped)


def test_parameters_of_the_papers_channels_are_those_of_a_count_by_hand():
    def two(before, after):
        return (9 * before * after + 3 * after) + (9 * after * after + 3 * after)

    channels = [64, 128, 256, 512, 1024]
    encoder = sum(two(before, after) for before, after in itertools.pairwise([1, *channels]))
    # MONAI's finest transposed convolution does not halve the channels
    decoder = sum(
        (4 * coarse * enlarged + enlarged) + two(enlarged + fine, fine)
        for coarse, enlarged, fine in [(1024, 512, 512), (512, 256, 256), (256, 128, 128), (128, 128, 64)]
    )
    with torch.device("meta"):
        network = small_network(channels=channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == encoder + decoder + 64 * 4 + 4


def test_where_pooling_dropped_a_row_or_column_the_decoder_repeats_its_own():
    level = small_network().upcat_1
    features, skip = torch.randn(1, 8, 3, 4), torch.randn(1, 4, 7, 9)
    enlarged = functional.pad(level.upsample(features), (0, 1, 0, 1), mode="replicate")
    torch.testing.assert_close(level(features, skip), level.convs(torch.cat([skip, enlarged], dim=1)))


def test_evaluation_repeats_to_the_bit():
    network, image = small_network(), torch.randn(1, 1, 65, 64)
    assert torch.equal(network(image), network(image))


def test_training_is_allowed_where_only_deterministic_algorithms_are():
    torch.use_deterministic_algorithms(True)
    small_network().train()(torch.randn(1, 1, 65, 64)).sum().backward()


def test_bfloat16_stays_near_float32():
    network, image = small_network(), torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        exact = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fast = network(image).float()
    assert 0 < (fast - exact).abs().max() < 0.02 * exact.abs().max()


def test_levels_other_than_five_are_refused():
    with pytest.raises(RuntimeError, match="Failed to instantiate") as refused:
        small_network(channels=[4, 8, 16, 32])
    assert "must have length 6, got 5" in str(refused.value.__cause__)
