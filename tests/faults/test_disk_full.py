"""A full disk is told in one line that names the file, and leaves nothing half-written."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from safetensors.torch import save_file

from covid_monai.errors import InputError
from covid_monai.files import cannot_write, naming_disk_errors, replacing
from tests.faults.disk import files_in, files_of_at_most

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.integers(-1000, 1000, (64, 64, 4), dtype=np.int16)


def save_figure(path: Path) -> None:
    figure = Figure(figsize=(6, 4))
    figure.subplots().imshow(VALUES[:, :, 0])
    figure.savefig(path, format="png")


def save_with_torch(path: Path) -> None:
    with path.open("wb") as file:
        torch.save({"weights": torch.rand(100, 100)}, file)


WRITERS: dict[str, Callable[[Path], object]] = {
    "mask.nii.gz": lambda path: nibabel.save(nibabel.Nifti1Image(VALUES, np.eye(4)), path),
    "mask.nii": lambda path: nibabel.save(nibabel.Nifti1Image(VALUES, np.eye(4)), path),
    "weights.safetensors": lambda path: save_file({"weights": torch.rand(100, 100)}, path),
    "weights.pt": save_with_torch,
    "picture.png": save_figure,
    "scores.csv": lambda path: pd.DataFrame(RANDOM.random((500, 4))).to_csv(path),
    "page.html": lambda path: path.write_text("x" * 20_000),
    "copy": lambda path: shutil.copyfile(os.__file__, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_library_names_the_file_and_leaves_none(name, tmp_path):
    def write():
        with replacing(tmp_path / name) as temporary:
            WRITERS[name](temporary)

    with files_of_at_most(4096), pytest.raises(InputError) as told:
        write()
    assert str(told.value).startswith(f"cannot write {tmp_path / name}: File too large; ")
    assert not files_in(tmp_path)
    write()
    assert files_in(tmp_path) == {name}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "No space left on device; free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "choose a folder you may write to"),
        (errno.EIO, "choose a folder on another"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
    ],
)
def test_the_advice_is_that_of_the_reason(number, advice):
    assert advice in str(cannot_write("mask.nii.gz", OSError(number, os.strerror(number))))


def test_what_cannot_be_read_is_not_told_as_what_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"), replacing(tmp_path / "copy") as temporary:
        shutil.copyfile(tmp_path / "missing", temporary)


def test_other_errors_go_on_as_they_are(tmp_path):
    with pytest.raises(ValueError, match="not of the disk"), naming_disk_errors(tmp_path / "copy"):
        raise ValueError("not of the disk")


@pytest.mark.parametrize("name", [f"{'n' * 248}.nii.gz", f"{'n' * 243}.safetensors", f"a.{'n' * 253}", "n" * 255])
def test_names_as_long_as_they_can_be_are_written(name, tmp_path):
    with replacing(tmp_path / name) as temporary:
        temporary.write_bytes(b"mask")
    assert files_in(tmp_path) == {name}


def test_a_name_that_is_too_long_is_told(tmp_path):
    with (
        pytest.raises(InputError, match="File name too long; choose a shorter name"),
        replacing(tmp_path / ("n" * 256)) as temporary,
    ):
        temporary.write_bytes(b"mask")
    assert not files_in(tmp_path)
