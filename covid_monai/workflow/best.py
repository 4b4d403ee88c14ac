"""The best weights of a run, and stopping when they are no longer beaten."""

import os
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from covid_monai.errors import InputError
from covid_monai.files import sha256_of, write_json
from covid_monai.workflow.log import EpochLog
from covid_monai.workflow.weights import save_weights


class KeepBest:
    """Save the weights whenever the validation Dice is higher than ever, and stop after a time without that.

    What is best follows from the log alone, so this handler has no state of its own to resume.

    Args:
        folder: gets ``model.safetensors`` and ``model.json``.
        log: the run's log; it must be attached before this handler.
        network: whose weights are saved.
        bundle: the bundle's name, noted in ``model.json``.
        patience: epochs without a better Dice after which training stops; None trains to the end.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        log: EpochLog,
        network: nn.Module,
        bundle: str,
        patience: int | None,
    ) -> None:
        self.folder = Path(folder)
        self.log = log
        self.network = network
        self.bundle = bundle
        if patience is not None and (not isinstance(patience, int) or patience < 1):
            raise InputError(f"patience is {patience!r}; it must be a number of epochs, or null to train to the end")
        self.patience = patience

    def attach(self, engine: Engine) -> None:
        """Listen to ``engine``, the trainer."""
        # checked here too, since a run that had stopped may be resumed
        engine.add_event_handler(Events.EPOCH_STARTED, self._stop_without_progress)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save_if_best)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._stop_without_progress)
        engine.add_event_handler(Events.COMPLETED, self._refuse_to_end_without_weights)

    def _validated(self) -> list[tuple[int, float]]:
        return [(line["epoch"], line["validation_dice"]) for line in self.log.records if "validation_dice" in line]

    def _best_epoch(self) -> int:
        return max(self._validated(), key=lambda line: (line[1], -line[0]))[0]

    def _save_if_best(self, engine: Engine) -> None:
        if not self._validated() or self._best_epoch() != engine.state.epoch or idist.get_rank() != 0:
            return
        weights = self.folder / "model.safetensors"
        save_weights(weights, self.network)
        write_json(
            self.folder / "model.json",
            {
                "bundle": self.bundle,
                "epoch": engine.state.epoch,
                "validation_dice": self.log.records[-1]["validation_dice"],
                "sha256": sha256_of(weights),
            },
        )

    def _refuse_to_end_without_weights(self, engine: Engine) -> None:
        if not self._validated():
            raise InputError(
                f"training ended after epoch {engine.state.epoch} without a validation, so no weights are the best; "
                "set validation_interval to at most epochs"
            )

    def _stop_without_progress(self, engine: Engine) -> None:
        if self.patience is None or not self._validated():
            return
        if self.log.records[-1]["epoch"] - self._best_epoch() >= self.patience:
            engine.terminate()
