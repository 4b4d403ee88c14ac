"""Files that are published together: all of them or none, and nothing else is touched."""

import errno
import fcntl
import os
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from covid_monai import staging
from covid_monai.errors import InputError
from covid_monai.files import protecting
from covid_monai.staging import BusyError, locked, staged_files


class KilledError(BaseException):
    """Stands for the end of the process: nothing that would tidy up is run."""


def write(folder: Path, content: str = "new", stale: tuple[Path, ...] = (), overwrite: bool = False) -> None:
    with staged_files(folder, ".staging", "last.json") as stage:
        for name in ("images/a", "images/b", "labels/a", "last.json"):
            (stage.path / name).parent.mkdir(exist_ok=True)
            (stage.path / name).write_text(f"{content} {name}")
        stage.publish(stale, overwrite=overwrite)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


ALL = {name: f"new {name}" for name in ("images/a", "images/b", "labels/a", "last.json")}
MOVES = len(ALL)


@pytest.fixture
def killed(monkeypatch):
    """Writes in a process that is killed before its n-th move."""

    def write_and_be_killed(folder: Path, move: int, **how: object) -> None:
        left, whole = [move], os.replace

        def replace(source, target):
            if Path(source).parent.name != ".staging" or Path(target).name != ".journal.json":
                left[0] -= 1
            if left[0] < 0:
                raise KilledError
            whole(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            # what tidies up does not run in a killed process
            patch.setattr(staging, "_take_back", lambda *_: False)
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            with pytest.raises(KilledError):
                write(folder, **how)

    return write_and_be_killed


@pytest.mark.parametrize("move", range(MOVES))
def test_the_same_command_finishes_after_a_kill(move, killed, tmp_path):
    killed(tmp_path / "out", move)
    assert "last.json" not in contents(tmp_path / "out")
    write(tmp_path / "out")
    assert contents(tmp_path / "out") == ALL


@pytest.mark.parametrize("move", range(MOVES))
def test_files_of_others_stay(move, killed, tmp_path):
    killed(tmp_path / "out", move)
    (tmp_path / "out" / "images").mkdir(exist_ok=True)
    for name in ("notes", "images/notes"):
        (tmp_path / "out" / name).write_text("mine")
    changed = tmp_path / "out" / "images" / "a"
    if changed.exists():
        changed.write_text("mine")
    with staged_files(tmp_path / "out", ".staging", "last.json"):
        left = contents(tmp_path / "out")
    assert left == dict.fromkeys(("notes", "images/notes", *(["images/a"] if move else [])), "mine")


@pytest.mark.parametrize("move", range(MOVES))
def test_what_replaces_an_older_set_finishes_too(move, killed, tmp_path):
    (tmp_path / "out" / "images").mkdir(parents=True)
    for name in ("images/a", "images/old", "last.json"):
        (tmp_path / "out" / name).write_text(f"old {name}")
    stale = (tmp_path / "out" / "images" / "old",)
    killed(tmp_path / "out", move, stale=stale, overwrite=True)
    write(tmp_path / "out", stale=stale, overwrite=True)
    assert contents(tmp_path / "out") == ALL


def test_a_set_that_was_complete_before_the_kill_is_left_and_no_other_replaces_it(tmp_path):
    write(tmp_path / "out")
    (tmp_path / "out" / ".staging").mkdir()
    write(tmp_path / "out")
    assert contents(tmp_path / "out") == ALL
    (tmp_path / "out" / ".staging").mkdir()
    with pytest.raises(InputError, match="holds other results already"):
        write(tmp_path / "out", "other")
    assert contents(tmp_path / "out") == ALL
    write(tmp_path / "out", "other", overwrite=True)
    assert set(contents(tmp_path / "out").values()) == {f"other {name}" for name in ALL}


def test_what_fails_in_the_middle_is_taken_back(tmp_path, monkeypatch):
    whole = os.replace

    def full(source, target):
        if Path(target).name == "b":
            raise OSError(28, os.strerror(28))
        whole(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"cannot write .*out: No space left on device; free some space"):
        write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_processes_do_not_write_to_one_folder(tmp_path):
    with (
        staged_files(tmp_path / "out", ".staging", "last.json"),
        pytest.raises(InputError, match="another process is writing"),
    ):
        write(tmp_path / "out")
    write(tmp_path / "out")


@pytest.mark.parametrize("name", ["new", "there"])
def test_two_processes_do_not_either_where_folders_cannot_be_locked(name, tmp_path, monkeypatch):
    whole, folder = fcntl.flock, tmp_path / name
    (tmp_path / "there").mkdir()

    def as_network_file_systems(descriptor, how):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        whole(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", as_network_file_systems)
    with staged_files(folder, ".staging", "last.json") as stage:
        (stage.path / "last.json").write_text("first")
        with pytest.raises(BusyError, match="another process is writing"):
            write(folder)
        assert contents(stage.path) == {"last.json": "first"}
    assert contents(tmp_path) == {}
    write(folder)
    assert contents(folder) == ALL


def test_who_has_waited_for_a_lock_has_it_alone(tmp_path):
    inside, most = [], []

    def hold(_):
        for _ in range(50):
            with locked(tmp_path / "out" / ".lock"):
                inside.append(1)
                time.sleep(0.001)
                most.append(len(inside))
                inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, range(8)))
    assert (len(most), max(most)) == (400, 1)
    assert contents(tmp_path) == {}


def test_inputs_are_neither_replaced_nor_removed(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a").write_text("input")
    with protecting(tmp_path / "images" / "a"):
        with pytest.raises(InputError, match="would replace the input"):
            write(tmp_path, overwrite=True)
        with pytest.raises(InputError, match="would replace the input"):
            write(tmp_path, stale=(tmp_path / "images" / "a",), overwrite=True)
    assert contents(tmp_path) == {"images/a": "input"}


def test_a_journal_reaches_no_other_folder(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out" / ".staging").mkdir(parents=True)
    (tmp_path / "out" / ".staging" / "last.json").touch()
    (tmp_path / "out" / ".staging" / ".journal.json").write_text('{"last": "last.json", "files": {"../precious": "0"}}')
    with pytest.raises(InputError, match="names files of other folders"):
        write(tmp_path / "out")
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_lock_that_another_process_has_removed_ends_all_the_same(tmp_path, monkeypatch):
    # as where two hold it, since their file system has no locks
    monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "no locks")))
    monkeypatch.setattr(staging, "_is_at", lambda *_: True)
    with staging.locked(tmp_path / "file"):
        (tmp_path / "file").unlink()
