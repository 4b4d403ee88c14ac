"""Fetching published data: checked by checksum, resumed where it broke off, complete under its name or not there."""

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from shutil import disk_usage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from covid_monai.errors import InputError
from covid_monai.files import settle
from covid_monai.progress import progress_bar

_BLOCK = 1 << 18
_SECONDS = 60
_AGENT = "covid-monai"

ZENODO_RECORD = "https://zenodo.org/api/records/3757476"
_ZENODO_NAMES = ("COVID-19-CT-Seg_20cases.zip", "Infection_Mask.zip", "Lung_Mask.zip", "Lung_and_Infection_Mask.zip")
_FIGSHARE = "https://ndownloader.figshare.com/files/"


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name here, its address and its MD5 (the checksum that the repositories publish)."""

    name: str
    url: str
    md5: str


@dataclass(frozen=True)
class Published:
    """A data set with direct addresses: its licence, and what lists its files."""

    licence: str
    files: Callable[[], tuple[RemoteFile, ...]]


MEDSEG_FILES = (
    RemoteFile("tr_im.nii.gz", f"{_FIGSHARE}25953977", "54f82e3a9ac01bf6cc2300ca53d820ae"),
    RemoteFile("tr_mask.nii.gz", f"{_FIGSHARE}25953980", "d11996de45d06d332658115d8b3cf6fc"),
    RemoteFile("val_im.nii.gz", f"{_FIGSHARE}25953983", "098e8ab8b2e85f7c66abf8a92721ee95"),
    RemoteFile("Test-Images-Clinical-Details.csv", f"{_FIGSHARE}25953974", "35aefddbccfbb8fa3dee5be69258cb29"),
)

PUBLISHED = {
    "medseg": Published(
        "MedSeg / SIRM, COVID-19 CT segmentation dataset, part 1 (DOI 10.6084/m9.figshare.13521488.v2): CC0 1.0, "
        "public domain. Cite the authors; the pictures come from the Italian Society of Medical and Interventional "
        "Radiology.",
        lambda: MEDSEG_FILES,
    ),
    "zenodo": Published(
        "COVID-19 CT Lung and Infection Segmentation Dataset (DOI 10.5281/zenodo.3757476): its page states CC BY 4.0. "
        "Its volumes come from Coronacases and Radiopaedia, whose terms stay with them (CC BY-NC-SA: name the authors, "
        "no commercial use, share alike).",
        lambda: list_zenodo(ZENODO_RECORD),
    ),
}

BY_HAND = {
    "radiopaedia": "radiopaedia has no direct address here: get rp_im.zip and rp_msk.zip in a browser from "
    "https://doi.org/10.6084/m9.figshare.13521509.v2 (CC BY-NC-SA), put both into FOLDER, then "
    "`covid-monai data prepare radiopaedia FOLDER -o DATA`",
    "kaggle": "kaggle asks for an account: accept the rules and get the files at "
    "https://www.kaggle.com/c/covid-segmentation/data, put the .npy files into FOLDER, then "
    "`covid-monai data prepare kaggle FOLDER -o DATA`",
}
"""Where to get what has no direct address."""


def fetch(file: RemoteFile, folder: Path, progress: bool = False) -> Path:
    """Fetch one file into ``folder``, unless it is there with the right checksum already.

    What was received before a connection broke stays in ``<name>.part``; the next call goes on from there.

    Raises:
        InputError: the server has no such file or cannot be reached, the connection broke, the disk is full or
            has less space than the file needs, or the checksum is wrong. Under the file's name there is then what
            there was before.
    """
    import pooch

    # its advice is for those who call pooch; the progress bar and the command say what is needed
    pooch.get_logger().setLevel("ERROR")
    try:
        path = pooch.retrieve(
            file.url,
            f"md5:{file.md5}",
            fname=file.name,
            path=folder,
            downloader=ResumingDownloader(folder, file, progress),
        )
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{file.name} from {file.url} is corrupted: its MD5 is not {file.md5}; nothing was kept, run it again"
        ) from error
    except OSError as error:
        raise _disk_error(folder / file.name, error) from error
    return Path(path)


def list_zenodo(record: str) -> tuple[RemoteFile, ...]:
    """The files of Zenodo record 3757476 with their MD5, as its API lists them.

    Raises:
        InputError: the record cannot be read, or lacks a file or its checksum.
    """
    try:
        with _open(record) as response:
            content: Any = json.loads(response.read())
        listed = {entry["key"]: (entry["links"]["self"], entry["checksum"]) for entry in content["files"]}
    except (OSError, HTTPException) as error:
        raise _network_error(record, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} is no list of files as Zenodo gives it: try again later") from error
    files = []
    for name in _ZENODO_NAMES:
        url, checksum = listed.get(name, ("", ""))
        if not str(checksum).startswith("md5:"):
            raise InputError(
                f"{record} lists no {name} with an MD5: get the files at https://zenodo.org/record/3757476"
            )
        files.append(RemoteFile(name, url, checksum.removeprefix("md5:")))
    return tuple(files)


class ResumingDownloader:
    """A downloader for pooch that keeps what it received in ``<name>.part`` and goes on from there.

    Args:
        folder: where the file goes.
        file: what to fetch.
        progress: show a progress bar on stderr.
    """

    def __init__(self, folder: Path, file: RemoteFile, progress: bool = False) -> None:
        self._part, self._file, self._progress = folder / f"{file.name}.part", file, progress

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Fetch ``url`` into ``output_file``, pooch's temporary file, by way of the partial file."""
        received = self._part.stat().st_size if self._part.is_file() else 0
        try:
            response = _open(url, received)
        except HTTPError as error:
            if error.code != 416 or not received:
                raise _network_error(url, error) from error
            # the partial file is not shorter than the file, as when a run ended before its checksum was compared
            self._part.unlink()
            return self(url, output_file, pooch)
        except (OSError, HTTPException) as error:
            raise _network_error(url, error) from error
        with response:
            # a server that does not know ranges (200), or answers another one, starts from the beginning
            resumed = response.status == 206 and _range_start(response) == received
            start = received if resumed else 0
            if response.status == 206 and not resumed:
                raise InputError(f"{url} answered another range than asked for: remove {self._part} and run it again")
            length = response.headers.get("Content-Length")
            total = start + int(length) if length and length.isdecimal() else None
            self._check_room(start, total)
            self._receive(response, start, total)
        settle(self._part)
        self._part.replace(output_file)

    def _check_room(self, start: int, total: int | None) -> None:
        """What cannot fit is told before the first byte; a partial file that is started over makes room itself."""
        replaced = self._part.stat().st_size if self._part.is_file() and not start else 0
        free = disk_usage(self._part.parent).free + replaced
        if total is not None and total - start > free:
            raise InputError(
                f"no space for {self._file.name}: {_size(total - start)} to fetch, {_size(free)} free in "
                f"{self._part.parent}; free some, or choose another folder, and run the same command again"
            )

    def _receive(self, response: HTTPResponse, start: int, total: int | None) -> None:
        done = start
        bar = progress_bar(
            description=self._file.name, unit="B", total=total, initial=start, shown=self._progress, scaled=True
        )
        with bar, _open_part(self._part, "ab" if start else "wb") as part:
            while block := self._read(response, done, total):
                self._write(part, block)
                done += len(block)
                bar.update(len(block))
        if total is not None and done < total:
            raise self._broken(done, total)

    def _read(self, response: HTTPResponse, done: int, total: int | None) -> bytes:
        try:
            return response.read(_BLOCK)
        except (OSError, HTTPException) as error:
            raise self._broken(done, total) from error

    def _write(self, part: IO[bytes], block: bytes) -> None:
        left = memoryview(block)
        try:
            # an unbuffered file may take less than it is given
            while left:
                left = left[part.write(left) :]
        except OSError as error:
            raise _disk_error(self._part, error) from error

    def _broken(self, done: int, total: int | None) -> InputError:
        whole = f"of {total} bytes" if total is not None else "bytes"
        return InputError(
            f"{self._file.name}: the connection broke after {done} {whole}; "
            "run the same command again to go on from there"
        )


