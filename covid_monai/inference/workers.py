"""The inputs of a call, done one after another here, or by several processes that each load the model once."""

import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

from covid_monai.errors import InputError, InputWarning
from covid_monai.files import protecting
from covid_monai.inference.images import ImageInput, predict_image
from covid_monai.inference.model import Model
from covid_monai.inference.prediction import PredictedFile
from covid_monai.inference.study import StudyRun, fail_study, predict_study
from covid_monai.inference.study_inputs import StudyInput
from covid_monai.processes import Child, DiedError, Slot, end_all, start_child, wait_for

Given: TypeAlias = ImageInput | StudyInput

READY = "ready"
"""What a process says once it has loaded the model: sending an input can wait until somebody reads it."""


@dataclass(frozen=True)
class Work:
    """What a process needs to do any input of a call; another one can be sent it.

    Attributes:
        load: the model, on a ``device``.
        run_of: what the inputs have in common, with the model that was loaded.
        protected: files that nothing may replace.
    """

    load: Callable[..., Model]
    run_of: Callable[[Model], StudyRun]
    protected: Sequence[Path]


def predict_input(
    run: StudyRun, given: Given, *, progress: Callable[[int, int], object] | None = None
) -> PredictedFile:
    """Segment an image, or segment and measure a study; errors stand in what is returned."""
    if isinstance(given, ImageInput):
        return predict_image(run.model, given, overwrite=run.overwrite, progress=progress)
    return predict_study(run, given, progress=progress)


def predict_in_processes(
    run: StudyRun,
    work: Work,
    inputs: Iterable[Given],
    slots: Sequence[Slot],
    *,
    started: Callable[[Path], object] | None = None,
    ended: Callable[[Given, PredictedFile], object],
) -> None:
    """Do inputs in as many processes as there are slots, each the next one that waits.

    A process that dies takes the input with it that it had, which has then failed, and another one is started. All end
    with this one.

    Args:
        run: what the inputs have in common.
        work: the same for other processes.
        inputs: in the order in which they are begun.
        slots: the device and the threads of each process.
        started: called with the place of each input that a process is given.
        ended: called with each input and what became of it, in the order in which they end.

    Raises:
        InputError: a process cannot load the model.
    """
    waiting, free = deque(inputs), list(reversed(slots))
    idle: list[tuple[Child, Slot]] = []
    loading: dict[Child, Slot] = {}
    busy: dict[Child, tuple[Given, Slot]] = {}
    try:
        while waiting or busy:
            while len(waiting) > len(idle) + len(loading) and free:
                child, slot = _start(work, free.pop())
                loading[child] = slot
            while waiting and idle:
                child, slot = idle.pop()
                given = waiting.popleft()
                busy[child] = given, slot
                if started is not None:
                    started(given.place)
                child.send(given)
            for child in wait_for([*busy, *loading]):
                slot = loading.pop(child) if child in loading else busy[child][1]
                try:
                    answer = child.answer()
                    idle.append((child, slot))
                except DiedError as died:
                    if child not in busy:
                        raise InputError(
                            f"a worker {died} while it loaded the model; fewer `workers` take less memory, and a "
                            'script needs `if __name__ == "__main__":` around what it does'
                        ) from died
                    answer = _failed(run, busy[child][0], died)
                    free.append(slot)
                if isinstance(answer, Exception):
                    raise answer
                if child in busy:
                    ended(busy.pop(child)[0], answer)
    finally:
        end_all([*busy, *loading, *(child for child, _ in idle)])


def _start(work: Work, slot: Slot) -> tuple[Child, Slot]:
    return start_child(_serve, work, slot, threads=slot.threads), slot


def _failed(run: StudyRun, given: Given, died: DiedError) -> PredictedFile:
    killed = (
        " (the system does that where memory is short: fewer `workers` take less)" if "SIGKILL" in str(died) else ""
    )
    error = f"{given.place}: its process {died} before it was done{killed}; the same call again does it"
    return PredictedFile(given.place, error=error) if isinstance(given, ImageInput) else fail_study(run, given, error)


def _load(work: Work, slot: Slot) -> Model:
    try:
        return work.load(device=slot.device)
    # such as a GPU's memory that does not suffice for another model
    except (RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            f"a worker cannot load the model on {slot.device}: {reason}; fewer `workers` take less"
        ) from error


def _serve(connection: "Connection[PredictedFile | Exception | str, Given]", work: Work, slot: Slot) -> None:
    """What each process does: one input after another, until there are no more."""
    import torch

    torch.set_num_threads(slot.threads)
    # of the model all is told already, of an input it stands in the answer
    warnings.simplefilter("ignore", InputWarning)
    try:
        with protecting(*work.protected):
            run = work.run_of(_load(work, slot))
            connection.send(READY)
            while True:
                connection.send(predict_input(run, connection.recv()))
    except EOFError:
        return
    except InputError as error:
        connection.send(error)
    # the traceback is that of another process, which the error alone would not carry
    except Exception:
        connection.send(RuntimeError(f"in a process of its own:\n{traceback.format_exc()}"))
