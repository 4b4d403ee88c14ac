"""The Dice that chooses a bundle's weights, against scikit-learn's."""

import pytest
import torch
from monai.bundle import ConfigParser
from sklearn import metrics

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import config_files


def labels_and_logits(classes: int) -> list[dict[str, torch.Tensor]]:
    """Slices with all classes, with some, with none but predicted ones, and with none at all."""
    torch.manual_seed(0)
    slices = []
    for present, found in ((classes, classes), (2, classes), (1, classes), (1, 1)):
        label = torch.randint(0, present, (1, 12, 10)).float()
        logits = torch.randn(classes, 12, 10)
        logits[found:] = -9
        slices.append({"label": label, "pred": logits})
    return slices


@pytest.mark.parametrize("name", bundle_names())
def test_validation_dice_is_scikit_learns_mean_over_lesion_classes_then_slices(name):
    parser = ConfigParser(ConfigParser.load_config_files(config_files(bundle_folder(name), "train")))
    classes = len(parser.get_parsed_content("class_names"))
    # where a label says no more than that there is a lesion, all lesions count as one class
    kinds_known = parser.get_parsed_content("label_classes") == classes
    postprocessing = parser.get_parsed_content("validate#postprocessing")
    metric = parser.get_parsed_content("validate#key_metric#validation_dice#metric_fn")
    expected = []
    slices = labels_and_logits(classes)
    if not kinds_known:
        # a lesion of a kind that is not known
        slices[0]["label"][0, :3] = classes
    for item in slices:
        done = postprocessing(dict(item))
        metric(y_pred=[done["pred"]], y=[done["label"]])
        truth, guess = item["label"].flatten(), item["pred"].argmax(0).flatten()
        if not kinds_known:
            truth, guess = (truth > 0).float(), (guess > 0).float()
        scored = range(1, classes if kinds_known else 2)
        counted = [lesion for lesion in scored if not metric.ignore_empty or (truth == lesion).any()]
        if counted:
            # both empty is 1
            dice = metrics.f1_score(truth, guess, labels=counted, average="macro", zero_division=1)
            expected.append(dice)
    assert 0 < sum(expected) / len(expected) < 1
    assert metric.aggregate().item() == pytest.approx(sum(expected) / len(expected), abs=1e-6)
