import stat
import struct
import zipfile

import pytest

from covid_monai.data.sources import archive as module
from covid_monai.data.sources.archive import Limits, extract_zip, unpacked
from covid_monai.errors import InputError


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def refused(archive, folder, limits=None) -> str:
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(InputError) as caught:
        extract_zip(archive, folder, limits or Limits())
    # nothing was written, inside or outside
    assert sorted(folder.parent.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_and_folders_are_unpacked_whole(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("sub/", ""), ("sub/one.bin", b"1" * 70_000), ("two", b"")])
    extract_zip(archive, tmp_path / "out")
    assert (tmp_path / "out/sub/one.bin").read_bytes() == b"1" * 70_000
    assert (tmp_path / "out/two").read_bytes() == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "C:/evil", "..\\evil", "a\\..\\..\\evil", "..", "/", "a:stream"]
)
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    archive = make_zip(tmp_path / "a.zip", [("good", b"1"), (name, b"2")])
    assert "leaves its folder" in refused(archive, tmp_path / "out")


def test_a_name_with_a_null_byte_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("goodXevil", b"1")])
    archive.write_bytes(archive.read_bytes().replace(b"goodXevil", b"good\0evil"))
    assert "leaves its folder" in refused(archive, tmp_path / "out")


def test_links_and_devices_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [(link("l"), "/etc"), ("l/passwd", b"2")])
    assert "'l', which is a link" in refused(archive, tmp_path / "out")
    pipe = link("pipe")
    pipe.external_attr = (stat.S_IFIFO | 0o644) << 16
    assert "a device" in refused(make_zip(tmp_path / "b.zip", [(pipe, "")]), tmp_path / "out")


def test_a_compression_bomb_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("zeros", b"\0" * (4 << 20))])
    assert "no archive of CT" in refused(archive, tmp_path / "out")


def test_too_many_or_too_large_members_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [(f"f{index}", b"12345") for index in range(5)])
    assert "5 members, 4 are allowed" in refused(archive, tmp_path / "out", Limits(count=4))
    assert "unpacks to 25 bytes, 24 are allowed" in refused(archive, tmp_path / "out", Limits(size=24))


def test_a_member_that_lies_about_its_size_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("f", b"x" * 1000)], zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    # the uncompressed size stands at 22 of a local header and at 24 of a central one
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 10)
    archive.write_bytes(content)
    refused(archive, tmp_path / "out")


@pytest.mark.parametrize("names", [("a", "a"), ("A/b", "a/b")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_given_twice_is_refused(tmp_path, names):
    archive = make_zip(tmp_path / "a.zip", [(name, b"1") for name in names])
    assert "twice" in refused(archive, tmp_path / "out")


def test_damaged_and_foreign_files_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("f", bytes(range(256)) * 20)], zipfile.ZIP_STORED)
    whole = archive.read_bytes()
    archive.write_bytes(whole[:60] + b"\xff" + whole[61:])
    assert "download it again" in refused(archive, tmp_path / "out")
    archive.write_bytes(whole[:-40])
    assert "download it again" in refused(archive, tmp_path / "out")
    archive.write_bytes(b"")
    assert "no readable zip" in refused(archive, tmp_path / "out")
    archive.unlink()
    refused(archive, tmp_path / "out")


def test_encrypted_members_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("f", b"1")])
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(content)
    assert "encrypted" in refused(archive, tmp_path / "out")


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", [("f", b"1")])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_extract", full)
    assert "No space left on device; free space there" in refused(archive, tmp_path / "out")


def test_a_folder_that_exists_is_not_written_into(tmp_path):
    (tmp_path / "out").mkdir()
    assert "exists" in refused(make_zip(tmp_path / "a.zip", [("f", b"1")]), tmp_path / "out")


def test_archives_with_and_without_their_own_folder_give_the_same(tmp_path):
    make_zip(tmp_path / "flat.zip", [("f", b"1")])
    make_zip(tmp_path / "own.zip", [("own/f", b"1")])
    assert unpacked(tmp_path, "flat") == tmp_path / "flat"
    assert unpacked(tmp_path, "own") == tmp_path / "own/own"
    # a second time the folder is there
    assert (unpacked(tmp_path, "own") / "f").read_bytes() == b"1"
    assert unpacked(tmp_path, "neither") is None
