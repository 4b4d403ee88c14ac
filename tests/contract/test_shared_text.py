"""What the bundles have in common is the same text in each: a change of it is made in all of them or in none."""

import pytest

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import read_config

LINE = "# --- the same in every bundle ---\n"


def texts_of(file: str) -> dict[str, str]:
    return {name: (bundle_folder(name) / "configs" / file).read_text(encoding="utf-8") for name in bundle_names()}


@pytest.mark.parametrize("file", ["evaluate.yaml", "multi_gpu_train.yaml", "logging.conf"])
def test_files_that_name_no_architecture_are_the_same(file):
    texts = texts_of(file)
    assert len(texts) >= 4
    assert [name for name, text in texts.items() if text != texts["a_segnet_ct_segmentation"]] == []


@pytest.mark.parametrize("file", ["train.yaml", "inference.yaml"])
def test_below_the_line_files_are_the_same(file):
    texts = texts_of(file)
    assert [name for name, text in texts.items() if text.count(LINE) != 1] == []
    lower = {name: text.partition(LINE)[2] for name, text in texts.items()}
    assert [name for name in lower if lower[name] != lower["a_segnet_ct_segmentation"]] == []
    # the rule is worth its name only while most of the file stands below the line
    assert all(len(lower[name]) > len(text) / 2 for name, text in texts.items())


@pytest.mark.parametrize("name", bundle_names())
def test_the_name_in_the_configuration_is_the_folders(name):
    assert read_config(bundle_folder(name), "train")["bundle_name"] == name
