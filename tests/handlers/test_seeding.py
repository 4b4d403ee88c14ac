import pytest
import torch

from covid_monai.handlers.seeding import determinism_restored, start_from_seed


def test_a_start_repeats_what_is_drawn():
    with determinism_restored():
        draws = []
        for seed in (3, 3, 4):
            start_from_seed(seed, deterministic=False)
            draws.append(torch.rand(5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_deterministic_algorithms_are_asked_for_but_no_memory_is_filled():
    with determinism_restored():
        torch.utils.deterministic.fill_uninitialized_memory = True
        start_from_seed(0, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory


def fail_in_training() -> None:
    with determinism_restored():
        start_from_seed(0, deterministic=True)
        raise RuntimeError("in training")


@pytest.mark.parametrize("filled", [True, False])
def test_both_choices_are_the_callers_again_afterwards(filled):
    before = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = filled
    try:
        with pytest.raises(RuntimeError, match="in training"):
            fail_in_training()
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.utils.deterministic.fill_uninitialized_memory is filled
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = before
