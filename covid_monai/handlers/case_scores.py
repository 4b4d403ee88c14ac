"""From the evaluator's output to scores and masks on the disk."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import ignite.distributed as idist
import nibabel
import numpy as np
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.utils import CommonKeys
from nibabel.affines import voxel_sizes

from covid_monai.files import replacing, write_json
from covid_monai.progress import progress_bar
from covid_monai.scoring import Scorer
from covid_monai.scoring.other_grid import checked_grid, on_other_grid
from covid_monai.scoring.write import SCORING_GRID, SPEED_FILE, write_summary

NETWORK_PROBABILITY = "network_probability"
"""The key of the class probabilities on the network's own grid, beside those on the image's."""


class CaseScores:
    """Score every case of an evaluation on its own grid, and on a second one where asked for, and keep its mask.

    Writes ``scores.csv``, ``scores.json`` and ``scores.md`` (see :mod:`covid_monai.scoring`),
    ``masks/<case>.nii.gz`` (uint8, the class of each pixel), the scores on the second grid to ``scoring_grid/``, and
    ``speed.json``: the median over the cases of the seconds that a slice took, from the prepared slice to its mask.

    Args:
        folder: for these files.
        class_names: the network's classes, background first.
        scoring_grid: the size of a second grid in pixels, such as ``[512, 512]``; None for none.
        unspecified_lesions: see :class:`covid_monai.scoring.Scorer`.

    Raises:
        InputError: ``scoring_grid`` is no size.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        class_names: list[str],
        scoring_grid: int | Sequence[int] | None = None,
        unspecified_lesions: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.class_names = class_names
        self.grid = None if scoring_grid is None else checked_grid(scoring_grid)
        self.unspecified_lesions = unspecified_lesions

    def attach(self, engine: Engine) -> None:
        """Listen to ``engine``, whose output must have ``pred``, ``probability`` and ``reference`` on one grid.

        For a second grid it must have ``network_probability`` too.
        """
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_STARTED, self._start_clock)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._stop_clock)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add_batch)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        unspecified = self.unspecified_lesions
        self.scorer = Scorer(self.class_names, unspecified_lesions=unspecified)
        self.grid_scorer = None if self.grid is None else Scorer(self.class_names, unspecified_lesions=unspecified)
        self.seconds_per_slice: list[float] = []
        self.slices = 0
        self.bar = progress_bar(
            description="evaluating", unit="case", total=engine.state.epoch_length, shown=idist.get_rank() == 0
        )

    def _start_clock(self, engine: Engine) -> None:
        self.started = time.perf_counter()

    def _stop_clock(self, engine: Engine) -> None:
        # what a GPU has not finished yet would not be counted
        masks = [output[CommonKeys.PRED].cpu() for output in engine.state.output]
        slices = sum(mask.shape[-1] for mask in masks)
        self.seconds_per_slice.append((time.perf_counter() - self.started) / slices)
        self.slices += slices

    def _add_batch(self, engine: Engine) -> None:
        for batch, output in zip(engine.state.batch, engine.state.output, strict=True):
            self._add(batch, output)
            self.bar.update()

    def _add(self, batch: Mapping[str, Any], output: Mapping[str, Any]) -> None:
        reference: MetaTensor = batch["reference"]
        affine = reference.affine.cpu().numpy()
        prediction = output[CommonKeys.PRED][0].cpu().numpy().astype(np.uint8)
        names: dict[str, Any] = {
            "case": batch["case"],
            "patient": batch["patient"],
            "volume": batch["volume"],
            # bundles copied out of earlier releases may pass none
            "source": batch.get("source", ""),
            "slice": int(batch["slice"]),
            "position_mm": float(affine[2, 3]),
        }
        self.scorer.add(
            prediction=prediction,
            reference=reference[0].cpu().numpy().astype(np.uint8),
            # of any lesion; outside of a crop no class has a probability, background neither
            probability=output["probability"][1:].sum(dim=0).clamp(max=1).cpu().numpy(),
            spacing=tuple(voxel_sizes(affine)) if batch["spacing_known"] else None,
            **names,
        )
        if self.grid_scorer is not None and self.grid is not None:
            moved = on_other_grid(output[NETWORK_PROBABILITY], reference, self.grid)
            self.grid_scorer.add(
                prediction=moved.prediction,
                reference=moved.reference,
                probability=moved.probability,
                spacing=moved.spacing if batch["spacing_known"] else None,
                **names,
            )
        with replacing(self.folder / "masks" / f"{batch['case']}.nii.gz") as temporary:
            nibabel.save(nibabel.Nifti1Image(prediction, affine), temporary)

    def _write(self, engine: Engine) -> None:
        self.bar.close()
        self.scorer.write(self.folder)
        if self.grid_scorer is not None and self.grid is not None:
            summary = self.grid_scorer.summary()
            summary.content["grid"] = list(self.grid)
            write_summary(summary, self.folder / SCORING_GRID)
        else:
            # of an earlier evaluation, perhaps of other weights
            shutil.rmtree(self.folder / SCORING_GRID, ignore_errors=True)
        speed = {"seconds_per_slice": round(median(self.seconds_per_slice), 4), "slices": self.slices}
        write_json(self.folder / SPEED_FILE, speed)
