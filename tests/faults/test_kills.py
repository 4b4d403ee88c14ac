"""Commands that are killed: every file is complete or absent, and the same command finishes as if nothing had been.

``KILLS`` in the environment says how many kills there are in all; ``SEED`` draws their moments, and both are printed.
"""

import csv
import gzip
import hashlib
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.torch import load_file

from tests.faults.killing import Commands
from tests.tables.tiny_table import SMALL, write_table

COMMANDS = ("prepare", "train", "predict", "score", "reproduce")
KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", "0"))

NETWORK = ("--set", "image_size=[32,32]", "--set", "channels=[4,4,4,4,4]", "--set", "epochs=2", "--set", "batch_size=4")


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with Commands() as running:
        yield running


@pytest.fixture(scope="module")
def inputs(commands, tmp_path_factory) -> Path:
    """A prepared and split phantom, other masks to score, a trained run, and a tiny table for the phantom."""
    folder = tmp_path_factory.mktemp("inputs")
    data = folder / "data"
    splitting = ["--protocol", "grouped", "--folds", 2, "--validation-fraction", 0.5]
    for arguments in (
        ["data", "phantom", "-o", data, "--patients", 4, "--size", 64, "--slices", 4],
        ["data", "split", data, "-o", data / "split.json", *splitting],
        ["train", "a_segnet", "--data", data, "-o", folder / "run", *NETWORK],
    ):
        ended = commands.run(arguments, folder)
        assert ended.status == 0, ended.output
    for path in (data / "labels").iterdir():
        image = nibabel.load(path)
        moved = np.roll(np.asarray(image.dataobj), 1, axis=0)
        (folder / "moved").mkdir(exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(moved, image.affine), folder / "moved" / path.name)
    changed = {
        "needs": {"sources": ["phantom"], "canvas": False},
        "settings": {**SMALL, "image_size": [32, 32], "channels": [4, 4, 4, 4, 4], "epochs": 1},
    }
    write_table(folder, changed)
    return folder


def command(name: str, inputs: Path, output: Path) -> list[object]:
    """The command that is killed, and finishes when it is given again."""
    data = inputs / "data"
    if name == "prepare":
        return ["data", "prepare", "nifti", data / "volumes", "--label-map", "1=1,2=2,3=3", "-o", output]
    if name == "train":
        return ["train", "a_segnet", "--data", data, "-o", output, *NETWORK, "--resume"]
    if name == "predict":
        return ["predict", data / "volumes" / "images", "-o", output, "--run", inputs / "run", "--probabilities"]
    if name == "score":
        return ["score", f"moved={inputs / 'moved'}", f"same={data / 'labels'}", data / "labels", "-o", output]
    what = ["--protocol", "grouped", "--rows", 1, "--folds", 0, "--seeds", 1, "--device", "cpu", "--resume"]
    what += ["--publish", published(output)]
    return ["reproduce", inputs / "tiny.yaml", "--data", data, "-o", output, *what]


def published(output: Path) -> Path:
    return output.with_name(f"{output.name}-published")


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


KEPT = {
    "prepare": ("**/*",),
    "train": ("model.safetensors", "model.json", "state/*/*.safetensors"),
    "predict": ("**/*.nii.gz",),
    "score": ("**/*",),
    "reproduce": ("jobs/**/*.nii.gz", "jobs/**/model.safetensors", "jobs/**/scores.*", "splits/*", "table.csv"),
}
"""What is the same whenever and however often a command is run: all but times."""


def results(name: str, output: Path) -> dict[str, str]:
    files = {path for pattern in KEPT[name] for path in output.glob(pattern) if path.is_file()}
    visible = {path for path in files if not any(part.startswith(".") for part in path.relative_to(output).parts)}
    assert visible
    return {str(path.relative_to(output)): hashlib.sha256(unpacked(path)).hexdigest() for path in visible}


READERS: dict[str, Callable[[Path], object]] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    ".yaml": lambda path: yaml.safe_load(path.read_text())["bundle_name"],
    ".csv": lambda path: {len(row) for row in csv.reader(path.open())}.pop(),
    ".gz": lambda path: np.asarray(nibabel.load(path).dataobj).sum() if ".nii" in path.suffixes else unpacked(path),
    ".safetensors": load_file,
    ".png": lambda path: Image.open(path).load(),
    ".html": lambda path: path.read_text().rstrip().removesuffix("</html>").index("<html"),
    ".md": lambda path: path.read_text().index("#"),
    ".lock": lambda path: None,
}


def assert_complete(output: Path) -> None:
    """Every file under a name that is no temporary one can be read to its end."""
    for path in [*output.rglob("*"), *published(output).rglob("*")]:
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(output.parent).parts):
            READERS[path.suffix](path)


SLOW = {"prepare", "train", "predict", "reproduce"}


@pytest.mark.timeout(480 + 60 * KILLS)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in COMMANDS]
)
def test_killed_at_any_moment_it_finishes_the_same(name, commands, inputs, tmp_path):
    whole = commands.run(command(name, inputs, tmp_path / "whole"), tmp_path / "whole")
    assert whole.status == 0, whole.output
    expected = results(name, tmp_path / "whole")
    kills = KILLS // len(COMMANDS) + (COMMANDS.index(name) < KILLS % len(COMMANDS))
    draw = random.Random(f"{SEED} {name}")
    moments = sorted(draw.sample(range(1, whole.changes + 1), min(kills, whole.changes)))
    print(f"KILLS={KILLS} SEED={SEED}: {name} is killed before its changes {moments} of {whole.changes}")
    for moment in moments:
        output = tmp_path / f"killed-{moment}"
        arguments = command(name, inputs, output)
        killed = commands.run(arguments, output, kill_at=moment)
        assert killed.status == -signal.SIGKILL, killed.output
        assert_complete(output)
        again = commands.run(arguments, output)
        assert again.status == 0, f"after the kill at {moment}: {again.output}"
        assert_complete(output)
        assert results(name, output) == expected, f"after the kill at {moment}"
