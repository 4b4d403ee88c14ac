"""The weights that a run keeps, and stopping when there is no more progress."""

import os
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from covid_monai.errors import InputError
from covid_monai.files import sha256_of, write_json
from covid_monai.handlers.log import EpochLog
from covid_monai.weights import WEIGHTS_FILE, WEIGHTS_RECORD_FILE, save_weights

KEPT = ("best", "last")
"""Of which epoch the weights are kept: the best one by the validation, the first of equal ones, or the last."""


class KeepWeights:
    """Save the weights of the best epoch or of the last one, and stop after a time without progress.

    Those of the last are saved after every epoch, so that a run that is killed has those of its last complete one.
    Which epoch is the best follows from the log alone, so this handler has no state of its own to resume.

    Args:
        folder: gets ``model.safetensors`` and ``model.json``.
        log: the run's log; it must be attached before this handler.
        network: whose weights are saved.
        bundle: the bundle's name, noted in ``model.json``.
        patience: epochs without progress after which training stops; None trains to the end.
        progress: the logged value in which there must be progress; a loss has to fall, all else to rise.
        kept: one of ``KEPT``, noted in ``model.json``.
        metric: the logged value that decides which epoch is the best; of a loss the lowest, of all else the highest.

    Raises:
        InputError: ``patience`` is no number of epochs, or ``kept`` is none of ``KEPT``. From the engine's ``run``: an
            epoch was validated without what decides.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        log: EpochLog,
        network: nn.Module,
        bundle: str,
        patience: int | None,
        progress: str = "validation_dice",
        kept: str = "best",
        metric: str = "validation_dice",
    ) -> None:
        self.folder = Path(folder)
        self.log = log
        self.network = network
        self.bundle = bundle
        if patience is not None and (not isinstance(patience, int) or patience < 1):
            raise InputError(f"patience is {patience!r}; it must be a number of epochs, or null to train to the end")
        if kept not in KEPT:
            raise InputError(f"weights_kept is {kept!r}; it can be best (by the validation) or last (the last epoch's)")
        self.patience = patience
        self.progress = progress
        self.kept = kept
        self.metric = metric

    def attach(self, engine: Engine) -> None:
        """Listen to ``engine``, the trainer."""
        # checked here too, since a run that had stopped may be resumed
        engine.add_event_handler(Events.EPOCH_STARTED, self._stop_without_progress)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._stop_without_progress)
        engine.add_event_handler(Events.COMPLETED, self._refuse_to_end_without_weights)

    def _best_epoch(self, metric: str) -> int | None:
        """The epoch in which a logged value was best, the first of equal ones; None before any validation."""
        sign = -1 if metric.endswith("loss") else 1
        validated = [(sign * line[metric], -line["epoch"]) for line in self.log.records if metric in line]
        return -max(validated)[1] if validated else None

    def _save(self, engine: Engine) -> None:
        self._refuse_unknown_metrics()
        wanted = engine.state.epoch if self.kept == "last" else self._best_epoch(self.metric)
        if wanted != engine.state.epoch or idist.get_rank() != 0:
            return
        weights = self.folder / WEIGHTS_FILE
        save_weights(weights, self.network)
        write_json(
            self.folder / WEIGHTS_RECORD_FILE,
            {
                "bundle": self.bundle,
                "kept": self.kept,
                "metric": self.metric if self.kept == "best" else None,
                "epoch": engine.state.epoch,
                # the last epoch need not be one that is validated
                "validation_dice": self.log.records[-1].get("validation_dice"),
                "sha256": sha256_of(weights),
            },
        )

    def _refuse_unknown_metrics(self) -> None:
        line = self.log.records[-1]
        needed = {"weights_metric": self.metric if self.kept == "best" else None}
        needed["patience_metric"] = self.progress if self.patience is not None else None
        for setting, metric in needed.items():
            # a metric that never comes would end training without weights, or never
            if "validation_dice" in line and metric is not None and metric not in line:
                known = [name for name in line if name.startswith("validation")]
                raise InputError(f"{setting} is {metric!r}; the validation of this bundle gives {', '.join(known)}")

    def _refuse_to_end_without_weights(self, engine: Engine) -> None:
        if self.kept == "best" and self._best_epoch(self.metric) is None:
            raise InputError(
                f"training ended after epoch {engine.state.epoch} without a validation, so no weights are the best; "
                "set validation_interval to at most epochs, or weights_kept to last"
            )

    def _stop_without_progress(self, engine: Engine) -> None:
        best = self._best_epoch(self.progress)
        if self.patience is None or best is None:
            return
        if self.log.records[-1]["epoch"] - best >= self.patience:
            engine.terminate()
