"""An output folder as finished jobs leave it, without any training: predictions are the labels, worsened."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import yaml

from covid_monai.data.manifest import FILE_NAME, Dataset, read_dataset
from covid_monai.data.splits import read_split
from covid_monai.files import sha256_of, write_json, write_text
from covid_monai.scoring import Scorer
from covid_monai.tables.folder import data_of, failure_file, prepare_parts
from covid_monai.tables.plan import Job, plan
from covid_monai.tables.spec import read_table
from covid_monai.tables.table import Row, Table

Predict = Callable[[Job, str, np.ndarray], np.ndarray]
"""The mask that a job predicts for a case, from its name and its reference of classes."""


def worsened(job: Job, case: str, reference: np.ndarray) -> np.ndarray:
    """The reference shifted: further in later rows, by another way in each seed, and less under ``paper``."""
    row = sum(map(ord, job.slug)) % 3
    rolled = np.roll(reference, 1 + row + job.seed + (job.protocol == "grouped"), axis=0)
    return np.roll(rolled, sum(map(ord, case)) % 3, axis=1)


def write_output(
    output: Path,
    path: Path,
    data: Path,
    predict: Predict = worsened,
    classes: Sequence[str] = ("background", "lesion"),
    class_of_label: Mapping[int, int] | None = None,
    seeds: int | None = 1,
    budget: str = "full",
    left_out: Mapping[str, str | None] | None = None,
    rows: Sequence[Row] | None = None,
    protocols: Sequence[str] | None = None,
) -> Table:
    """Write ``reproduce.json``, the splits and every job of the table in ``path``.

    ``left_out`` are the folders of jobs that are not done, each with the reason of its failure or None.
    """
    table = read_table(str(path))
    jobs = plan(table, protocols, rows=rows, seeds=seeds, budget=budget)
    prepare_parts(table, jobs, data, output)
    note = {
        "format": "covid-monai reproduction",
        "version": 2,
        "allowed_deviations": [],
        "table": table.name,
        "table_sha256": table.sha256,
        "manifest_sha256": sha256_of(data / FILE_NAME),
        "budget": budget,
        "table_path": str(table.path.absolute()),
        "data": str(data),
        "jobs": [job.folder for job in jobs],
    }
    write_json(output / "reproduce.json", note)
    left_out = left_out or {}
    for job in jobs:
        if job.folder not in left_out:
            _write_job(job, output, data, predict, classes, class_of_label or {1: 1, 2: 1})
        elif reason := left_out[job.folder]:
            write_json(failure_file(output / job.folder), {"row": job.row, "error": reason, "when": "now"})
    return table


def _write_job(
    job: Job, output: Path, data: Path, predict: Predict, classes: Sequence[str], class_of_label: Mapping[int, int]
) -> None:
    home = output / job.folder
    dataset = read_dataset(data_of(job, data, output))
    _write_scores(
        job, dataset, read_split(output / job.split).folds[job.fold].test, home, predict, classes, class_of_label
    )
    settings = {
        "class_names": list(classes),
        "lesion_labels": list(class_of_label),
        "lesion_classes": list(class_of_label.values()),
    }
    write_text(home / "config.yaml", yaml.safe_dump(settings))
    log = [
        {"epoch": epoch, "loss": 1 / (epoch + job.fold), "learning_rate": 0.1, "seconds": 1.0, "validation_dice": dice}
        for epoch, dice in enumerate((0.2, 0.5, 0.4 + 0.1 * job.fold), start=1)
    ]
    write_text(home / "log.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    record: dict[str, Any] = {
        "format": "covid-monai job",
        "version": 2,
        **{key: getattr(job, key) for key in ("table", "table_sha256", "protocol", "row", "slug", "variant", "fold")},
        **{key: getattr(job, key) for key in ("seed", "bundle", "budget")},
        "settings": dict(job.settings),
        "commands": [f"covid-monai train {job.bundle}", f"covid-monai evaluate {job.folder}"],
        "split_sha256": sha256_of(output / job.split),
        "weights_sha256": f"{job.fold}{job.seed}" * 32,
        "epochs": 3,
        "best_epoch": 2,
        "kept_epoch": 3,
        "seconds": 61.0,
        "peak_memory_bytes": 2**30,
        "device": "cpu",
        "threads": 1,
        "finished": "2026-01-01T00:00:00+00:00",
    }
    write_json(home / "job.json", record)


def _write_scores(
    job: Job,
    dataset: Dataset,
    tested: Sequence[str],
    home: Path,
    predict: Predict,
    classes: Sequence[str],
    class_of_label: Mapping[int, int],
) -> None:
    evaluation = home / "evaluation" / "test"
    (evaluation / "masks").mkdir(parents=True)
    scorer, on_grid = Scorer(classes), Scorer(classes)
    for case in dataset.cases:
        if case.case not in tested:
            continue
        label = nibabel.load(dataset.folder / case.label)
        values = np.asarray(label.dataobj)
        reference = np.zeros_like(values)
        for number, index in class_of_label.items():
            reference[values == number] = index
        prediction = predict(job, case.case, reference).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(prediction, label.affine), evaluation / "masks" / f"{case.case}.nii.gz")
        # a grid of half the pixels: every other one
        for each, step in ((scorer, 1), (on_grid, 2)):
            each.add(
                case=case.case,
                prediction=prediction[::step, ::step],
                reference=reference[::step, ::step],
                spacing=None,
                patient=case.patient or "",
                volume=case.volume or "",
                source=case.source,
                slice=-1 if case.slice is None else case.slice,
                probability=0.2 + 0.6 * (prediction[::step, ::step] > 0).astype(np.float32),
            )
    scorer.write(evaluation)
    if job.grid is not None:
        on_grid.write(evaluation / "scoring_grid")
