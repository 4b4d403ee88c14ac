"""From the evaluator's output to scores and masks on the disk."""

import os
from pathlib import Path

import ignite.distributed as idist
import nibabel
import numpy as np
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.utils import CommonKeys
from nibabel.affines import voxel_sizes

from covid_monai.files import replacing
from covid_monai.progress import progress_bar
from covid_monai.scoring import Scorer


class CaseScores:
    """Score every case of an evaluation on its own grid, and keep its mask.

    Writes ``scores.csv``, ``scores.json`` and ``scores.md`` (see :mod:`covid_monai.scoring`) and
    ``masks/<case>.nii.gz`` (uint8, the class of each pixel).

    Args:
        folder: for these files.
        class_names: the network's classes, background first.
    """

    def __init__(self, folder: str | os.PathLike[str], class_names: list[str]) -> None:
        self.folder = Path(folder)
        self.class_names = class_names

    def attach(self, engine: Engine) -> None:
        """Listen to ``engine``, whose output must have ``pred``, ``probability`` and ``reference`` on one grid."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add_batch)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        self.scorer = Scorer(self.class_names)
        self.bar = progress_bar(
            description="evaluating", unit="case", total=engine.state.epoch_length, shown=idist.get_rank() == 0
        )

    def _add_batch(self, engine: Engine) -> None:
        for batch, output in zip(engine.state.batch, engine.state.output, strict=True):
            reference: MetaTensor = batch["reference"]
            affine = reference.affine.cpu().numpy()
            prediction = output[CommonKeys.PRED][0].cpu().numpy().astype(np.uint8)
            # the lesion, whatever its class, is all that is not background
            probability = 1 - output["probability"][0].cpu().numpy()
            self.scorer.add(
                case=batch["case"],
                prediction=prediction,
                reference=reference[0].cpu().numpy().astype(np.uint8),
                probability=probability,
                spacing=tuple(voxel_sizes(affine)) if batch["spacing_known"] else None,
                patient=batch["patient"],
                volume=batch["volume"],
                slice=int(batch["slice"]),
                position_mm=float(affine[2, 3]),
            )
            with replacing(self.folder / "masks" / f"{batch['case']}.nii.gz") as temporary:
                nibabel.save(nibabel.Nifti1Image(prediction, affine), temporary)
            self.bar.update()

    def _write(self, engine: Engine) -> None:
        self.bar.close()
        self.scorer.write(self.folder)
