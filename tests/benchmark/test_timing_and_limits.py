"""How calls are timed, and what a device is said to reach."""

import pytest
import torch
from torch.nn import functional

from covid_monai.benchmark import timing
from covid_monai.benchmark.limits import CONVOLUTION, PRODUCT, SHAPES, measure_limits, operations_of_limit
from covid_monai.benchmark.timing import Timing, time_calls
from covid_monai.catalog.sizes import operations_of

CPU = torch.device("cpu")


def test_a_timing_has_the_median_and_both_ends_of_its_rounds():
    assert Timing.of([3.0, 1.0, 2.0, 10.0], calls=4) == Timing(2.5, 1.0, 10.0, 4, 4)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what the returned function adds to it."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_the_first_call_does_not_count(clock):
    spent = iter([100.0, 1.0, 2.0, 4.0, 3.0])
    assert time_calls(lambda: clock(next(spent)), rounds=4, device=CPU) == Timing(2.5, 1.0, 4.0, 4, 1)


@pytest.mark.parametrize(("asked", "made"), [(1, 1), (2, 2), (3, 3), (10, 3)])
def test_long_rounds_are_as_few_as_give_a_spread(clock, asked, made):
    found = time_calls(lambda: clock(timing.SECONDS_OF_ALL), rounds=asked, device=CPU)
    assert found.rounds == made == min(asked, timing.FEWEST_ROUNDS)


def test_rounds_end_when_all_of_them_have_taken_long(clock):
    assert time_calls(lambda: clock(timing.SECONDS_OF_ALL / 5), rounds=10, device=CPU).rounds == 5


def test_short_calls_are_repeated_until_a_round_is_long_enough(clock):
    calls = []

    def compute():
        calls.append(None)
        clock(0.01)

    found = time_calls(compute, rounds=2, device=CPU)
    assert found.calls == timing.SECONDS_OF_A_ROUND / 0.01
    assert len(calls) == 2 + 2 * found.calls
    assert found.median == pytest.approx(0.01)


def test_calls_that_take_no_time_end(clock):
    assert time_calls(lambda: None, rounds=1, device=CPU).calls == timing.MOST_CALLS


def test_operations_of_both_limits_are_those_that_torch_counts():
    images, matrix = torch.rand(2, 6, 9, 7), torch.rand(12, 5)
    weight = torch.rand(6, 6, 3, 3)
    counted = operations_of(lambda: functional.conv2d(images, weight, padding=1))
    assert operations_of_limit(CONVOLUTION, (2, 6, 9, 7)) == counted == 2 * 2 * 9 * 7 * 6 * 6 * 9
    assert operations_of_limit(PRODUCT, (12, 5)) == operations_of(lambda: matrix @ matrix.T) == 2 * 12 * 5 * 12


def test_operations_of_a_backward_pass_count_too():
    layer = torch.nn.Conv2d(3, 8, 5, stride=2, padding=2)
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    forward = 2 * 2 * 3 * 8 * 25 * 8 * 8
    assert operations_of(lambda: layer(images)) == forward
    assert operations_of(lambda: layer(images).sum().backward()) == 3 * forward


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_limits_are_measured_in_the_precision_that_is_asked_for(precision):
    shapes = {CONVOLUTION: (2, 16, 16, 16), PRODUCT: (64, 64)}
    rows = measure_limits("cpu", precision, 2, shapes)
    assert [(row["name"], tuple(row["shape"]), row["precision"]) for row in rows] == [
        (name, shape, precision) for name, shape in shapes.items()
    ]
    for row in rows:
        assert row["flops_per_second"] == pytest.approx(row["flops"] / row["seconds"]["least"])
        assert row["seconds"]["least"] <= row["seconds"]["median"] <= row["seconds"]["most"]


def test_every_kind_of_device_has_both_limits():
    assert all(set(shapes) == {CONVOLUTION, PRODUCT} for shapes in SHAPES.values())
