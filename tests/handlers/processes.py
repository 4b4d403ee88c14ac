"""Functions and trainings that real processes run together through gloo, and what they bring back."""

import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing
from safetensors.torch import load_file

from covid_monai.catalog.config import config_files
from covid_monai.handlers.state import last_epoch_folder

PROCESSES = 2


def run_in_processes(function: Callable[[int], Any]) -> list[Any]:
    """What ``function(rank)``, importable by its name, returns in each of two processes."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_work, (function, folder), nprocs=PROCESSES)
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


def _work(rank: int, function: Callable[[int], Any], folder: str) -> None:
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=120)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=PROCESSES, timeout=limit
    )
    torch.save(function(rank), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def train_in_processes(bundle: Path, data: Path, folder: Path, settings: Mapping[str, Any], processes: int = 2) -> None:
    """Train by the bundle's ``multi_gpu_train.yaml`` under torchrun; ``batch_size`` is that of each process."""
    files = [*config_files(bundle, "train"), str(bundle / "configs" / "multi_gpu_train.yaml")]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command += ["-m", "monai.bundle", "run", "--bundle_root", str(bundle), "--config_file", str(files)]
    for key, value in {"dataset_dir": data, "output_dir": folder, **settings}.items():
        command += [f"--{key}", str(value)]
    # a test's own network has to be importable; a machine with a GPU has not one for each process
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "CUDA_VISIBLE_DEVICES": ""}
    folder.mkdir(parents=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr


def last_state(folder: Path) -> dict[str, torch.Tensor]:
    """The network's parameters and buffers after a run's last epoch."""
    state = last_epoch_folder(folder / "state")
    assert state is not None
    return load_file(state / "network.safetensors")


def log_of(folder: Path, key: str) -> list[float]:
    """One number of every epoch of a run's log."""
    return [json.loads(line)[key] for line in (folder / "log.jsonl").read_text().splitlines()]
