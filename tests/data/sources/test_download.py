import errno
import hashlib
import io
import socket
from types import SimpleNamespace

import pytest

from covid_monai.data.sources import download
from covid_monai.data.sources.download import BY_HAND, MEDSEG_FILES, PUBLISHED, RemoteFile, fetch, list_zenodo
from covid_monai.errors import InputError
from tests.data.sources.server import serving

CONTENT = bytes(range(251)) * 4000


@pytest.fixture
def server():
    with serving() as offered:
        offered.files["/file"] = CONTENT
        yield offered


def remote(server, path="/file", content=CONTENT) -> RemoteFile:
    return RemoteFile("scan.nii.gz", server.address + path, hashlib.md5(content).hexdigest())


def refused(file, folder) -> str:
    with pytest.raises(InputError) as caught:
        fetch(file, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_and_nothing_else_is_left(server, tmp_path):
    assert fetch(remote(server), tmp_path / "new") == tmp_path / "new/scan.nii.gz"
    assert (tmp_path / "new/scan.nii.gz").read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["scan.nii.gz"]


def test_a_file_that_is_there_and_right_is_not_fetched_again(server, tmp_path):
    fetch(remote(server), tmp_path)
    fetch(remote(server), tmp_path)
    assert len(server.asked) == 1


def test_a_damaged_file_that_is_there_is_replaced(server, tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(b"damaged")
    fetch(remote(server), tmp_path)
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT


def test_a_redirection_is_followed(server, tmp_path):
    server.redirects["/elsewhere"] = server.address + "/file"
    (tmp_path / "scan.nii.gz.part").write_bytes(CONTENT[:1000])
    fetch(remote(server, "/elsewhere"), tmp_path)
    assert server.asked == [("/elsewhere", "bytes=1000-"), ("/file", "bytes=1000-")]


def test_an_interrupted_download_goes_on_where_it_broke_off(server, tmp_path):
    server.break_after = 300_000
    message = refused(remote(server), tmp_path)
    assert message == (
        f"scan.nii.gz: the connection broke after 300000 of {len(CONTENT)} bytes; "
        "run the same command again to go on from there"
    )
    assert names(tmp_path) == ["scan.nii.gz.part"]
    # it breaks a second time, further on
    assert "after 600000 of" in refused(remote(server), tmp_path)
    server.break_after = None
    fetch(remote(server), tmp_path)
    assert [asked for _, asked in server.asked] == [None, "bytes=300000-", "bytes=600000-"]
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT
    assert names(tmp_path) == ["scan.nii.gz"]


def test_a_server_without_ranges_makes_it_start_over(server, tmp_path):
    server.ranges = False
    (tmp_path / "scan.nii.gz.part").write_bytes(CONTENT[:5000])
    fetch(remote(server), tmp_path)
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT


def test_a_server_that_answers_another_range_is_not_believed(server, tmp_path):
    server.wrong_range = True
    (tmp_path / "scan.nii.gz.part").write_bytes(CONTENT[:5000])
    assert "another range" in refused(remote(server), tmp_path)
    assert names(tmp_path) == ["scan.nii.gz.part"]


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_partial_file_that_is_not_shorter_than_the_file_is_dropped(server, tmp_path, extra):
    (tmp_path / "scan.nii.gz.part").write_bytes(CONTENT + extra)
    fetch(remote(server), tmp_path)
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT


def test_a_length_that_is_not_told_is_no_hindrance(server, tmp_path):
    server.hide_length = True
    fetch(remote(server), tmp_path)
    server.files["/file"], server.break_after = CONTENT, 100
    (tmp_path / "scan.nii.gz").unlink()
    assert "is corrupted" in refused(remote(server), tmp_path)


def test_a_corrupted_file_is_named_and_not_kept(server, tmp_path):
    file = remote(server)
    server.files["/file"] = CONTENT[:-1] + b"?"
    message = refused(file, tmp_path)
    assert message.startswith(f"scan.nii.gz from {file.url} is corrupted: its MD5 is not {file.md5}")
    assert names(tmp_path) == []
    server.files["/file"] = CONTENT
    fetch(file, tmp_path)
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT


def test_a_partial_file_of_something_else_ends_as_corrupted_and_the_next_run_is_clean(server, tmp_path):
    (tmp_path / "scan.nii.gz.part").write_bytes(b"x" * 1000)
    assert "is corrupted" in refused(remote(server), tmp_path)
    fetch(remote(server), tmp_path)
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT


def test_a_corrupted_answer_leaves_the_older_file_as_it_was(server, tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(b"older")
    file = remote(server, content=b"something else")
    refused(file, tmp_path)
    assert (tmp_path / "scan.nii.gz").read_bytes() == b"older"


def test_404_is_one_clear_line(server, tmp_path):
    message = refused(remote(server, "/gone"), tmp_path)
    assert message == f"{server.address}/gone answered 404 Not Found: the address is gone: see the data set's page"
    assert names(tmp_path) == []


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    assert "cannot reach" in refused(RemoteFile("f", address, "0" * 32), tmp_path)


def test_only_web_addresses_are_fetched(tmp_path):
    (tmp_path / "secret").write_text("1")
    assert "no web address" in refused(RemoteFile("f", f"file://{tmp_path}/secret", "0" * 32), tmp_path)


class FullDisk(io.FileIO):
    """A file that takes less than it is given as the disk fills up, and then nothing more."""

    room = 400_000

    def write(self, block):
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = super().write(block[: min(self.room, 150_000)])
        self.room -= written
        return written


def test_a_full_disk_is_one_clear_line_and_the_next_run_goes_on(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "_open_part", FullDisk)
        message = refused(remote(server), tmp_path)
    assert message == f"no space left for {tmp_path}/scan.nii.gz.part: free some and run the same command again"
    assert names(tmp_path) == ["scan.nii.gz.part"]
    fetch(remote(server), tmp_path)
    assert server.asked[-1][1] == "bytes=400000-"
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT


def test_a_disk_with_too_little_space_is_one_clear_line_before_anything_is_fetched(server, tmp_path, monkeypatch):
    disk = SimpleNamespace(free=900_000)
    monkeypatch.setattr(download, "disk_usage", lambda folder: disk)
    assert refused(remote(server), tmp_path) == (
        f"no space for scan.nii.gz: 1.00 MB to fetch, 0.90 MB free in {tmp_path}; "
        "free some, or choose another folder, and run the same command again"
    )
    assert names(tmp_path) == []
    # what is there already need not fit once more
    disk.free = 1_000_000
    (tmp_path / "scan.nii.gz.part").write_bytes(CONTENT[:5000])
    fetch(remote(server), tmp_path)
    assert server.asked[-1][1] == "bytes=5000-"
    # nor does what is started over
    server.ranges = False
    (tmp_path / "scan.nii.gz").unlink()
    (tmp_path / "scan.nii.gz.part").write_bytes(CONTENT[:5000])
    fetch(remote(server), tmp_path)
    assert (tmp_path / "scan.nii.gz").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_one_clear_line(server, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write" in refused(remote(server), tmp_path / "file/sub")


ZENODO = ("COVID-19-CT-Seg_20cases.zip", "Infection_Mask.zip", "Lung_Mask.zip", "Lung_and_Infection_Mask.zip")


def test_the_record_tells_addresses_and_checksums(server):
    entries = {name: (f"{server.address}/{name}", "md5:" + str(index) * 32) for index, name in enumerate(ZENODO)}
    record = server.offer_record("/api", {**entries, "other.txt": ("x", "md5:0")})
    assert [file.name for file in list_zenodo(record)] == list(ZENODO)
    assert list_zenodo(record)[1] == RemoteFile(ZENODO[1], f"{server.address}/{ZENODO[1]}", "1" * 32)


def test_a_record_that_is_broken_or_gone_is_one_clear_line(server):
    server.files |= {"/html": b"<html>", "/other": b'{"files": 3}', "/list": b"[]"}
    for path in ("/html", "/other", "/list"):
        with pytest.raises(InputError, match="no list of files"):
            list_zenodo(server.address + path)
    with pytest.raises(InputError, match="answered 404"):
        list_zenodo(server.address + "/gone")
    entries = dict.fromkeys(ZENODO, (server.address, "sha1:0"))
    with pytest.raises(InputError, match=r"lists no COVID-19-CT-Seg_20cases\.zip with an MD5"):
        list_zenodo(server.offer_record("/api", entries))


def test_the_published_addresses_are_encrypted_and_every_file_has_a_checksum():
    assert {len(file.md5) for file in MEDSEG_FILES} == {32}
    assert all(file.url.startswith("https://ndownloader.figshare.com/files/2595") for file in MEDSEG_FILES)
    assert download.ZENODO_RECORD == "https://zenodo.org/api/records/3757476"
    assert all("\n" not in text for text in (*BY_HAND.values(), *(entry.licence for entry in PUBLISHED.values())))
