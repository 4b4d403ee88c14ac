"""Memory of LSH attention is linear in the number of tokens, in training too."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from covid_monai.networks.blocks.lsh.attention import lsh_attention
from covid_monai.networks.blocks.lsh.chunks import CPU_BLOCK, blocks
from covid_monai.networks.blocks.lsh.hashing import draw_rotations


class LargestOutput(TorchDispatchMode):
    """Remembers how many numbers the largest tensor has that any operation makes, and the operations' names."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for tensor in output if isinstance(output, tuple | list) else [output]:
            if isinstance(tensor, Tensor):
                self.numbers = max(self.numbers, tensor.numel())
        self.names.append(func.name())
        return output


def largest_tensor(tokens: int, chunk: int) -> int:
    shared, values = (torch.randn(1, tokens, 4, requires_grad=True) for _ in range(2))
    with LargestOutput() as forwards:
        output = lsh_attention(shared, values, draw_rotations(0, 0, 2, 4), chunk)
    with LargestOutput() as backwards:
        output.sum().backward()
    # it is products of blocks that are looked at, in the backward pass too
    assert "aten::baddbmm" in forwards.names
    assert backwards.names.count("aten::bmm") > 4
    return max(forwards.numbers, backwards.numbers)


@pytest.mark.parametrize(("length", "each"), [(1, 1), (10, CPU_BLOCK), (7, 10 * CPU_BLOCK), (1000, CPU_BLOCK // 3)])
def test_blocks_cover_everything_once_and_are_as_large_as_allowed(length, each):
    parts = blocks(length, each, torch.device("cpu"))
    assert [number for part in parts for number in range(part.start, part.stop)] == list(range(length))
    sizes = {part.stop - part.start for part in parts[:-1]}
    assert sizes <= {max(1, CPU_BLOCK // each)}


def test_no_tensor_is_as_large_as_all_tokens_against_all_chunks():
    tokens, chunk = 20_000, 4
    # 100 million numbers if each token were held against each chunk or bucket
    assert tokens * tokens // chunk == 100_000_000
    assert largest_tensor(tokens, chunk) <= 1.1 * CPU_BLOCK


def test_the_largest_tensor_does_not_grow_with_the_number_of_tokens_until_the_tokens_themselves_are_larger():
    assert largest_tensor(40_000, 16) <= 1.1 * largest_tensor(20_000, 16)


MEASURE = """
import resource
import torch
from covid_monai.networks.blocks.lsh.attention import lsh_attention
from covid_monai.networks.blocks.lsh.hashing import draw_rotations

def train(tokens):
    shared, values = (torch.randn(1, tokens, 8, requires_grad=True) for _ in range(2))
    lsh_attention(shared, values, draw_rotations(0, 0, 2, 8), 64).sum().backward()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = train(5_000)
print(train(136_161) - before)
"""


@pytest.mark.slow
def test_peak_memory_of_training_at_369_x_369_pixels_is_a_few_hundred_numbers_a_token():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tokens, peak = 369 * 369, int(done.stdout)
    # rows of 8 numbers, sorted copies and gradients take about 220 numbers a token. Keeping the scores of both rounds
    # for the backward pass would add 2 * 128, and a number for each token and chunk 2,128.
    assert peak < 4 * 400 * tokens
