"""A run that is killed and resumed ends with the weights of a run that was not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from covid_monai.errors import InputError, InputWarning
from covid_monai.files import sha256_of
from covid_monai.run.training import train
from tests.tiny import SMALL_NETWORK

SETTINGS = {**SMALL_NETWORK, "epochs": 4, "batch_size": 2, "learning_rate": 0.02, "learning_rate_step": 2}

KILLED = """
import os, signal, sys
from covid_monai.handlers import log, state
from covid_monai.run.training import train

moment, bundle, data, output, workers = sys.argv[1:]
if moment == "mid-epoch":
    add_loss = log.EpochLog.add_loss
    def kill_in_third_epoch(self, engine):
        add_loss(self, engine)
        if engine.state.epoch == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    log.EpochLog.add_loss = kill_in_third_epoch
else:
    save_nested = state.save_nested
    def kill_in_third_save(folder, name, content):
        save_nested(folder, name, content)
        if "epoch-0003" in str(folder):
            os.kill(os.getpid(), signal.SIGKILL)
    state.save_nested = kill_in_third_save
train(bundle, data, output, settings={**SETTINGS, "workers": int(workers)})
"""

OTHERS = {
    # the rate is halved in the middle, by a count that has to survive
    "au_net": {"channels": [4, 4, 8], "heads": 2, "image_size": [32, 32], "learning_rate_patience": 1, "patience": 4},
    # the moving average of the weights, and a cycle of rates over all epochs
    "covid_lesion": {"channels": [4, 4, 8], "heads": 2, "image_size": [32, 32], "augmentation": 0.5},
    # every step hashes by rotations of its own
    "residual_attention_unet": {
        "channels": [4, 8, 16],
        "cardinality": 2,
        "attention_heads": 2,
        "attention_rounds": 2,
        "attention_chunk": 16,
        "image_size": [32, 32],
        "copy_quarter_turns": [1],
        "copy_scalings": [],
        "augmentation": 0.5,
    },
}
"""Small settings of the bundles beside A-SegNet whose training has more to remember."""


def last_state(run: Path) -> dict[str, str]:
    (folder,) = (run / "state").iterdir()
    assert folder.name == "epoch-0004"
    return {file.name: sha256_of(file) for file in folder.iterdir() if file.name != "log.json"}


def history(run: Path) -> list[str]:
    # all but the time that it took
    return [line.rpartition(', "seconds"')[0] for line in rows(run)]


def rows(run: Path) -> list[str]:
    return (run / "log.jsonl").read_text().splitlines()


REST = (("mid-epoch", 2), ("mid-save", 0), ("mid-save", 2))


@pytest.fixture(scope="module")
def uninterrupted(tiny_dataset, tmp_path_factory) -> Path:
    return train("a_segnet", tiny_dataset, tmp_path_factory.mktemp("whole") / "run", settings=SETTINGS).folder


def killed_run(bundle: str, settings: dict, moment: str, workers: int, data: Path, output: Path) -> Path:
    """A run that was killed in its third epoch or while that was saved."""
    script = KILLED.replace("{**SETTINGS", f"{{**{settings!r}")
    command = [sys.executable, "-c", script, moment, bundle, str(data), str(output), str(workers)]
    killed = subprocess.run(command, env=dict(os.environ), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [child.name for child in (output / "state").glob("epoch-*")] == ["epoch-0002"]
    return output


@pytest.mark.parametrize(
    ("moment", "workers"),
    [
        ("mid-epoch", 0),
        *(pytest.param(moment, workers, marks=pytest.mark.slow) for moment, workers in REST),
    ],
)
def test_killed_and_resumed_ends_bit_identical(moment, workers, tiny_dataset, uninterrupted, tmp_path):
    output = killed_run("a_segnet", SETTINGS, moment, workers, tiny_dataset, tmp_path / "run")
    train("a_segnet", tiny_dataset, output, settings={**SETTINGS, "workers": workers}, resume=True)

    assert last_state(output) == last_state(uninterrupted)
    assert sha256_of(output / "model.safetensors") == sha256_of(uninterrupted / "model.safetensors")
    assert history(output) == history(uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("bundle", OTHERS)
def test_schedules_and_hashing_go_on_where_a_killed_run_stopped(bundle, tiny_dataset, tmp_path):
    rate = 1e-6 if bundle == "au_net" else 0.01
    settings = {**OTHERS[bundle], "epochs": 4, "batch_size": 2, "learning_rate": rate}
    whole = train(bundle, tiny_dataset, tmp_path / "whole", settings=settings).folder
    output = killed_run(bundle, settings, "mid-epoch", 0, tiny_dataset, tmp_path / "run")
    train(bundle, tiny_dataset, output, resume=True)

    assert last_state(output) == last_state(whole)
    assert sha256_of(output / "model.safetensors") == sha256_of(whole / "model.safetensors")
    assert history(output) == history(whole)
    if bundle == "au_net":
        assert [json.loads(line)["learning_rate"] for line in rows(whole)] == [rate, rate, rate / 2, rate / 4]
    elif bundle == "residual_attention_unet":
        weights = load_file(whole / "state" / "epoch-0004" / "network.safetensors")
        steps = [int(value) for name, value in weights.items() if name.endswith("attention.step")]
        # three slices, each as it is and turned, in batches of two, for four epochs
        assert steps == [12, 12]


def test_resuming_a_finished_run_changes_nothing(tiny_dataset, uninterrupted):
    before = {path: sha256_of(path) for path in uninterrupted.rglob("*.safetensors")}
    train("a_segnet", tiny_dataset, uninterrupted, settings=SETTINGS, resume=True)
    assert {path: sha256_of(path) for path in uninterrupted.rglob("*.safetensors")} == before


def test_resuming_with_another_setting_is_refused(tiny_dataset, uninterrupted):
    with pytest.raises(InputError, match=r"trained with learning_rate = 0.02, not 0.5"):
        train("a_segnet", tiny_dataset, uninterrupted, settings={**SETTINGS, "learning_rate": 0.5}, resume=True)


def test_resuming_another_fold_is_refused(tiny_dataset, uninterrupted):
    with pytest.raises(InputError, match="trained with fold 0, not 1"):
        train("a_segnet", tiny_dataset, uninterrupted, fold=1, settings=SETTINGS, resume=True)


@pytest.mark.parametrize("left", [None, (), (".writing-x1run.json",)])
def test_resuming_where_no_run_was_begun_starts_afresh_and_says_so(left, tiny_dataset, uninterrupted, tmp_path):
    if left is not None:
        (tmp_path / "run").mkdir()
        for name in left:
            (tmp_path / "run" / name).touch()
    with pytest.warns(InputWarning, match="holds no run yet, so training starts afresh"):
        train("a_segnet", tiny_dataset, tmp_path / "run", settings=SETTINGS, resume=True)
    assert last_state(tmp_path / "run") == last_state(uninterrupted)
    assert not list((tmp_path / "run").glob(".writing-*"))


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_other_files_is_left_alone(resume, tiny_dataset, tmp_path):
    (tmp_path / "notes").write_text("mine")
    why = "holds no run to go on with, but something else" if resume else "is not an empty folder"
    with pytest.raises(InputError, match=why):
        train("a_segnet", tiny_dataset, tmp_path, settings=SETTINGS, resume=resume)
    assert [child.name for child in tmp_path.iterdir()] == ["notes"]


def test_another_seed_gives_other_weights(tiny_dataset, uninterrupted, tmp_path):
    other = train("a_segnet", tiny_dataset, tmp_path / "run", settings={**SETTINGS, "seed": 1}).folder
    assert last_state(other)["network.safetensors"] != last_state(uninterrupted)["network.safetensors"]


def test_resuming_keeps_the_settings_that_are_not_repeated(tiny_dataset, uninterrupted):
    before = sha256_of(uninterrupted / "model.safetensors")
    train("a_segnet", tiny_dataset, uninterrupted, resume=True)
    assert len(history(uninterrupted)) == 4
    assert sha256_of(uninterrupted / "model.safetensors") == before


def test_a_finished_run_can_be_trained_for_longer(tiny_dataset, uninterrupted, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(uninterrupted, run)
    train("a_segnet", tiny_dataset, run, settings={"epochs": 5}, resume=True)
    assert len(history(run)) == 5


def test_resuming_on_data_prepared_anew_is_refused(tiny_dataset, uninterrupted, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_dataset, data)
    text = (data / "dataset.json").read_text()
    (data / "dataset.json").write_text(text.replace('"licence": "none"', '"licence": "other"'))
    with pytest.raises(InputError, match="trained with manifest"):
        train("a_segnet", data, uninterrupted, settings=SETTINGS, resume=True)


def test_files_that_others_leave_among_the_states_are_left_alone(tiny_dataset, tmp_path):
    run = train("a_segnet", tiny_dataset, tmp_path / "run", settings={**SETTINGS, "epochs": 1}).folder
    (run / "state" / ".DS_Store").touch()
    train("a_segnet", tiny_dataset, run, settings={"epochs": 2}, resume=True)
    assert {child.name for child in (run / "state").iterdir()} == {".DS_Store", "epoch-0002"}
