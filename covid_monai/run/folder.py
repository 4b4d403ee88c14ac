"""A run folder: what was trained, with which settings, on which cases."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_names
from covid_monai.catalog.config import is_code
from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json

FORMAT = "covid-monai run"
VERSION = 1


@dataclass(frozen=True)
class Run:
    """What identifies a training run: the same run is trained anew by the same values.

    ``bundle`` is a bundle's name or path, ``settings`` the overrides of its configuration, ``data`` the folder of
    the prepared data set, ``manifest`` the SHA-256 of its ``dataset.json`` (which holds those of all images and
    masks), and ``split`` that of the split file, of which ``fold`` is used.
    """

    bundle: str
    settings: dict[str, Any]
    data: str
    manifest: str
    split: str
    fold: int


def write_run(folder: Path, run: Run) -> None:
    """Write ``run.json``."""
    write_json(folder / "run.json", {"format": FORMAT, "version": VERSION, **asdict(run)})


def read_run(folder: str | os.PathLike[str], trust: bool = False) -> Run:
    """Read the ``run.json`` of a run folder.

    Args:
        folder: the run folder.
        trust: whether it may bring code: settings that are expressions, or a bundle that is not the package's. The
            folder may come from somebody else, and its weights alone cannot run anything.

    Raises:
        InputError: there is none, it is of another format, or it brings code and is not trusted.
    """
    path = Path(folder) / "run.json"
    if not path.is_file():
        raise InputError(f"{folder} is not a run folder: it has no run.json; `covid-monai train` makes one")
    content = read_json(path)
    if not isinstance(content, Mapping) or (content.get("format"), content.get("version")) != (
        FORMAT,
        VERSION,
    ):
        raise InputError(f"{path} is not a {FORMAT} file of version {VERSION}")
    try:
        run = Run(**{name: content[name] for name in Run.__dataclass_fields__})
    except KeyError as error:
        raise InputError(f"{path} lacks {error}; it is damaged, so train again") from error
    if not trust and (run.bundle not in bundle_names() or any(map(is_code, run.settings.values()))):
        raise InputError(f"{path} brings code (expressions, or a bundle of its own); give --trust-run if you know it")
    return run
