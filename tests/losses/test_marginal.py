import pytest
import torch
from torch.nn import functional

from covid_monai.losses import MarginalLesionLoss, overlap_loss

WEIGHTS = {"false_positive_weight": 0.4, "false_negative_weight": 0.6}


def maps(labels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 3, 8, 9, generator=generator, dtype=torch.float32) * 3
    target = torch.tensor(labels)[torch.randint(0, len(labels), (3, 1, 8, 9), generator=generator)]
    return logits, target


def test_with_all_kinds_known_it_is_the_sum_of_two_losses_that_are_known():
    logits, target = maps([0, 1, 2])
    lesion = logits.softmax(dim=1)[:, 1:].sum(dim=1, keepdim=True)
    truth = (target > 0).float()
    tp, fp, fn = (lesion * truth).sum(), (lesion * (1 - truth)).sum(), ((1 - lesion) * truth).sum()
    tversky = (1 - tp / (tp + 0.4 * fp + 0.6 * fn)) ** 0.75
    entropy = functional.cross_entropy(logits, target[:, 0])
    loss = MarginalLesionLoss(**WEIGHTS, gamma=4 / 3, cross_entropy_weight=0.5)
    torch.testing.assert_close(loss(logits, target), tversky + 0.5 * entropy, rtol=1e-4, atol=1e-5)


def test_of_a_lesion_of_unknown_kind_the_kinds_probabilities_are_summed():
    logits, target = maps([0, 3])
    probabilities = logits.softmax(dim=1)
    expected = torch.where(target[:, 0] == 3, probabilities[:, 1] + probabilities[:, 2], probabilities[:, 0])
    without = MarginalLesionLoss(**WEIGHTS, cross_entropy_weight=0.0)(logits, target)
    loss = MarginalLesionLoss(**WEIGHTS)(logits, target)
    torch.testing.assert_close(loss - without, -expected.log().mean())


def test_an_unknown_kind_pulls_no_kind_towards_the_other():
    logits = torch.tensor([0.0, 2.0, -1.0]).reshape(1, 3, 1, 1).requires_grad_()
    MarginalLesionLoss(**WEIGHTS)(logits, torch.tensor([[[[3]]]])).backward()
    background, *kinds = logits.grad.flatten().tolist()
    assert background > 0
    # each kind rises in proportion to its own share, so that their ratio stays the likelier one's
    shares = logits.detach().flatten()[1:].softmax(0).tolist()
    assert kinds[0] / kinds[1] == pytest.approx(shares[0] / shares[1], rel=1e-4)


def test_two_classes_are_the_plain_losses():
    logits, target = maps([0, 1])
    two = logits[:, :2]
    overlap = overlap_loss("tversky", 0.4, 0.6, 1.0, include_background=False, batch=True)(two, target)
    expected = overlap + functional.cross_entropy(two, target[:, 0])
    torch.testing.assert_close(MarginalLesionLoss(**WEIGHTS)(two, target), expected)


def test_a_batch_without_any_lesion_has_a_gradient():
    logits, target = maps([0])
    logits.requires_grad_()
    loss = MarginalLesionLoss(**WEIGHTS, gamma=4 / 3)(logits, target)
    loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[:, 0].max() < 0


def test_bfloat16_logits_give_a_float32_loss():
    logits, target = maps([0, 1, 2, 3])
    loss = MarginalLesionLoss(**WEIGHTS)
    assert loss(logits.bfloat16(), target).dtype == torch.float32


def test_weights_out_of_range_are_refused():
    with pytest.raises(ValueError, match="cross_entropy_weight is -1"):
        MarginalLesionLoss(**WEIGHTS, cross_entropy_weight=-1)
    with pytest.raises(ValueError, match="gamma is"):
        MarginalLesionLoss(**WEIGHTS, gamma=0.5)
