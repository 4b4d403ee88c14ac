"""One measurement in a process of its own, whose peak memory is then its own, and which may end without the others."""

import json
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json

CASE, RESULT = "case.json", "result.json"


def measure_apart(measured: str, arguments: Mapping[str, Any]) -> Any:
    """What a function of this room returns, called in a process of its own.

    Args:
        measured: ``limits``, ``network``, ``study``, or ``phantom``, which is drawn.
        arguments: of the function behind it, as JSON can hold them.

    Raises:
        InputError: it raised an error, or its process was ended, as the system does where memory runs out.
    """
    with TemporaryDirectory(prefix="covid-monai-") as name:
        folder = Path(name)
        write_json(folder / CASE, {"measured": measured, "arguments": dict(arguments)})
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(folder)],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # the import path begins with the current folder, which may be one of data
            cwd=folder,
        )
        if done.returncode < 0:
            ended = signal.Signals(-done.returncode).name
            more = ", as the system does where memory runs out" if ended == "SIGKILL" else ""
            raise InputError(f"its process was ended by {ended}{more}")
        if not (folder / RESULT).is_file():
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise InputError(f"it failed ({lines[-1][:300] if lines else f'exit status {done.returncode}'})")
        result = read_json(folder / RESULT)
    if "error" in result:
        raise InputError(result["error"])
    return result["returned"]


def main(folder: Path) -> None:
    """What the process does: call the function that the case names, and write what it returns or why it does not."""
    from covid_monai.benchmark.limits import measure_limits
    from covid_monai.benchmark.networks import measure_network
    from covid_monai.benchmark.study import draw_study, measure_study

    functions: dict[str, Callable[..., Any]] = {
        "limits": measure_limits,
        "network": measure_network,
        "study": measure_study,
        "phantom": draw_study,
    }
    case = json.loads((folder / CASE).read_text(encoding="utf-8"))
    result: dict[str, Any]
    try:
        result = {"returned": functions[case["measured"]](**case["arguments"])}
    # whatever a network or a back end raises is the reason in the row of the table; its place stands on stderr
    except Exception as error:
        traceback.print_exc()
        result = {"error": _reason(error)}
    write_json(folder / RESULT, result)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = lines[0][:300] if lines else ""
    return message if isinstance(error, InputError) and message else f"{type(error).__name__}: {message}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
