"""A run folder as training and evaluation leave it, without any network: predictions are shifted labels."""

import json
from pathlib import Path

import nibabel
import numpy as np
import yaml

from covid_monai.data.manifest import read_dataset
from covid_monai.files import write_json, write_text
from covid_monai.run.folder import RunRecord, write_run
from covid_monai.scoring import Scorer

CLASSES = ["background", "ground-glass", "consolidation"]


def write_log(path: Path, epochs: int, validated: bool = True) -> Path:
    lines = []
    for epoch in range(1, epochs + 1):
        line = {"epoch": epoch, "loss": 1 / epoch, "learning_rate": 0.1 / epoch, "seconds": 1.0}
        lines.append(json.dumps(line | ({"validation_dice": epoch % 5 / 10} if validated else {})))
    write_text(path, "\n".join(lines) + "\n")
    return path


def write_evaluated_run(folder: Path, data: Path, bundle: str = "a_segnet") -> Path:
    """A three-class run; the first case is predicted exactly, the second without lesion, the others shifted."""
    write_run(folder, RunRecord(bundle, {"epochs": 7}, str(data), manifest="0" * 64, split="0" * 64, fold=0))
    settings = {
        "dataset_dir": str(data),
        "class_names": CLASSES,
        "lesion_labels": [1, 2],
        "lesion_classes": [1, 2],
        "epochs": 7,
        "loss": "dice",
        "device": "$torch.device('cpu')",
        "network_def": {"_target_": "covid_monai.networks.ASegNet"},
    }
    write_text(folder / "config.yaml", yaml.safe_dump(settings))
    write_json(folder / "environment.json", {"python": "3.11", "packages": {"torch": "2.13"}, "cuda": []})
    model = {"bundle": "a_segnet_ct_segmentation", "epoch": 4, "validation_dice": 0.4, "sha256": "f" * 64}
    write_json(folder / "model.json", model)
    write_log(folder / "log.jsonl", 7)
    _evaluate(folder / "evaluation" / "test", data)
    return folder


def _evaluate(evaluation: Path, data: Path) -> None:
    scorer = Scorer(CLASSES)
    (evaluation / "masks").mkdir(parents=True)
    for index, case in enumerate(read_dataset(data).cases):
        label = nibabel.load(data / case.label)
        reference = np.asarray(label.dataobj)
        prediction = np.roll(reference, index, axis=0) if index != 1 else np.zeros_like(reference)
        nibabel.save(nibabel.Nifti1Image(prediction, label.affine), evaluation / "masks" / f"{case.case}.nii.gz")
        scorer.add(
            case=case.case,
            prediction=prediction,
            reference=reference,
            spacing=(2.0, 2.0, 5.0),
            patient=case.patient or "",
        )
    scorer.write(evaluation)
