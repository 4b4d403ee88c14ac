import shutil

import pytest

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.describe import describe_bundle, intensity_steps, losses
from covid_monai.errors import InputError
from covid_monai.losses import LOSSES


@pytest.fixture
def own_bundle(tmp_path):
    folder = tmp_path / "own_ct_segmentation"
    shutil.copytree(bundle_folder("a_segnet"), folder)
    return folder


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_steps_name_the_window_with_its_values_but_not_resizing():
    (step,) = intensity_steps(bundle_folder("a_segnet"))
    assert step == "ScaleIntensityRanged(a_min=-1024, a_max=600, b_min=0.0, b_max=1.0, clip=True)"


def test_a_further_normalisation_comes_after_the_window(own_bundle):
    change(
        own_bundle / "configs" / "inference.yaml",
        "    - _target_: Resized\n",
        "    - _target_: monai.transforms.NormalizeIntensityd\n      keys: image\n      nonzero: true\n"
        "    - _target_: Resized\n",
    )
    window, normalisation = intensity_steps(own_bundle)
    assert window.startswith("ScaleIntensityRanged")
    assert normalisation == "NormalizeIntensityd(nonzero=True)"


def test_a_chain_that_is_no_list_of_transforms_is_named(own_bundle):
    change(own_bundle / "configs" / "inference.yaml", "preprocessing:\n  _target_: Compose\n  transforms:", "chain:")
    with pytest.raises(InputError, match="not a Compose"):
        intensity_steps(own_bundle)


def test_all_losses_of_a_choice_by_name_are_listed():
    assert losses(bundle_folder("a_segnet")) == ("focal_tversky", LOSSES)


@pytest.mark.parametrize("target", ["DiceLoss", "monai.losses.DiceLoss"])
def test_a_loss_without_a_choice_is_the_only_one(own_bundle, target):
    change(own_bundle / "configs" / "train.yaml", "covid_monai.losses.named_loss", target)
    assert losses(own_bundle) == ("DiceLoss", ("DiceLoss",))


def test_a_disabled_step_is_no_step_and_an_enabled_one_is():
    assert intensity_steps(bundle_folder("au_net"))[-1] == "NormalizeSlicesd()"
    assert not any("NormalizeSlicesd" in step for step in intensity_steps(bundle_folder("unet")))


def test_a_stored_description_is_not_believed_of_a_changed_configuration(own_bundle):
    change_in = own_bundle / "configs"
    for name in ("train.yaml", "inference.yaml"):
        change(change_in / name, "channels: [64, 128, 256, 512, 512]", "channels: [8, 8, 8, 8, 8]")
    assert describe_bundle(str(own_bundle)).parameters < describe_bundle("a_segnet").parameters / 100
    (change_in / "description.json").write_text('["of another tool"]')
    assert describe_bundle(str(own_bundle)).loss == "focal_tversky"
