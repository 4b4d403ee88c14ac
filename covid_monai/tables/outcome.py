"""What became of a cell, and what its files tell of that to any process."""

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.tables.plan import Cell

FORMAT = "covid-monai cell"
VERSION = 1


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: ``done`` now, ``found`` done, ``busy`` in another process, or ``failed``, and why.

    ``seconds`` are those of the training's epochs, in all attempts, and of the evaluation.
    """

    cell: Cell
    status: str
    message: str = ""
    seconds: float = 0.0


def state_of(cell: Cell, output: Path) -> str:
    """``done``, ``running`` (in whichever process), ``failed`` (when it was last tried) or ``waiting``."""
    home = output / cell.folder
    if is_complete(home):
        return "done"
    if lock_file(home).exists():
        try:
            with FileLock(lock_file(home), timeout=0):
                # it may have been completed since
                if is_complete(home):
                    return "done"
        except Timeout:
            return "running"
    return "failed" if failure_file(home).exists() else "waiting"


def is_complete(home: Path) -> bool:
    """Whether a cell's folder has its ``cell.json``, which is written last.

    Raises:
        InputError: there is one, but not of this format.
    """
    path = home / "cell.json"
    if not path.is_file():
        return False
    content = read_json(path)
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise InputError(f"{path} is not a {FORMAT} file of version {VERSION}; remove its folder to run it again")
    return True


# both stand beside the cell's folder, which training wants to be empty
def lock_file(home: Path) -> Path:
    """What a process locks while it runs the cell of a folder; the lock ends with the process, the file stays."""
    return home.with_name(f"{home.name}.lock")


def failure_file(home: Path) -> Path:
    """Where it stands why the cell of a folder failed when it was last tried."""
    return home.with_name(f"{home.name}.failure.json")
