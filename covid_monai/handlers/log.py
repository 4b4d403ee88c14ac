"""The JSON log of a training run, and the progress bar that shows it."""

import json
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.utils import CommonKeys

from covid_monai.errors import InputError
from covid_monai.files import write_text
from covid_monai.progress import progress_bar

if TYPE_CHECKING:
    from tqdm import tqdm


@contextmanager
def errors_told_once() -> Iterator[None]:
    """Keep ignite from logging what its engines raise, and an empty line on Ctrl-C: whoever runs them says it."""
    logger = logging.getLogger("ignite.engine.engine")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


class EpochLog:
    """Keep one record an epoch, and write them all to a JSON-lines file when an epoch ends.

    A record holds ``epoch`` (from 1), ``loss`` (mean over the epoch's batches), ``learning_rate``, ``seconds``,
    and after epochs with a validation the evaluator's metrics, ``validation_dice`` among them.

    Args:
        path: the log file.
        optimizer: whose learning rate is logged.
        evaluator: the engine that validates; its metrics are scalars.

    Raises (from the engine's ``run``):
        InputError: the loss is not finite.
    """

    def __init__(self, path: str | os.PathLike[str], optimizer: torch.optim.Optimizer, evaluator: Engine) -> None:
        self.path = Path(path)
        self.optimizer = optimizer
        self.evaluator = evaluator
        self.records: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Listen to ``engine``; attach this after the handler that validates."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end_epoch)

    def state_dict(self) -> dict[str, Any]:
        """The records so far."""
        return {"records": self.records}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from these records; what the file holds beyond them is forgotten."""
        self.records = state["records"]

    def _start(self, engine: Engine) -> None:
        self.started = time.monotonic()
        self.losses: list[float] = []
        self.learning_rate = self.optimizer.param_groups[0]["lr"]

    def add_loss(self, engine: Engine) -> None:
        """Take the loss of the batch that ``engine`` has ended."""
        loss = engine.state.output[CommonKeys.LOSS].item()
        if not math.isfinite(loss):
            raise InputError(
                f"the loss is {loss} in epoch {engine.state.epoch}, iteration {engine.state.iteration}; "
                "lower learning_rate, or set precision=float32 if that was not enough"
            )
        self.losses.append(loss)

    def end_epoch(self, engine: Engine) -> None:
        """Write the record of the epoch that ``engine`` has ended."""
        # of several processes each has its share of the epoch's cases, and all have equally many
        loss = idist.all_reduce(sum(self.losses) / len(self.losses)) / idist.get_world_size()
        record: dict[str, Any] = {
            "epoch": engine.state.epoch,
            "loss": float(loss),
            "learning_rate": self.learning_rate,
        }
        if self.evaluator.state.epoch == engine.state.epoch:
            record |= {name: float(value) for name, value in self.evaluator.state.metrics.items()}
        record["seconds"] = round(time.monotonic() - self.started, 3)
        self.records.append(record)
        if idist.get_rank() == 0:
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in self.records))


class Progress:
    """One bar over all iterations of a run, with the time left, the loss and the last validation Dice."""

    def __init__(self, log: EpochLog) -> None:
        self.log = log

    def attach(self, engine: Engine) -> None:
        """Draw the bar while ``engine`` runs; attach this after ``log``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._advance)
        engine.add_event_handler(Events.COMPLETED, self._end)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)
        self.bar: tqdm[Any] | None = None

    def _start(self, engine: Engine) -> None:
        if self.bar is None:
            # opened with the first epoch, not with the engine, so that a resumed run starts where it stopped
            total = engine.state.max_epochs * engine.state.epoch_length
            self.bar = progress_bar(
                description="training",
                unit="batch",
                total=total,
                initial=engine.state.iteration,
                shown=idist.get_rank() == 0,
            )
        self.bar.set_description(f"epoch {engine.state.epoch}/{engine.state.max_epochs}", refresh=False)

    def _advance(self, engine: Engine) -> None:
        assert self.bar is not None
        shown = {"loss": f"{engine.state.output[CommonKeys.LOSS].item():.3f}"}
        validated = [record["validation_dice"] for record in self.log.records if "validation_dice" in record]
        if validated:
            shown |= {"Dice": f"{validated[-1]:.3f}", "best": f"{max(validated):.3f}"}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()

    def _end(self, engine: Engine) -> None:
        if self.bar is not None:
            self.bar.close()

    def _fail(self, engine: Engine, exception: BaseException) -> None:
        self._end(engine)
        raise exception
