"""From probabilities to classes where several kinds of lesion share one probability."""

import pytest
import torch
from monai.data import MetaTensor

from covid_monai.errors import InputError
from covid_monai.transforms import ProbabilitiesToClassesd


def classes_of(*pixels: tuple[float, float, float], threshold: float = 0.5) -> list[float]:
    probabilities = MetaTensor(torch.tensor(pixels).T.reshape(3, -1, 1))
    done = ProbabilitiesToClassesd("pred", threshold=threshold)({"pred": probabilities})["pred"]
    assert done.shape == (1, len(pixels), 1)
    assert isinstance(done, MetaTensor)
    return done.flatten().tolist()


def test_two_kinds_that_are_a_lesion_together_are_one_though_background_is_the_likeliest_class():
    assert classes_of((0.4, 0.35, 0.25), (0.45, 0.2, 0.35)) == [1, 2]


def test_background_stays_where_all_kinds_together_are_not_likelier_than_the_threshold():
    assert classes_of((0.6, 0.39, 0.01), (0.5, 0.5, 0.0)) == [0, 0]


def test_outside_of_a_crop_where_no_class_has_a_probability_is_background():
    assert classes_of((0.0, 0.0, 0.0)) == [0]


def test_a_lower_threshold_finds_more():
    assert classes_of((0.6, 0.39, 0.01), (0.8, 0.1, 0.1), threshold=0.3) == [1, 0]


def test_with_one_kind_and_a_threshold_of_a_half_it_is_the_likeliest_class():
    torch.manual_seed(0)
    probabilities = torch.rand(2, 9, 8).softmax(0)
    done = ProbabilitiesToClassesd("pred")({"pred": probabilities})["pred"]
    assert torch.equal(done, probabilities.argmax(0, keepdim=True).float())


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1])
def test_a_threshold_that_is_no_probability_is_refused(threshold):
    with pytest.raises(InputError, match="it must lie between 0 and 1"):
        ProbabilitiesToClassesd("pred", threshold=threshold)
