"""Commands that are killed at a chosen moment: before their n-th change of a folder.

Run as a program, it imports the package once and then forks a process for each command that it reads.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod")
"""Audit events of changes; a file's mode is set when its content is written, and before it takes its name."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, or -9 where it was killed, its changes of the folder, and its output."""

    status: int
    changes: int
    output: str


class Commands:
    """A process that runs commands in children of its own; ``with`` ends it."""

    def __enter__(self) -> "Commands":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.killing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # of several threads nothing would be left in a forked process
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "1000"},
            cwd=Path(__file__).resolve().parents[2],
        )
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def run(self, arguments: Sequence[object], folder: Path, kill_at: int = 0) -> Ended:
        """Run ``covid-monai`` with ``arguments``; kill it before its ``kill_at``-th change within ``folder``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"arguments": [str(argument) for argument in arguments], "folder": str(folder), "kill_at": kill_at}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


def _serve() -> None:
    import monai.bundle
    import monai.engines  # noqa: F401
    import torch

    from covid_monai.run import evaluation, training  # noqa: F401
    from covid_monai.tables import page  # noqa: F401

    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(_fork(**json.loads(line))), flush=True)


def _fork(arguments: list[str], folder: str, kill_at: int) -> dict[str, Any]:
    read, write = os.pipe()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        _run(arguments, folder, kill_at, counts=write, output=tell)
    os.close(write)
    os.close(tell)
    with os.fdopen(told, "rb") as output:
        text = output.read().decode(errors="replace")
    with os.fdopen(read, "rb") as counted:
        changes = len(counted.read())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"status": status, "changes": changes, "output": text}


def _run(arguments: list[str], folder: str, kill_at: int, counts: int, output: int) -> None:
    done = 0

    def count(event: str, values: tuple[Any, ...]) -> None:
        nonlocal done
        if not _changes(event, values, folder):
            return
        done += 1
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(counts, b".")

    status = 70
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        from covid_monai.cli.root import root

        sys.addaudithook(count)
        root.main(arguments, prog_name="covid-monai")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _changes(event: str, values: tuple[Any, ...], folder: str) -> bool:
    """Whether an audit event is a change within ``folder``."""
    if event == "open":
        path, _, flags = values
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        return bool(writes) and isinstance(path, (str, bytes)) and os.fsdecode(path).startswith(folder)
    return event in _CHANGES and isinstance(values[0], (str, bytes)) and os.fsdecode(values[0]).startswith(folder)


if __name__ == "__main__":
    _serve()
