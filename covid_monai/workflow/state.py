"""The training state of the last complete epoch, and going on from it."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from covid_monai.workflow.tensors import load_nested, save_nested

EPOCH_FOLDER = re.compile(r"epoch-(\d+)")


def last_epoch_folder(folder: Path) -> Path | None:
    """The folder of the highest complete epoch in a run's ``state`` folder, or None."""
    if not folder.is_dir():
        return None
    complete = {int(found[1]): child for child in folder.iterdir() if (found := EPOCH_FOLDER.fullmatch(child.name))}
    return complete[max(complete)] if complete else None


class EpochState:
    """Save everything that training goes on from after each epoch, and load it when a run starts.

    An epoch's folder appears by one rename when all in it is on the disk, and only then is the epoch before it
    removed: whenever the process is killed, one complete state is there. This handler must be the last one, since
    what the other handlers did in an epoch belongs to that epoch. Of several processes, which all hold the same
    state, the first one writes.

    Args:
        folder: where the states are kept, ``RUN/state``.
        objects: what has ``state_dict`` and ``load_state_dict``, by name.
        resume: whether to load the last complete epoch, if there is one, when the engine starts.
    """

    def __init__(self, folder: str | os.PathLike[str], objects: Mapping[str, Any], resume: bool) -> None:
        self.folder = Path(folder)
        self.objects = objects
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        """Load when ``engine`` starts, save when it completes an epoch."""
        if self.resume:
            engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def load(self, engine: Engine) -> None:
        """Put every object and the engine's counters back to the end of the last complete epoch."""
        folder = last_epoch_folder(self.folder)
        if folder is None:
            return
        for name, thing in self.objects.items():
            thing.load_state_dict(load_nested(folder, name))
        counters = load_nested(folder, "engine")
        engine.state.epoch = counters["epoch"]
        engine.state.iteration = counters["iteration"]

    def save(self, engine: Engine) -> None:
        """Write the state of the epoch that just ended, then remove the epoch before."""
        if idist.get_rank() != 0:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"epoch-{engine.state.epoch:04d}"
        unfinished = self.folder / f".writing-{target.name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for name, thing in self.objects.items():
            save_nested(unfinished, name, thing.state_dict())
        save_nested(unfinished, "engine", {"epoch": engine.state.epoch, "iteration": engine.state.iteration})
        shutil.rmtree(target, ignore_errors=True)
        os.replace(unfinished, target)
        for child in self.folder.iterdir():
            if child != target and EPOCH_FOLDER.fullmatch(child.name):
                shutil.rmtree(child)
