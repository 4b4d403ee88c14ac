import errno
import os
import shutil

import pytest

from covid_monai.errors import InputError
from covid_monai.files import naming_disk_errors, protecting, read_json, replacing, sha256_of, write_json


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "scores.json"
    write_json(target, {"dice": 0.5})

    def fail_half_way():
        with replacing(target) as temporary:
            temporary.write_text("half of it")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert read_json(target) == {"dice": 0.5}
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_name_keeps_the_ending_that_writers_go_by(tmp_path):
    with replacing(tmp_path / "mask.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"mask")
    assert (tmp_path / "mask.nii.gz").read_bytes() == b"mask"


def test_files_are_as_readable_as_the_users_other_new_files(tmp_path):
    write_json(tmp_path / "written.json", {})
    (tmp_path / "plain.json").touch()
    assert os.stat(tmp_path / "written.json").st_mode == os.stat(tmp_path / "plain.json").st_mode


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*file/scores.json"):
        write_json(tmp_path / "file" / "scores.json", {})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_what_is_not_json_is_named(tmp_path, content):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(InputError, match=r"bad.json is not a JSON file"):
        read_json(tmp_path / "bad.json")


def test_hash_is_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def links(folder):
    """Names under which ``input.json`` can be reached."""
    (folder / "link.json").symlink_to(folder / "input.json")
    os.link(folder / "input.json", folder / "hard.json")
    (folder / "folder").symlink_to(folder)
    return [folder / name for name in ("input.json", "link.json", "hard.json", "folder/input.json", "./input.json")]


def test_no_name_of_an_input_can_be_written(tmp_path):
    write_json(tmp_path / "input.json", "precious")
    for name in links(tmp_path):
        with (
            protecting(tmp_path / "input.json"),
            pytest.raises(InputError, match=r"would replace the input .*input\.json"),
        ):
            write_json(name, "result")
        assert read_json(tmp_path / "input.json") == "precious"


def test_all_files_of_an_input_folder_are_kept_and_new_ones_may_join_them(tmp_path):
    write_json(tmp_path / "data" / "labels" / "case.json", "precious")
    with protecting(tmp_path / "data"):
        write_json(tmp_path / "data" / "split.json", "result")
        with pytest.raises(InputError, match="would replace the input"):
            write_json(tmp_path / "data" / "labels" / "case.json", "result")
    write_json(tmp_path / "data" / "labels" / "case.json", "later, it is no input")


@pytest.mark.parametrize("content", ["[" * 3000, "1" * 5000], ids=["depth", "digits"])
def test_json_that_python_cannot_hold_is_named(tmp_path, content):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(InputError, match=r"bad.json is not a JSON file"):
        read_json(tmp_path / "bad.json")


def test_a_disk_that_is_full_while_a_folder_is_copied_is_told(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a"))
    with pytest.raises(InputError, match="No space left on device; free some space"), naming_disk_errors(tmp_path):
        raise shutil.Error([("a", "b", str(full))])
