"""What is fuzzed: each reader of files from outside, and a small corpus to start from.

A reader may raise InputError and nothing else, whatever bytes it is given.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from PIL import Image

from covid_monai.catalog.literals import parse_setting, read_settings
from covid_monai.data.manifest import FILE_NAME, read_dataset
from covid_monai.data.patients import read_patients
from covid_monai.data.sources.mask_pictures import read_mask
from covid_monai.data.sources.picture_index import LAYOUTS, read_index
from covid_monai.data.sources.pictures import read_grey
from covid_monai.data.splits import read_split
from covid_monai.errors import InputError
from covid_monai.scoring.mask_files import read_mask_file
from covid_monai.tables.spec import read_table
from covid_monai.transforms.nifti import read_nifti
from tests.properties.draft import OddFile
from tests.properties.nifti_headers import odd_files
from tests.properties.worlds import labels

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """Readers of one kind of file.

    Attributes:
        name: that the file is given.
        read: what is called with its path, one after another.
        seeds: contents to start from.
    """

    name: str
    read: tuple[Callable[[Path], object], ...]
    seeds: Callable[[], Iterator[bytes]]

    def try_all(self, path: Path) -> None:
        """Read a file with each reader, which may refuse it in one line."""
        for read in self.read:
            try:
                read(path)
            except InputError as error:
                message = str(error)
                assert "\n" not in message, message


def _nifti_seeds() -> Iterator[bytes]:
    found: list[bytes] = []

    @settings(max_examples=60, derandomize=True, database=None, deadline=None)
    @given(odd_files(labels()))
    def collect(odd: OddFile) -> None:
        found.append(odd.content)

    collect()
    return iter(found)


def _picture_seeds() -> Iterator[bytes]:
    grey = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    kinds = ("L", "1", "P", "RGB", "RGBA", "LA", "I;16")
    for mode, kind in [*((mode, "png") for mode in kinds), ("L", "jpeg"), ("L", "tiff"), ("P", "gif"), ("L", "bmp")]:
        stream = io.BytesIO()
        picture = Image.fromarray(np.full((6, 8), 700, np.uint16)) if mode == "I;16" else grey.convert(mode)
        picture.save(stream, kind)
        yield stream.getvalue()


def _csv_seeds() -> Iterator[bytes]:
    yield b"case,patient\np1_scan1,A\np1_scan2,A\np2_scan1,B\n"
    yield b'\xef\xbb\xbfcase;patient\r\n"p1";"A, B"\r\n'
    yield b"name,patient,volume,slice,part\n001.png,A,v1,3,train\n2.png,B,v2,4,test\n"


def _json_seeds() -> Iterator[bytes]:
    case = {
        "image": "images/a.nii.gz", "label": "labels/a.nii.gz", "case": "a", "source": "s", "patient": "p",
        "volume": None, "slice": 1, "part": "train", "intensity": "hu", "spacing_known": True,
        "canvas": {"shape": [64, 64], "offset": [0, 0]}, "pixels": {"1": 3}, "sha256": {"image": "0", "label": "0"},
    }  # fmt: skip
    dataset = {
        "format": "covid-monai dataset", "version": 1, "name": "s", "licence": "", "labels": {"0": "background"},
        "label_map": {"1": 1}, "training": [case],
    }  # fmt: skip
    split = {"format": "covid-monai split", "version": 1, "protocol": "grouped", "folds": [{"train": ["a"]}]}
    yield from (json.dumps(content).encode() for content in (dataset, split, [], {"a": 1e400}))
    # deeper than Python calls itself, and longer than it reads numbers
    yield b"[" * 1500 + b"]" * 1500
    yield b'{"version": ' + b"7" * 5000 + b"}"


def _yaml_seeds() -> Iterator[bytes]:
    yield b"epochs: 5\nimage_size: [64, 64]\nattention: false\nlearning_rate: 1e-3\n"
    yield b"a: &a {b: 1}\nc: [*a, *a]\n? [1, 2]\n: !!str 3\n"
    yield b"a: " + b"[" * 1500 + b"]" * 1500
    yield b"a: " + b"7" * 5000
    yield b"a: 2001-02-30\nb: !!timestamp x\nc: !!binary \xff\n"
    yield from (path.read_bytes() for path in sorted(ROOT.glob("covid_monai/tables/*.yaml")))


def _as_setting(path: Path) -> object:
    return parse_setting("key=" + path.read_bytes().decode(errors="replace"))


def _in_folder(read: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda path: read(path.parent)


TARGETS = {
    "nifti": Target("file.nii", (read_nifti, read_mask_file), _nifti_seeds),
    "picture": Target("file.png", (read_grey, read_mask, read_mask_file), _picture_seeds),
    "csv": Target(
        "index.csv",
        (read_patients, _in_folder(lambda folder: read_index(folder, LAYOUTS["plain"]))),
        _csv_seeds,
    ),
    "json": Target(FILE_NAME, (_in_folder(read_dataset), read_split), _json_seeds),
    "yaml": Target("file.yaml", (read_settings, _as_setting, lambda path: read_table(str(path))), _yaml_seeds),
}
