import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer, SliceInferer

from covid_monai.environment import bfloat16_is_fast
from covid_monai.inference import AutocastInferer

LINEAR = torch.nn.Conv2d(1, 2, 3, padding=1)


class Spy(torch.nn.Module):
    """Notes what the network's convolution computes in."""

    def forward(self, image):
        result = LINEAR(image)
        self.seen = type(image), result.dtype
        return result


@pytest.mark.parametrize(("precision", "dtype"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)])
def test_the_network_computes_in_the_precision_asked_for_and_float32_comes_out(precision, dtype):
    spy = Spy()
    result = AutocastInferer(SimpleInferer(), precision)(MetaTensor(torch.rand(1, 1, 8, 8)), spy)
    assert spy.seen == (torch.Tensor, dtype)
    assert result.dtype == torch.float32


def test_auto_follows_the_device():
    spy = Spy()
    AutocastInferer(SimpleInferer())(torch.rand(1, 1, 8, 8), spy)
    assert (spy.seen[1] == torch.bfloat16) == bfloat16_is_fast(torch.device("cpu"))


def test_slices_of_a_volume_are_what_single_slices_are():
    volume = torch.rand(1, 1, 16, 16, 3)
    inferer = AutocastInferer(SliceInferer(roi_size=(16, 16), spatial_dim=2, sw_batch_size=2), "float32")
    with torch.inference_mode():
        whole = inferer(volume, LINEAR)
        torch.testing.assert_close(whole[..., 1], LINEAR(volume[..., 1]))


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="auto, bfloat16, float32"):
        AutocastInferer(SimpleInferer(), "float16")
