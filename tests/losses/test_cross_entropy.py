import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn import metrics
from torch.nn import functional

from covid_monai.losses import CrossEntropyLoss


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return 3 * torch.randn(3, 4, 9, 7), torch.randint(0, 4, (3, 1, 9, 7)).float()


def test_it_follows_its_formula(batch):
    logits, label = batch
    log_probability = log_softmax(logits.double().numpy(), axis=1)
    of_the_class = np.take_along_axis(log_probability, label.numpy().astype(int), axis=1)
    assert float(CrossEntropyLoss()(logits, label)) == pytest.approx(-of_the_class.mean(), rel=1e-6)


def test_it_is_scikit_learns(batch):
    logits, label = batch
    probability = torch.softmax(logits.double(), 1).movedim(1, -1).reshape(-1, 4).numpy()
    expected = metrics.log_loss(label.flatten().numpy(), probability, labels=range(4))
    assert float(CrossEntropyLoss()(logits, label)) == pytest.approx(expected, rel=1e-6)


def test_it_and_its_gradient_are_torchs_of_whole_maps(batch):
    logits, label = batch
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = CrossEntropyLoss()(ours, label)
    expected = functional.cross_entropy(theirs, label[:, 0].long())
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_classes_weigh_by_their_pixels_and_images_alike(batch):
    logits, label = batch
    one_by_one = [CrossEntropyLoss()(logits[index : index + 1], label[index : index + 1]) for index in range(3)]
    torch.testing.assert_close(CrossEntropyLoss()(logits, label), torch.stack(one_by_one).mean())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_is_computed_in_float32(batch, dtype):
    logits, label = batch
    coarse = logits.to(dtype)
    loss = CrossEntropyLoss()(coarse, label)
    assert loss.dtype == torch.float32
    assert loss == CrossEntropyLoss()(coarse.float(), label)


@pytest.mark.parametrize("confidence", [100.0, -100.0])
def test_loss_and_gradient_are_finite_where_the_network_is_certain(confidence):
    label = torch.zeros(1, 1, 4, 4)
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 0] = confidence
    logits.requires_grad_()
    loss = CrossEntropyLoss()(logits, label)
    loss.backward()
    assert loss.item() == pytest.approx(max(0.0, -confidence))
    assert torch.isfinite(logits.grad).all()


def test_it_is_allowed_where_only_deterministic_algorithms_are(batch):
    logits, label = batch
    torch.use_deterministic_algorithms(True)
    CrossEntropyLoss()(logits.requires_grad_(), label).backward()
    assert logits.grad.any()


def test_a_class_that_the_network_does_not_have_is_refused(batch):
    logits, label = batch
    with pytest.raises(IndexError, match="Target 4 is out of bounds"):
        CrossEntropyLoss()(logits, label + 1)
