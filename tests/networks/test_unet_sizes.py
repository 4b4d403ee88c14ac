import pytest
import torch
from monai.networks.nets import BasicUNet

from covid_monai.networks import UNet

SETTINGS = {"spatial_dims": 2, "in_channels": 1, "out_channels": 3, "features": (4, 4, 8, 8, 8, 4)}


@pytest.mark.parametrize("size", [(64, 64), (33, 47), (65, 97)])
def test_output_is_that_of_monais_to_the_bit(size):
    ours, monais = UNet(**SETTINGS).eval(), BasicUNet(**SETTINGS).eval()
    ours.load_state_dict(monais.state_dict())
    image = torch.rand(2, 1, *size)
    with torch.inference_mode():
        assert torch.equal(ours(image), monais(image))
