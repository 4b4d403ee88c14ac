import numpy as np
import pytest
import torch
from monai.losses import GeneralizedDiceLoss

from covid_monai.losses import GeneralisedDiceLoss, named_loss


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(3, 4, 16, 16), torch.randint(0, 4, (3, 1, 16, 16)).float()


def by_the_formula(probability: np.ndarray, truth: np.ndarray) -> float:
    """Of one image, (C, H, W), as MATLAB's documentation prints it."""
    weights = 1 / truth.sum((1, 2)) ** 2
    overlap = (weights * (probability * truth).sum((1, 2))).sum()
    return 1 - 2 * overlap / (weights * (probability**2 + truth**2).sum((1, 2))).sum()


def test_it_follows_its_formula(batch):
    logits, label = batch
    probability = logits.softmax(1).double().numpy()
    truth = np.stack([(label[:, 0] == value).double().numpy() for value in range(4)], axis=1)
    expected = np.mean([by_the_formula(p, t) for p, t in zip(probability, truth, strict=True)])
    assert float(GeneralisedDiceLoss()(logits, label)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("over_batch", [True, False])
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("without", [None, 2])
def test_without_squares_it_is_monais(batch, softmax, over_batch, background, without):
    logits, label = batch
    if without is not None:
        # a class that no image has
        label = torch.where(label == without, 0.0, label)
    target = label if softmax else torch.cat([(label == value).float() for value in range(4)], 1)
    ours = GeneralisedDiceLoss(softmax=softmax, include_background=background, batch=over_batch, squared=False)
    monais = GeneralizedDiceLoss(
        softmax=softmax,
        sigmoid=not softmax,
        to_onehot_y=softmax,
        include_background=background,
        batch=over_batch,
        smooth_nr=1e-8,
        smooth_dr=1e-8,
    )
    torch.testing.assert_close(ours(logits, target), monais(logits, target), rtol=1e-4, atol=1e-5)


def test_it_is_not_the_dice_loss(batch):
    logits, label = batch
    lesion = (label == 3).float()
    dice, generalised = (named_loss(name)(logits[:, :2], lesion) for name in ("dice", "generalised_dice"))
    assert abs(float(dice) / 2 - float(generalised)) > 0.01


@pytest.mark.parametrize("over_batch", [True, False])
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("lesion", ["none", "pixel", "all"])
@pytest.mark.parametrize("confidence", [0.0, 10.0, -10.0, 100.0])
def test_value_and_gradient_are_finite_on_empty_and_perfect_slices(over_batch, background, lesion, confidence):
    label = torch.full((2, 1, 64, 64), float(lesion == "all"))
    label[..., 5, 5] = float(lesion != "none")
    logits = torch.cat([0 * label, confidence * (2 * label - 1)], 1).requires_grad_()
    loss = GeneralisedDiceLoss(include_background=background, batch=over_batch)(logits, label)
    loss.backward()
    assert 0 <= float(loss) <= 1
    assert torch.isfinite(logits.grad).all()
    if confidence == 100.0:
        assert float(loss) == pytest.approx(0, abs=1e-5)


def test_a_missed_lesion_of_one_pixel_costs_half_or_more():
    label = torch.zeros(1, 1, 64, 64)
    label[..., 5, 5] = 1
    missed = torch.cat([torch.full_like(label, 8.0), torch.zeros_like(label)], 1)
    assert float(named_loss("generalised_dice")(missed, label)) > 0.5
    assert float(named_loss("dice", include_background=True)(missed, label)) / 2 < 0.55
