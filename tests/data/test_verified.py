"""Data that were changed after they were prepared or split are refused, and unchanged ones are read once."""

import json
import os
import shutil
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from covid_monai.data import verified
from covid_monai.data.manifest import read_dataset
from covid_monai.data.sources.phantom import prepare_phantom
from covid_monai.data.splits import datalist
from covid_monai.data.verified import CACHE_FILE, refuse_changed_files
from covid_monai.errors import InputError


@pytest.fixture
def data(tiny_dataset, tmp_path) -> Path:
    """A copy that may be changed, whose files are older than a tick of any clock."""
    shutil.copytree(tiny_dataset, tmp_path / "data", ignore=shutil.ignore_patterns(".*"))
    return tmp_path / "data"


@pytest.fixture
def settled(monkeypatch) -> None:
    """As if the files had been written long ago: their change time cannot be set back."""
    now = time.time_ns
    monkeypatch.setattr(verified.time, "time_ns", lambda: now() + 60 * 10**9)


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The names of the files that are read for their hash."""
    names: list[str] = []
    whole = verified.sha256_of

    def counted(path):
        names.append(Path(path).name)
        return whole(path)

    monkeypatch.setattr(verified, "sha256_of", counted)
    return names


def check(folder: Path) -> None:
    dataset = read_dataset(folder)
    refuse_changed_files(dataset, dataset.cases)


def both_tests(folder: Path) -> list[list[dict]]:
    return [datalist(folder, folder / "split.json", fold, "test") for fold in (0, 1)]


def put(path: Path, values: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(values, nibabel.load(path).affine), path)


CHANGES = {
    "another image": lambda path: put(path, np.full((64, 64, 1), -1000, np.int16)),
    "another size": lambda path: put(path, np.zeros((32, 32, 1), np.uint8)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "one byte": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
    "scaled": lambda path: put(path, np.asarray(nibabel.load(path).dataobj).astype(np.float32) * 0.9),
    "another's": lambda path: shutil.copy(path.with_name("p1_s1.nii.gz"), path),
    "link": lambda path: (path.unlink(), path.symlink_to(path.with_name("p1_s1.nii.gz"))),
}


@pytest.mark.parametrize("kind", ["images", "labels"])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_was_changed_is_named(kind, change, data, settled):
    check(data)
    assert (data / CACHE_FILE).is_file()
    CHANGES[change](data / kind / "p0_s0.nii.gz")
    with pytest.raises(InputError, match=rf"changed after .*{kind}/p0_s0\.nii\.gz; put back"):
        check(data)


def test_a_file_that_was_changed_before_anything_was_read_is_named(data):
    CHANGES["one byte"](data / "labels" / "p0_s0.nii.gz")
    with pytest.raises(InputError, match=r"labels/p0_s0\.nii\.gz; put back"):
        check(data)
    with pytest.raises(InputError, match=r"labels/p0_s0\.nii\.gz; put back"):
        check(data)


def test_a_file_whose_times_were_set_back_is_found(data, settled):
    check(data)
    path = data / "images" / "p0_s0.nii.gz"
    before = path.stat()
    CHANGES["one byte"](path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(InputError, match="p0_s0"):
        check(data)


def test_unchanged_files_are_read_once(data, settled, reads):
    check(data)
    assert len(reads) == 24
    check(data)
    assert len(reads) == 24
    os.utime(data / "images" / "p0_s0.nii.gz")
    check(data)
    assert reads[24:] == ["p0_s0.nii.gz"]


def test_files_written_just_now_are_read_again(data, reads):
    # they could change once more within the same tick of the file system's clock
    check(data)
    check(data)
    assert len(reads) == 48


def test_a_cache_that_came_with_the_data_proves_nothing(data, settled, reads, tmp_path):
    check(data)
    shutil.copytree(data, tmp_path / "copy")
    assert (tmp_path / "copy" / CACHE_FILE).is_file()
    CHANGES["one byte"](tmp_path / "copy" / "images" / "p0_s0.nii.gz")
    with pytest.raises(InputError, match="p0_s0"):
        check(tmp_path / "copy")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": "covid-monai verified files", "files": {"a": 1}}'])
def test_a_damaged_cache_is_written_anew(content, data, settled):
    (data / CACHE_FILE).write_text(content)
    check(data)
    assert len(json.loads((data / CACHE_FILE).read_text())["files"]) == 24


def test_data_that_cannot_be_written_are_kept_in_the_users_cache(data, settled, reads, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # an administrator may write everywhere
    monkeypatch.setattr(verified.os, "access", lambda path, mode: False)
    check(data)
    check(data)
    assert len(reads) == 24
    assert not (data / CACHE_FILE).exists()


def test_nowhere_to_keep_it_is_no_error(data, settled, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(verified.os, "access", lambda path, mode: False)
    check(data)


def test_a_subset_is_checked_alone(data, settled, reads):
    datalist(data, data / "split.json", 0, "test")
    read = len(reads)
    assert 0 < read < 24
    train = {item["case"] for item in datalist(data, data / "split.json", 0, "train")}
    name = sorted(train)[0]
    CHANGES["cut"](data / "labels" / f"{name}.nii.gz")
    datalist(data, data / "split.json", 0, "test")
    with pytest.raises(InputError, match=name):
        datalist(data, data / "split.json", 0, "train")


def test_many_changed_files_are_counted(data):
    for path in (data / "labels").iterdir():
        CHANGES["empty"](path)
    with pytest.raises(InputError, match=r"p0_s2\.nii\.gz and 9 more; put back"):
        check(data)


def test_preparing_the_data_again_is_the_way_out(tmp_path):
    prepare_phantom(tmp_path / "data", patients=1, size=64, slices=4)
    labels = sorted((tmp_path / "data" / "labels").iterdir())
    CHANGES["cut"](labels[0])
    with pytest.raises(InputError, match="or prepare the data again"):
        check(tmp_path / "data")
    prepare_phantom(tmp_path / "data", patients=1, size=64, slices=4, overwrite=True)
    check(tmp_path / "data")


def test_patients_that_were_changed_after_a_grouped_split_are_told(data):
    content = json.loads((data / "dataset.json").read_text())
    for case in content["training"]:
        case["patient"] = "p1" if case["patient"] == "p2" else case["patient"]
    (data / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"one patient, .* in several subsets .*dataset\.json was changed"):
        both_tests(data)


def test_evaluating_on_a_changed_manifest_is_warned_of(tiny_run, tiny_dataset, data, tmp_path):
    from covid_monai.errors import InputWarning
    from covid_monai.run.evaluation import evaluate

    text = (data / "dataset.json").read_text()
    (data / "dataset.json").write_text(text.replace('"licence": "none"', '"licence": "other"'))
    with pytest.warns(InputWarning, match=r"dataset\.json was changed after the run was trained"):
        evaluate(tiny_run, data=data, output=tmp_path / "scores")
    assert "was changed" in json.loads((tmp_path / "scores" / "evaluation.json").read_text())["warning"]
