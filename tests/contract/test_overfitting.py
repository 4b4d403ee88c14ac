"""Every bundle learns one small image by heart: its network, loss and optimiser fit together."""

import pytest
import torch
from monai.bundle import ConfigParser
from sklearn import metrics
from torch import Tensor

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import config_files

SETTINGS = {
    "a_segnet_ct_segmentation": {"channels": [8, 8, 16, 16, 16], "learning_rate": 0.05},
    "au_net_ct_segmentation": {"channels": [8, 8, 16, 16, 16], "learning_rate": 0.01},
    "covid_lesion_ct_segmentation": {"channels": [8, 8, 16, 16, 16], "learning_rate": 0.25},
    "residual_attention_unet_ct_segmentation": {
        "channels": [8, 16, 32, 64, 128],
        "cardinality": 4,
        "attention_heads": 2,
        "attention_rounds": 1,
        "attention_chunk": 32,
        "learning_rate": 0.01,
    },
    "unet_ct_segmentation": {"channels": [8, 16, 16, 32, 32], "learning_rate": 0.005},
}
STEPS = 100


def drawn_slice(classes: int) -> tuple[Tensor, Tensor]:
    """A noisy image ``(1, 1, 48, 48)`` and its label map: a square of each lesion class, of an intensity of its own."""
    label = torch.zeros(1, 1, 48, 48)
    for lesion in range(1, classes):
        left = 4 + 15 * (lesion - 1)
        label[..., left : left + 11, 8 * lesion : 8 * lesion + 14] = lesion
    return 0.2 * torch.randn(1, 1, 48, 48) + 0.5 * label, label


@pytest.mark.parametrize("name", bundle_names())
def test_one_small_image_is_learned_by_heart(name):
    torch.manual_seed(0)
    parser = ConfigParser(ConfigParser.load_config_files(config_files(bundle_folder(name), "train")))
    parser.update({**SETTINGS[name], "device": "$torch.device('cpu')"})
    network, loss_function, optimizer = (
        parser.get_parsed_content(part) for part in ("network", "loss_function", "optimizer")
    )
    classes = len(parser.get_parsed_content("class_names"))
    image, label = drawn_slice(classes)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss_function(network.train()(image), label).backward()
        optimizer.step()
    # as it is used afterwards: normalised by the running statistics, hashed by the rotations of evaluation
    with torch.inference_mode():
        predicted = network.eval()(image).argmax(1)
    dice = metrics.f1_score(label.flatten(), predicted.flatten(), labels=range(1, classes), average=None)
    assert dice.min() > 0.95
