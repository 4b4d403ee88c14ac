"""A trial of a network with OpenVINO in a process of its own, which a fault may end; what came out is kept.

On some processors OpenVINO ends the process that compiles a network (openvino issue 35943: SIGFPE), which nothing in
that process can catch.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json
from covid_monai.inference.openvino_cache import can_keep, place_of
from covid_monai.inference.openvino_network import OpenVinoNetwork, compile_network

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "covid-monai openvino trial 1"

DIFFERENCE = {"float32": 1e-3, "bfloat16": 0.05, "int8": 0.005}
"""How far probabilities of random images may be from those of torch in float32, in the mean of all voxels.

It tells a network that was converted wrongly from one that is rounded; tests hold real slices to closer bounds.
"""

MINUTES = 10
ROUNDS = 3


@dataclass(frozen=True)
class Trial:
    """What came out of a trial.

    Attributes:
        reason: why OpenVINO cannot be used; None where it can.
        openvino: seconds for the most images at once, the least of some rounds; None where it cannot be used.
        torch: the same of torch.
        place: the file in which it is kept; None where it could not be kept.
    """

    reason: str | None
    openvino: float | None = None
    torch: float | None = None
    place: str | None = None


_UNKEPT = Trial("the user's cache cannot be written, where it is kept which back end is the faster one")


def kept_trial(
    network: "nn.Module",
    torchs: "Callable[[Tensor], Tensor]",
    convert: Callable[[], Any],
    subject: dict[str, Any],
    *,
    to_keep: bool = False,
) -> Trial:
    """The trial of a network, made now if it has not been made on this machine with this network and these versions.

    Args:
        network: in evaluation mode, on the CPU.
        torchs: the network as torch would be called in its place, in the same precision; in float32 for int8.
        convert: gives the ``openvino.Model``.
        subject: see :func:`covid_monai.inference.openvino_cache.subject_of`.
        to_keep: make no trial that could not be kept; the next call could choose otherwise by its own.
    """
    place = place_of(subject)
    with suppress(InputError, KeyError, TypeError, AttributeError):
        content = read_json(place)
        if content["format"] == FORMAT and content["of"] == subject:
            return Trial(content["reason"], content["openvino"], content["torch"], str(place))
    if to_keep and not can_keep(place):
        return _UNKEPT
    trial, final = _try(network, torchs, convert, subject)
    if final:
        with suppress(InputError):
            write_json(place, {"format": FORMAT, "of": subject, **asdict(trial)})
            return replace(trial, place=str(place))
    return _UNKEPT if to_keep and trial.reason is None else trial


def _try(
    network: "nn.Module",
    torchs: "Callable[[Tensor], Tensor]",
    convert: Callable[[], Any],
    subject: dict[str, Any],
) -> tuple[Trial, bool]:
    """A trial, and whether it would come out the same again."""
    import numpy as np
    import torch

    precision = subject["precision"]
    try:
        model = convert()
    # tracing and conversion fail in as many ways as there are operations
    except Exception as error:
        return Trial(f"it cannot be converted ({_last_line(str(error)) or type(error).__name__})"), True
    images = torch.rand(subject["shape"], generator=torch.Generator().manual_seed(0))
    with TemporaryDirectory(prefix="covid-monai-") as name, torch.inference_mode():
        folder = Path(name)
        try:
            save_trial(model, images.numpy(), folder)
            process = subprocess.run(
                [sys.executable, "-m", __name__, str(folder), precision, str(subject["threads"])],
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60 * MINUTES,
                # the import path begins with the current folder, which may be one of data
                cwd=folder,
            )
        except (OSError, RuntimeError) as error:
            return Trial(f"it cannot be tried ({_last_line(str(error))})"), False
        except subprocess.TimeoutExpired:
            return Trial(f"it was not compiled within {MINUTES} minutes"), True
        if process.returncode != 0:
            # what the system ends, for want of memory or at a user's wish, may go better another time
            final = process.returncode not in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)
            return Trial(f"compiling it failed ({_ended(process.returncode, process.stderr)})"), final
        found = np.load(folder / "results.npz", allow_pickle=False)
        expected = _probabilities(network(images))
        for kind, reference in (("all", expected), ("first", expected[:1])):
            difference = float((_probabilities(torch.from_numpy(found[kind])) - reference).abs().mean())
            if not difference <= DIFFERENCE[precision]:
                return Trial(f"its probabilities are {difference:.2g} from torch's in the mean"), True
        of_torch = least_seconds(lambda: torchs(images))
    return Trial(None, float(found["seconds"]), of_torch), True


def save_trial(model: Any, images: Any, folder: Path) -> None:
    """Write what the process of a trial reads."""
    import numpy as np
    import openvino

    openvino.save_model(model, str(folder / "network.xml"), compress_to_fp16=False)
    np.save(folder / "images.npy", images)


def least_seconds(compute: Callable[[], object]) -> float:
    """The least of ``ROUNDS`` rounds, after one that does not count."""
    compute()
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        compute()
        rounds.append(time.perf_counter() - start)
    return min(rounds)


def _probabilities(logits: "Tensor") -> "Tensor":
    return logits.float().softmax(dim=1) if logits.shape[1] > 1 else logits.float().sigmoid()


def _ended(status: int, errors: str) -> str:
    if status < 0:
        return f"the process was ended by {signal.Signals(-status).name}"
    return _last_line(errors) or f"exit status {status}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def main(folder: Path, precision: str, threads: int) -> None:
    """What the process of a trial does: compile, compute all images and the first alone, and time it."""
    import numpy as np
    import torch

    images = torch.from_numpy(np.load(folder / "images.npy", allow_pickle=False))
    network = OpenVinoNetwork(compile_network(folder / "network.xml", precision, threads))
    whole, first = network(images).numpy(), network(images[:1]).numpy()
    np.savez(folder / "results.npz", all=whole, first=first, seconds=least_seconds(lambda: network(images)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
