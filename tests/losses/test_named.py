import pytest
import torch
from torch.nn import functional

from covid_monai.losses import LOSSES, named_loss, overlap_loss

LOGITS = torch.randn(2, 2, 16, 16, generator=torch.Generator().manual_seed(0))
LABEL = (torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1)) > 0.8).float()


@pytest.mark.parametrize("name", ["dice", "tversky", "focal_tversky"])
def test_overlap_losses_have_their_settings(name):
    ours = named_loss(name, false_positive_weight=0.3, false_negative_weight=0.7, gamma=4 / 3, include_background=False)
    expected = overlap_loss(name, 0.3, 0.7, 4 / 3, include_background=False)
    assert ours(LOGITS, LABEL) == expected(LOGITS, LABEL)


def test_cross_entropy_of_two_classes_is_that_of_the_lesion_and_of_what_is_none():
    lesion = LOGITS.softmax(1)[:, 1:]
    expected = functional.binary_cross_entropy(lesion, LABEL)
    torch.testing.assert_close(named_loss("cross_entropy")(LOGITS, LABEL), expected)


def test_every_name_gives_a_loss_with_a_gradient():
    for name in LOSSES:
        logits = LOGITS.clone().requires_grad_()
        named_loss(name, gamma=4 / 3)(logits, LABEL).backward()
        assert logits.grad.abs().sum() > 0, name


def test_other_names_and_settings_are_refused():
    with pytest.raises(ValueError, match="'focal'; it can be one of dice, tversky, focal_tversky, generalised_dice"):
        named_loss("focal")
    with pytest.raises(ValueError, match="softmax to true"):
        named_loss("cross_entropy", softmax=False)
