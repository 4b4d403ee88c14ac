"""The training state of the last complete epoch, as JSON and safetensors, and going on from it."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from safetensors.torch import load_file, save_file

from covid_monai.files import naming_disk_errors, settle

TENSOR = "__tensor__"
PAIRS = "__pairs__"


def save_nested(folder: Path, name: str, content: Any) -> None:
    """Write nested dicts, lists, numbers, strings and tensors to ``name.safetensors`` and ``name.json``.

    The caller makes the folder appear as a whole; see :class:`covid_monai.handlers.state.EpochState`.

    Raises:
        TypeError: the content holds anything else.
    """
    tensors: dict[str, torch.Tensor] = {}
    structure = _detach(content, name, tensors)
    # a channels-last tensor is not contiguous, which safetensors asks for
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(structure), encoding="utf-8")
    for suffix in ("safetensors", "json"):
        settle(folder / f"{name}.{suffix}")


def load_nested(folder: Path, name: str) -> Any:
    """Read what :func:`save_nested` wrote, tensors on the CPU."""
    tensors = load_file(folder / f"{name}.safetensors")
    return _attach(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")), tensors)


def _detach(content: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(content, torch.Tensor):
        tensors[path] = content.detach().cpu().clone()
        return {TENSOR: path}
    if isinstance(content, Mapping):
        # pairs, because an optimizer's state has integers for keys, which JSON would turn into text
        return {PAIRS: [[key, _detach(value, f"{path}/{key}", tensors)] for key, value in content.items()]}
    if isinstance(content, (list, tuple)):
        return [_detach(value, f"{path}/{position}", tensors) for position, value in enumerate(content)]
    if content is None or isinstance(content, (bool, int, float, str)):
        return content
    raise TypeError(f"{path} is a {type(content).__name__}; a training state holds tensors, numbers and text")


def _attach(structure: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(structure, dict):
        if TENSOR in structure:
            return tensors[structure[TENSOR]]
        return {key: _attach(value, tensors) for key, value in structure[PAIRS]}
    if isinstance(structure, list):
        return [_attach(value, tensors) for value in structure]
    return structure


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
        objects: what has ``state_dict`` and ``load_state_dict``, by name; an empty state is left out.
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
            if thing.state_dict():
                thing.load_state_dict(load_nested(folder, name))
        counters = load_nested(folder, "engine")
        engine.state.epoch = counters["epoch"]
        engine.state.iteration = counters["iteration"]

    def save(self, engine: Engine) -> None:
        """Write the state of the epoch that just ended, then remove the epoch before.

        Raises:
            InputError: the disk refused it; the epoch before is still there, to go on from.
        """
        if idist.get_rank() != 0:
            return
        target = self.folder / f"epoch-{engine.state.epoch:04d}"
        unfinished = self.folder / f".writing-{target.name}"
        with naming_disk_errors(target):
            try:
                self._write(unfinished, engine)
                shutil.rmtree(target, ignore_errors=True)
                os.replace(unfinished, target)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            for child in self.folder.iterdir():
                if child != target and EPOCH_FOLDER.fullmatch(child.name):
                    shutil.rmtree(child)

    def _write(self, folder: Path, engine: Engine) -> None:
        # what a killed run left behind
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, thing in self.objects.items():
            if state := thing.state_dict():
                save_nested(folder, name, state)
        save_nested(folder, "engine", {"epoch": engine.state.epoch, "iteration": engine.state.iteration})
