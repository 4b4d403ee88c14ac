import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

import covid_monai as cm
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.run.folder import read_run
from tests.tiny import SMALL_NETWORK

QUICK = {**SMALL_NETWORK, "epochs": 1}


def test_a_run_knows_its_files(tiny_run):
    run = cm.Run(tiny_run)
    for file in (run.record, run.weights, run.weights_record, run.log, run.config, run.environment, run.split):
        assert file.is_file(), file
    assert run.bundle == "a_segnet_ct_segmentation"
    assert run.settings["epochs"] == len(run.read_log())
    assert run.read_weights_record()["sha256"] == sha256_of(run.weights)
    assert str(tiny_run) in repr(run)


def test_a_folder_without_a_run_is_none(tmp_path):
    with pytest.raises(InputError, match=r"has no run\.json"):
        cm.Run(tmp_path)


def test_a_run_evaluates_itself_and_hands_out_the_scores(tiny_run, tmp_path):
    run = cm.Run(shutil.copytree(tiny_run, tmp_path / "run"))
    scores = run.evaluate(subset="validation", device="cpu")
    stored = json.loads((run.evaluation("validation") / "scores.json").read_text())
    assert scores.value("dice") == stored["levels"]["pooled"]["classes"]["lesion"]["measures"]["dice"]["value"]
    assert 0.5 < scores.value("dice") <= 1
    assert set(scores.frame["level"]) >= {"slice"}


def test_an_unknown_subset_is_refused(tiny_run):
    with pytest.raises(InputError, match="subset is 'rest'; it can be one of train, validation, test, all"):
        cm.Run(tiny_run).evaluate(subset="rest")


def test_fine_tuning_begins_with_the_weights_of_the_other_run(tiny_dataset, tiny_run, tmp_path):
    settings = {**QUICK, "learning_rate": 0.0, "weights_kept": "last"}
    tuned = cm.train("a_segnet", tiny_dataset, tmp_path / "tuned", settings=settings, init=tiny_run)
    start = load_file(cm.Run(tiny_run).weights)
    parameters = [name for name in start if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert parameters
    trained = load_file(tuned.weights)
    for name in parameters:
        torch.testing.assert_close(trained[name], start[name], rtol=0, atol=0)
    assert read_run(tuned).init == sha256_of(cm.Run(tiny_run).weights)


def test_weights_of_another_network_are_no_start_and_nothing_is_written(tiny_dataset, tiny_run, tmp_path):
    with pytest.raises(InputError, match="do not fit this network"):
        cm.train(
            "a_segnet", tiny_dataset, tmp_path / "run", settings={**QUICK, "channels": [4, 4, 4, 4, 4]}, init=tiny_run
        )
    assert not (tmp_path / "run").exists()


def test_a_run_of_the_first_release_is_read(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    content = json.loads((folder / "run.json").read_text())
    del content["init"]
    (folder / "run.json").write_text(json.dumps(content))
    assert cm.Run(folder).identity.init is None


def test_no_bar_is_drawn_unless_it_is_asked_for(tiny_dataset, tmp_path, capsys):
    run = cm.train("a_segnet", tiny_dataset, tmp_path / "quiet", settings=QUICK)
    run.evaluate(data=tiny_dataset)
    assert "it/s" not in (quiet := capsys.readouterr().err)
    assert "batch" not in quiet
    cm.train("a_segnet", tiny_dataset, tmp_path / "shown", settings=QUICK, progress=True).evaluate(progress=True)
    shown = capsys.readouterr().err
    assert "epoch 1/1" in shown
    assert "evaluating" in shown


def test_a_run_is_scored_on_a_second_grid_beside_its_own(tiny_run, tmp_path):
    run = cm.Run(shutil.copytree(tiny_run, tmp_path / "run"))
    native = run.evaluate(device="cpu").frame
    folder = run.evaluation()
    assert not (folder / "scoring_grid").exists()
    speed = json.loads((folder / "speed.json").read_text())
    assert 0 < speed["seconds_per_slice"] < 60
    assert speed["slices"] == len(native[native["level"] == "slice"])
    # the tiny slices are of 64 x 64, which the network computes on
    again = run.evaluate(device="cpu", scoring_grid=64).frame
    same, smaller = cm.Scores.read(folder / "scoring_grid").frame, None
    assert again.equals(native)
    assert same[["case", "tp", "fp", "fn", "tn"]].equals(native[["case", "tp", "fp", "fn", "tn"]])
    run.evaluate(device="cpu", scoring_grid=[48, 80])
    smaller = cm.Scores.read(folder / "scoring_grid")
    assert smaller.frame["case"].equals(native["case"])
    assert (smaller.frame.loc[smaller.frame["level"] == "slice", ["tp", "fp", "fn", "tn"]].sum(axis=1) == 48 * 80).all()
    assert json.loads((folder / "scoring_grid" / "scores.json").read_text())["grid"] == [48, 80]
    assert json.loads((folder / "evaluation.json").read_text())["scoring_grid"] == [48, 80]
    # what is left of it would be of other weights some day
    run.evaluate(device="cpu")
    assert not (folder / "scoring_grid").exists()


def test_a_grid_that_is_none_is_refused_before_anything_is_computed(tiny_run, tmp_path):
    with pytest.raises(InputError, match="the grid to score on is 0"):
        cm.Run(tiny_run).evaluate(output=tmp_path / "scores", scoring_grid=0)
    assert not (tmp_path / "scores").exists()
