"""Graphs of LSH attention with dynamic batch, height and width, against eager execution."""

import io

import pytest
import torch
from torch import nn

from covid_monai.networks.blocks.lsh.attention import LSHAttention

# one chunk with padding, one full chunk, whole chunks, a rest, and so many that buckets are of two rotations
SIZES = [(1, 2, 3), (2, 4, 4), (3, 8, 8), (1, 9, 13), (2, 33, 35)]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def attention() -> nn.Module:
    torch.manual_seed(0)
    return LSHAttention(channels=4, heads=2, rounds=2, chunk=16).eval()


def features_of(size: tuple[int, int, int]) -> torch.Tensor:
    batch, height, width = size
    return torch.randn(batch, 4, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def program(attention) -> torch.export.ExportedProgram:
    dynamic = torch.export.Dim.DYNAMIC
    sizes = ({0: dynamic, 2: dynamic, 3: dynamic},)
    return torch.export.export(attention, (features_of((2, 9, 13)),), dynamic_shapes=sizes)


@torch.no_grad()
def assert_same_at_all_sizes(attention: nn.Module, graph) -> None:
    for size in SIZES:
        features = features_of(size)
        torch.testing.assert_close(graph(features), attention(features), rtol=0, atol=TOLERANCE, msg=str(size))


@pytest.mark.parametrize("example", [SIZES[0], SIZES[3]])
def test_a_traced_graph_follows_the_size(attention, example):
    with torch.no_grad():
        traced = torch.jit.trace(attention, features_of(example))
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    assert_same_at_all_sizes(attention, torch.jit.load(file))


def test_an_exported_program_follows_the_size(attention, program):
    assert_same_at_all_sizes(attention, program.module())


@pytest.mark.slow
def test_an_onnx_graph_follows_the_size(attention, program, tmp_path):
    import onnxruntime

    file = tmp_path / "attention.onnx"
    torch.onnx.export(program, f=file, verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    assert_same_at_all_sizes(
        attention, lambda features: torch.from_numpy(session.run(None, {name: features.numpy()})[0])
    )
