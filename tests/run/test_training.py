import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file

from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.run.evaluation import evaluate
from covid_monai.run.training import train
from tests.tiny import SMALL_NETWORK

QUICK = {**SMALL_NETWORK, "epochs": 2, "batch_size": 4}


def test_a_run_folder_explains_itself(tiny_run):
    records = [json.loads(line) for line in (tiny_run / "log.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, 31))
    assert all(math.isfinite(record["loss"]) for record in records)
    best = json.loads((tiny_run / "model.json").read_text())
    assert best["validation_dice"] == max(record["validation_dice"] for record in records)
    assert best["sha256"] == sha256_of(tiny_run / "model.safetensors")
    assert load_file(tiny_run / "model.safetensors")["classifier.weight"].shape == (2, 8, 1, 1)
    assert json.loads((tiny_run / "environment.json").read_text())["packages"]["torch"] != "not installed"
    assert "learning_rate: 0.02" in (tiny_run / "config.yaml").read_text()
    assert [child.name for child in (tiny_run / "state").iterdir()] == ["epoch-0030"]


def test_the_tiny_lesions_are_learned(tiny_run):
    assert json.loads((tiny_run / "model.json").read_text())["validation_dice"] > 0.9


def test_training_stops_when_patience_ends_and_stays_stopped(tiny_dataset, tmp_path):
    settings = {**QUICK, "epochs": 40, "patience": 1, "learning_rate": 0.0}
    run = train("a_segnet", tiny_dataset, tmp_path / "run", settings=settings).folder
    epochs = len((run / "log.jsonl").read_text().splitlines())
    assert epochs < 40
    train("a_segnet", tiny_dataset, run, settings=settings, resume=True)
    assert len((run / "log.jsonl").read_text().splitlines()) == epochs


def test_a_typo_in_a_setting_is_refused_with_a_suggestion(tiny_dataset, tmp_path):
    with pytest.raises(InputError, match=r"no setting 'epoch'.*did you mean 'epochs'"):
        train("a_segnet", tiny_dataset, tmp_path / "run", settings={"epoch": 3})
    assert not (tmp_path / "run").exists()


def test_a_typo_inside_a_setting_is_refused(tiny_dataset, tmp_path):
    with pytest.raises(InputError, match="did you mean 'num_workers'"):
        train("a_segnet", tiny_dataset, tmp_path / "run", settings={"train#dataloader#num_worker": 3})


def test_a_folder_with_something_in_it_is_not_overwritten(tiny_dataset, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not an empty folder"):
        train("a_segnet", tiny_dataset, tmp_path, settings=QUICK)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_diverging_loss_stops_with_advice(tiny_dataset, tmp_path):
    with pytest.raises(InputError, match=r"loss is nan.*lower learning_rate"):
        train(
            "a_segnet",
            tiny_dataset,
            tmp_path / "run",
            settings={**QUICK, "epochs": 30, "learning_rate": 1e30},
        )


def test_a_missing_split_is_named(tiny_dataset, tmp_path):
    with pytest.raises(InputError, match=r"no split file at .*covid-monai data split"):
        train("a_segnet", tiny_dataset, tmp_path / "run", split=tmp_path / "split.json")


def test_a_fold_that_is_not_there_is_named(tiny_dataset, tmp_path):
    with pytest.raises(InputError, match="fold"):
        train("a_segnet", tiny_dataset, tmp_path / "run", fold=7, settings=QUICK)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": "ten"}, "epochs is 'ten'; it must be a whole number"),
        ({"attention": 1}, "attention is 1; it must be true or false"),
        ({"image_size": 64}, "image_size is 64; it must be a list"),
        ({"epochs": 0}, "epochs is 0; it must be a whole number from 1"),
        ({"train#dataloader#batch_size": 0}, "cannot be built with these settings: .*batch_size"),
        ({"convolutions": [2, 2]}, "cannot be built with these settings: .*one number a level"),
        ({"loss": "jaccard"}, "loss is 'jaccard'; it must be one of dice, tversky, focal_tversky"),
        ({"image_size": [64]}, "a list of 2 whole numbers"),
        ({"network_def#out_channels": 5}, "class_names has 2 names"),
        ({"lesion_labels": [1], "lesion_classes": [1]}, r"holds the labels \[2\].*does not name"),
        ({"lesion_labels": [1, 2], "lesion_classes": [1]}, "give a class to each label"),
        ({"lesion_labels": [1, 2], "lesion_classes": [1, 2]}, "the network has the classes 0 to 1"),
        ({"output_dir": "elsewhere"}, "given by `output`"),
    ],
)
def test_impossible_values_are_refused_in_one_line(settings, message, tiny_dataset, tmp_path):
    with pytest.raises(InputError, match=message):
        train("a_segnet", tiny_dataset, tmp_path / "run", settings={**QUICK, **settings})
    assert not (tmp_path / "run").exists()


def test_a_run_that_would_never_validate_is_refused_at_the_start_and_its_advice_is_taken(tiny_dataset, tmp_path):
    settings = {**QUICK, "validation_interval": 3}
    with pytest.raises(InputError, match="no epoch would be validated"):
        train("a_segnet", tiny_dataset, tmp_path / "run", settings=settings)
    assert not (tmp_path / "run").exists()
    run = train("a_segnet", tiny_dataset, tmp_path / "run", settings={**settings, "weights_kept": "last"})
    assert (run.folder / "model.safetensors").is_file()


def test_what_an_inner_setting_breaks_while_training_is_told_in_one_line(tiny_dataset, tmp_path):
    settings = {**QUICK, "slice_transforms#0#dim": 0}
    with pytest.raises(InputError, match=r"with slice_transforms#0#dim = 0: "):
        train("a_segnet", tiny_dataset, tmp_path / "run", settings=settings)


def test_paths_that_look_like_expressions_are_paths(tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = train("a_segnet", tiny_dataset, "$run", settings=QUICK).folder
    assert run == tmp_path / "$run"
    assert (evaluate("$run", output="@scores").folder / "scores.csv").is_file()


def test_scores_of_other_data_are_not_overwritten(tiny_dataset, tiny_run, tmp_path):
    scores = evaluate(tiny_run, data=tiny_dataset, subset="all", output=tmp_path / "scores").folder
    assert json.loads((scores / "evaluation.json").read_text())["weights"] == sha256_of(tiny_run / "model.safetensors")
    shutil.copytree(tiny_dataset, tmp_path / "data")
    text = (tmp_path / "data" / "dataset.json").read_text()
    (tmp_path / "data" / "dataset.json").write_text(text.replace('"licence": "none"', '"licence": "other"'))
    with pytest.raises(InputError, match="holds the scores of"):
        evaluate(tiny_run, data=tmp_path / "data", subset="all", output=scores)


def test_training_leaves_torchs_choice_of_algorithms_as_it_was(tiny_dataset, tmp_path):
    assert not torch.are_deterministic_algorithms_enabled()
    evaluate(train("a_segnet", tiny_dataset, tmp_path / "run", settings={**QUICK, "epochs": 1}))
    assert not torch.are_deterministic_algorithms_enabled()
