"""A bundle that was copied out of release 0.1, whose configuration names what this release keeps as aliases."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.cli.root import root

LISTED = {
    "train.yaml": ("'train'", "'validation'"),
    "evaluate.yaml": ("@subset",),
}
"""The files with cases of a split, and the subsets that they read."""

BATCHES = {
    r"^    collate_fn:\n      _target_: covid_monai\.data\.as_gathered\n      _mode_: callable\n": "",
    r"^    prepare_batch:\n      _target_: covid_monai\.handlers\.PrepareBatchAugmented\n.*\n": "",
    r"covid_monai\.data\.BatchDataset": "covid_monai.data.EpochDataset",
    r"covid_monai\.transforms\.Batch(?=Rand)": "",
    r"(?<=mode: \[bilinear, )largest_share(?=\]\n    padding_mode)": "nearest",
    r"@copy_transforms$": "@copy_transforms + @random_transforms",
}
"""Transforms of whole batches in ``train.yaml``, as patterns, and those of single slices that 0.1 had."""

NAMES = {
    r"covid_monai\.handlers\.seeding import": "covid_monai.workflow.seeding import",
    # the moving average came later
    r"covid_monai\.handlers\.(?=[A-Za-z])(?!seeding|MovingAverage)": "covid_monai.workflow.",
    r"covid_monai\.weights\.load_weights": "covid_monai.workflow.load_weights",
    r"  - \$from covid_monai\.data import datalist\n": "",
    r"@subset": "@part",
    r"^subset:": "part:",
}
"""What this release writes, as patterns, and what 0.1 wrote."""

SMALL = ("channels=[4,4,8,8,8]", "image_size=[64,64]", "epochs=1", "batch_size=4")


def as_of_0_1(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    for subset in LISTED.get(file.name, ()):
        # the list of cases was a component with the keyword `part`
        call = re.compile(rf"^( *)(\w+): \$datalist\(@dataset_dir, @split_file, @fold, {subset}\)$", re.MULTILINE)
        component = [
            "_target_: covid_monai.data.datalist",
            "dataset_dir: '@dataset_dir'",
            "split_file: '@split_file'",
            "fold: '@fold'",
            f"part: {subset}" if subset.startswith("'") else f"part: '{subset}'",
        ]
        text, count = call.subn(r"\1\2:" + "".join(rf"\n\1  {line}" for line in component), text)
        assert count == 1, subset
    if file.name == "train.yaml":
        for pattern, old in BATCHES.items():
            text, count = re.subn(pattern, old, text, flags=re.MULTILINE)
            assert count, pattern
    for pattern, old in NAMES.items():
        text = re.sub(pattern, old, text, flags=re.MULTILINE)
    assert "$datalist" not in text
    return text


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("copied") / "mine_ct_segmentation"
    shutil.copytree(bundle_folder("a_segnet"), folder)
    for file in (folder / "configs").glob("*.yaml"):
        file.write_text(as_of_0_1(file), encoding="utf-8")
    return folder


def run(*arguments: object) -> str:
    done = CliRunner().invoke(root, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_copy_names_the_rooms_of_0_1(copied):
    text = "".join(file.read_text() for file in (copied / "configs").glob("*.yaml"))
    for name in ("EpochLog", "KeepWeights", "EpochState", "CaseScores", "load_weights", "CountedImages"):
        assert f"_target_: covid_monai.workflow.{name}" in text
    assert "covid_monai.workflow.seeding import start_from_seed" in text
    assert "part: '@part'" in text
    assert "_target_: covid_monai.data.EpochDataset" in text
    assert "_target_: RandAffined" in text
    assert "BatchRand" not in text
    for later in ("monai.handlers import from_engine", "covid_monai.handlers.MovingAverage"):
        text = text.replace(later, "")
    assert "handlers." not in text


def test_it_trains_evaluates_and_predicts(copied, tiny_dataset, tmp_path):
    settings = [word for setting in SMALL for word in ("--set", setting)]
    split, trained = tiny_dataset / "split.json", tmp_path / "run"
    run("train", copied, "--data", tiny_dataset, "--split", split, "-o", trained, *settings)
    run("evaluate", trained, "--trust-run")
    assert (trained / "evaluation" / "test" / "scores.csv").is_file()
    image = sorted((tiny_dataset / "images").iterdir())[0]
    run("predict", image, "-o", tmp_path / "masks", "--checkpoint", trained, "--trust-run")
    assert (tmp_path / "masks" / image.name).is_file()


def test_every_name_that_0_1_had_for_bundles_leads_somewhere():
    import covid_monai.inference
    import covid_monai.workflow

    # what the configurations of release 0.1 name
    for name in (
        "CaseScores",
        "CountedImages",
        "EpochLog",
        "EpochState",
        "KeepWeights",
        "MeanOverProcesses",
        "Progress",
        "SeedEpoch",
        "load_weights",
        "synchronise_batch_norm",
    ):
        assert callable(getattr(covid_monai.workflow, name))
    assert callable(covid_monai.inference.AutocastInferer)
    assert callable(covid_monai.inference.SaveMasks)
