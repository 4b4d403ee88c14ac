import numpy as np
import pytest
import torch
from monai.losses import DiceLoss, TverskyLoss

from covid_monai.losses import FocalTverskyLoss, overlap_loss

EMPTY = torch.zeros(2, 1, 16, 16)


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(3, 2, 16, 16), (torch.rand(3, 1, 16, 16) > 0.8).float()


def one_image_tversky(probability: np.ndarray, truth: np.ndarray, weight_fp: float, weight_fn: float) -> float:
    true_positive = (probability * truth).sum()
    false_positive = (probability * (1 - truth)).sum()
    false_negative = ((1 - probability) * truth).sum()
    return true_positive / (true_positive + weight_fp * false_positive + weight_fn * false_negative)


def test_focal_tversky_follows_its_formula(batch):
    logits, label = batch
    probability = torch.softmax(logits, 1).numpy()
    truth = np.concatenate([1 - label.numpy(), label.numpy()], axis=1)
    expected = np.mean(
        [
            sum((1 - one_image_tversky(p[c], t[c], 0.3, 0.7)) ** 0.75 for c in range(2))
            for p, t in zip(probability, truth, strict=True)
        ]
    )
    loss = overlap_loss("focal_tversky", 0.3, 0.7, gamma=4 / 3)(logits, label)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_without_background_the_lesion_alone_counts_and_a_sigmoid_judges_each_class_alone(batch):
    logits, label = batch
    lesion = torch.softmax(logits, 1)[:, 1:].numpy()
    alone = torch.sigmoid(logits[:, 1:]).numpy()
    truth = label.numpy()

    def expected(probability):
        return np.mean(
            [(1 - one_image_tversky(p, t, 0.3, 0.7)) ** 0.75 for p, t in zip(probability, truth, strict=True)]
        )

    without = overlap_loss("focal_tversky", 0.3, 0.7, gamma=4 / 3, include_background=False)(logits, label)
    sigmoid = overlap_loss("focal_tversky", 0.3, 0.7, gamma=4 / 3, softmax=False)(logits[:, 1:], label)
    assert float(without) == pytest.approx(expected(lesion), rel=1e-5)
    assert float(sigmoid) == pytest.approx(expected(alone), rel=1e-5)


def test_dice_is_tversky_with_equal_weights_and_monais_dice(batch):
    logits, label = batch
    dice = overlap_loss("dice", 0.3, 0.7, gamma=4 / 3)(logits, label)
    tversky = overlap_loss("tversky", 0.5, 0.5, gamma=4 / 3)(logits, label)
    monai = DiceLoss(softmax=True, to_onehot_y=True)(logits, label)
    torch.testing.assert_close(dice, tversky)
    # two classes: a sum where MONAI takes the mean
    torch.testing.assert_close(dice, 2 * monai, rtol=1e-4, atol=1e-5)


def test_tversky_is_monais(batch):
    logits, label = batch
    ours = overlap_loss("tversky", 0.3, 0.7, gamma=4 / 3)(logits, label)
    monai = TverskyLoss(softmax=True, to_onehot_y=True, alpha=0.3, beta=0.7)(logits, label)
    torch.testing.assert_close(ours, 2 * monai)


def test_letters_of_both_papers_mean_the_same_loss(batch):
    logits, label = batch
    zhou = {"alpha": 0.7, "beta": 0.3}  # alpha weighs false negatives
    budak = {"alpha": 0.3, "beta": 0.7}  # beta does
    focal_tversky_loss = FocalTverskyLoss(
        false_negative_weight=zhou["alpha"], false_positive_weight=zhou["beta"], gamma=4 / 3
    )
    other = FocalTverskyLoss(false_negative_weight=budak["beta"], false_positive_weight=budak["alpha"], gamma=4 / 3)
    assert focal_tversky_loss(logits, label) == other(logits, label)


def test_weight_on_false_negatives_makes_a_missed_lesion_dearer():
    label = torch.zeros(1, 1, 16, 16)
    label[..., 4:8, 4:8] = 1
    missed = torch.zeros(1, 2, 16, 16)
    missed[:, 0] = 4.0
    dear = overlap_loss("tversky", 0.3, 0.7, gamma=1.0, include_background=False)
    cheap = overlap_loss("tversky", 0.7, 0.3, gamma=1.0, include_background=False)
    assert dear(missed, label) > cheap(missed, label)


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("over_batch", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lesion", ["none", "some"])
@pytest.mark.parametrize("confidence", [0.0, 10.0, 100.0])
def test_gradient_is_finite_on_empty_and_perfect_slices(softmax, over_batch, dtype, lesion, confidence):
    label = EMPTY.clone()
    if lesion == "some":
        label[..., 2:6, 2:6] = 1
    sign = 2 * label - 1
    channels = torch.cat([-sign, sign], 1) if softmax else sign
    logits = (confidence * channels).to(dtype).requires_grad_()
    loss = overlap_loss("focal_tversky", 0.3, 0.7, gamma=4 / 3, softmax=softmax, batch=over_batch)(logits, label)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_over_the_batch_one_ratio_is_taken(batch):
    logits, label = batch
    joined = overlap_loss("dice", 0, 0, gamma=1.0, batch=True)(logits, label)
    stacked = overlap_loss("dice", 0, 0, gamma=1.0)(
        logits.transpose(0, 1).reshape(1, 2, -1, 16), label.transpose(0, 1).reshape(1, 1, -1, 16)
    )
    torch.testing.assert_close(joined, stacked)


@pytest.mark.parametrize(
    ("name", "weights", "gamma", "message"),
    [
        ("jaccard", (0.5, 0.5), 1.0, "dice, tversky, focal_tversky"),
        ("focal_tversky", (0.5, 0.5), 0.5, "1 .Tversky loss. or more"),
        ("tversky", (-0.1, 0.5), 1.0, "not be negative"),
    ],
)
def test_impossible_settings_are_refused(name, weights, gamma, message):
    with pytest.raises(ValueError, match=message):
        overlap_loss(name, *weights, gamma=gamma)