def _open(url: str, start: int = 0) -> HTTPResponse:
    # "identity": a compressed answer would have neither the length nor the ranges of the file
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    if not url.startswith(("https://", "http://")):
        raise InputError(f"{url!r} is no web address: only https and http are fetched")
    response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=_SECONDS)
    return response


def _range_start(response: HTTPResponse) -> int | None:
    # Content-Range: bytes 100-199/200
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdecimal() else None


def _open_part(path: Path, mode: str) -> IO[bytes]:
    try:
        # unbuffered: what was received is on the disk when the connection breaks, and a full disk is told at once
        return open(path, mode, buffering=0)
    except OSError as error:
        raise _disk_error(path, error) from error


def _network_error(url: str, error: Exception) -> InputError:
    if isinstance(error, HTTPError):
        hint = "the address is gone: see the data set's page" if error.code in (404, 410) else "try again later"
        return InputError(f"{url} answered {error.code} {error.reason}: {hint}")
    reason = error.reason if isinstance(error, URLError) else error
    return InputError(f"cannot reach {url} ({reason}): check the connection and run the same command again")


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.2f} MB"


def _disk_error(path: Path, error: OSError) -> InputError:
    if error.errno == errno.ENOSPC:
        return InputError(f"no space left for {path}: free some and run the same command again")
    return InputError(f"cannot write {path}: {error.strerror or error}; choose a folder you may write to")
