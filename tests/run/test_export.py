import shutil
import sys

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from covid_monai.errors import InputError
from covid_monai.run import export
from covid_monai.run.export import FORMATS, export_bundle, export_network, exporter
from covid_monai.run.trained import find_trained, trained_network


class TakesAnyNumber(nn.Module):
    """TorchScript's language has no variable number of arguments; tracing does not mind."""

    def forward(self, *images: Tensor) -> Tensor:
        return images[0] * 2


class ReturnsNothing(nn.Module):
    """Neither scripting nor tracing makes logits of this."""

    def forward(self, *images: Tensor) -> None:
        return None


class ReadsValues(nn.Module):
    """A branch on a value cannot be traced."""

    def forward(self, image: Tensor) -> Tensor:
        return image if image.sum() > 0 else -image


class BranchesOnSize(nn.Module):
    """A branch on the size holds only for sizes like the example's."""

    def forward(self, image: Tensor) -> Tensor:
        return image + 1 if image.shape[2] % 4 == 0 else image


class DoublesEvenSizes(nn.Module):
    """What pooling dropped of odd sizes is put back by a branch that the example, of even sizes, does not take."""

    def forward(self, image: Tensor) -> Tensor:
        enlarged = functional.interpolate(functional.max_pool2d(image, 2), scale_factor=2.0)
        if enlarged.shape[2] != image.shape[2]:
            enlarged = functional.pad(enlarged, (0, 1, 0, 1))
        return torch.cat([image, enlarged], dim=1)


class KnowsOneSize(nn.Module):
    """A network with a value for each pixel of the example."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.zeros(70, 80))

    def forward(self, image: Tensor) -> Tensor:
        return image + self.grid


class ComputesOtherwiseWhenScripted(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image + 0.01 if torch.jit.is_scripting() else image


@pytest.mark.parametrize(
    "file_format", [name if name == "torchscript" else pytest.param(name, marks=pytest.mark.slow) for name in FORMATS]
)
def test_a_run_becomes_a_file_with_its_trained_logits(tiny_run, tmp_path, file_format):
    target = tmp_path / "new" / "network"
    agreements = export_bundle("a_segnet", tiny_run, file_format, target)
    assert len({agreement.shape[2:] for agreement in agreements}) == 2
    image = torch.rand(2, 1, 45, 77)
    with torch.inference_mode():
        expected = trained_network(find_trained(tiny_run))(image)
        torch.testing.assert_close(FORMATS[file_format].read(target)(image), expected, atol=1e-4, rtol=0)
    assert [file.name for file in target.parent.iterdir()] == ["network"]


def test_a_network_that_cannot_be_scripted_is_traced(tmp_path):
    target = tmp_path / "network"
    assert all(entry.difference == 0 for entry in export_network(TakesAnyNumber(), 1, FORMATS["torchscript"], target))


def test_the_allowed_difference_grows_with_logits_above_1(tmp_path):
    class Scaled(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, *images: Tensor) -> Tensor:
            return images[0] * self.scale

    for scale, allowed in ((0.1, 1e-4), (50.0, 5e-3)):
        for entry in export_network(Scaled(scale), 1, FORMATS["torchscript"], tmp_path / "network"):
            assert entry.allowed == pytest.approx(allowed, rel=0.01)


def test_onnx_names_its_input_output_and_free_sizes(tmp_path):
    export_network(nn.Conv2d(1, 3, kernel_size=1).eval(), 1, FORMATS["onnx"], tmp_path / "x.onnx")
    graph = onnx.load(tmp_path / "x.onnx").graph
    named = {
        tensor.name: [size.dim_param or size.dim_value for size in tensor.type.tensor_type.shape.dim]
        for tensor in (*graph.input, *graph.output)
    }
    assert named == {"image": ["batch", 1, "height", "width"], "logits": ["batch", 3, "height", "width"]}


@pytest.mark.parametrize(
    ("network", "file_format", "message"),
    [
        (ReturnsNothing(), "torchscript", "cannot be converted"),
        (ReadsValues(), "torch-export", "cannot be converted"),
        (ReadsValues(), "onnx", "cannot be converted"),
        (BranchesOnSize(), "torch-export", "does not run at other sizes|images are 1 from"),
        (DoublesEvenSizes(), "onnx", "does not run at other sizes"),
        (KnowsOneSize(), "torchscript", "does not run at other sizes"),
        (ComputesOtherwiseWhenScripted(), "torchscript", "logits of 1 x 1 x 65 x 97 images are 0.01 from"),
    ],
)
def test_a_network_that_resists_is_named_and_leaves_no_file(
    tiny_run, tmp_path, monkeypatch, capfd, network, file_format, message
):
    monkeypatch.setattr(export, "trained_network", lambda trained: network)
    with pytest.raises(InputError, match=message) as raised:
        export_bundle("a_segnet", tiny_run, file_format, tmp_path / "network")
    assert "\n" not in str(raised.value)
    assert f"a_segnet_ct_segmentation as {file_format}: " in str(raised.value)
    assert not list(tmp_path.iterdir())
    # nothing of what the exporters print by themselves
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_for_onnx_is_named_with_what_to_install(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf'ONNX needs {package} .*pip install "covid-monai\[export\]"'):
        exporter("onnx")


def test_an_unknown_format_is_named_with_those_there_are(tiny_run, tmp_path):
    with pytest.raises(InputError, match="'tensorrt'; it can be one of torchscript, onnx, torch-export"):
        export_bundle("a_segnet", tiny_run, "tensorrt", tmp_path / "network")


def test_damaged_weights_are_not_exported(tiny_run, tmp_path):
    home = tmp_path / "run"
    shutil.copytree(tiny_run, home)
    weights = home / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="damaged"):
        export_bundle("a_segnet", home, "torchscript", tmp_path / "network")
    assert not (tmp_path / "network").exists()
