"""A run folder: its files, what was trained, with which settings, and on which cases."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_names
from covid_monai.catalog.literals import is_code
from covid_monai.data.splits import FILE_NAME as SPLIT_FILE
from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json
from covid_monai.run.log import read_log
from covid_monai.weights import WEIGHTS_FILE, WEIGHTS_RECORD_FILE

FORMAT = "covid-monai run"
VERSION = 1
SUBSETS = ("train", "validation", "test", "all")
"""What of a run's data can be evaluated: a subset of its fold, or ``all`` cases of a data set."""


class RunFolder(os.PathLike[str]):
    """The files of a run folder by what they hold; a name of one stands here and nowhere else.

    Args:
        folder: the run folder, which need not exist yet.

    Attributes:
        folder: its absolute path.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()

    def __fspath__(self) -> str:
        return str(self.folder)

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def record(self) -> Path:
        """``run.json``: the :class:`RunRecord`."""
        return self.folder / "run.json"

    @property
    def weights(self) -> Path:
        """``model.safetensors``: the weights that were kept."""
        return self.folder / WEIGHTS_FILE

    @property
    def weights_record(self) -> Path:
        """``model.json``: of which epoch the weights are, and their SHA-256."""
        return self.folder / WEIGHTS_RECORD_FILE

    @property
    def log(self) -> Path:
        """``log.jsonl``: a line an epoch."""
        return self.folder / "log.jsonl"

    @property
    def config(self) -> Path:
        """``config.yaml``: the bundle's whole configuration with the settings of this run."""
        return self.folder / "config.yaml"

    @property
    def environment(self) -> Path:
        """``environment.json``: versions and machine."""
        return self.folder / "environment.json"

    @property
    def split(self) -> Path:
        """``split.json``: a copy of the split file."""
        return self.folder / SPLIT_FILE

    @property
    def curves(self) -> Path:
        """``curves.png``: loss and validation Dice over the epochs."""
        return self.folder / "curves.png"

    @property
    def report(self) -> Path:
        """``report.html``: the page of an evaluated run."""
        return self.folder / "report.html"

    @property
    def trained(self) -> list[Path]:
        """The files that training left and that every later command reads."""
        return [
            self.record,
            self.weights,
            self.weights_record,
            self.log,
            self.config,
            self.environment,
            self.split,
        ]

    def evaluation(self, subset: str = "test") -> Path:
        """The folder with the scores and masks of a subset."""
        return self.folder / "evaluation" / subset

    def read_log(self) -> list[dict[str, Any]]:
        """The records of the log, one an epoch: epoch, loss, learning rate, seconds and what was validated.

        Raises:
            InputError: there is no log yet, or it is damaged.
        """
        return read_log(self.log)

    def read_weights_record(self) -> dict[str, Any]:
        """The content of ``model.json``: bundle, kept (best or last), epoch, validation Dice and SHA-256.

        Raises:
            InputError: there are no weights yet, or the file is damaged.
        """
        content = read_json(self.weights_record)
        if not isinstance(content, dict):
            raise InputError(f"{self.weights_record} is damaged; train again")
        return content


@dataclass(frozen=True)
class RunRecord:
    """What identifies a training run: the same run is trained anew by the same values.

    Attributes:
        bundle: a bundle's name or path.
        settings: the overrides of its configuration.
        data: the folder of the prepared data set.
        manifest: SHA-256 of the data set's ``dataset.json``, which holds those of all images and masks.
        split: SHA-256 of the split file.
        fold: of the split, counted from 0.
        init: SHA-256 of the weights that training began with; None where it began from random ones.
        crops: whether most slices of the data set are crops; None where it is not known, as in release 0.1.
    """

    bundle: str
    settings: dict[str, Any]
    data: str
    manifest: str
    split: str
    fold: int
    init: str | None = None
    crops: bool | None = None


def write_run(folder: str | os.PathLike[str], record: RunRecord) -> None:
    """Write ``run.json``."""
    write_json(RunFolder(folder).record, {"format": FORMAT, "version": VERSION, **asdict(record)})


def read_run(folder: str | os.PathLike[str], *, trust: bool = False) -> RunRecord:
    """Read the ``run.json`` of a run folder.

    Args:
        folder: the run folder.
        trust: whether it may contain executable configuration: settings that are expressions, or a bundle that is
            not the package's. The folder may come from somebody else, and its weights alone cannot run anything.

    Raises:
        InputError: there is none, it is of another format, or it contains executable configuration and is not trusted.
    """
    path = RunFolder(folder).record
    if not path.is_file():
        raise InputError(f"{folder} is not a run folder: it has no {path.name}; `covid-monai train` makes one")
    content = read_json(path)
    if not isinstance(content, Mapping) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise InputError(f"{path} is not a {FORMAT} file of version {VERSION}")
    names = [field.name for field in fields(RunRecord)]
    try:
        # files of release 0.1 have neither of the optional ones
        record = RunRecord(
            **{name: content[name] for name in names if name not in ("init", "crops") or name in content}
        )
    except KeyError as error:
        raise InputError(f"{path} lacks {error}; it is damaged, so train again") from error
    if not trust and (record.bundle not in bundle_names() or any(map(is_code, record.settings.values()))):
        raise InputError(
            f"{path} contains executable configuration (expressions, or a bundle that is not the package's); "
            "give `trust=True` if you know where it comes from"
        )
    return record
