"""The shipped model in int8, as an OpenVINO IR beside its weights, and what each precision costs in Dice.

    python -m tests.benchmarks.quantise make PART1 PART2    # prepared slices, as the bundle's card says
    python -m tests.benchmarks.quantise score VOLUMES       # coronacases_001/ct.nii.gz, infection.nii.gz, ...

The first quantises by NNCF (``pip install -e ".[quantise]"``) with slices of parts 1 and 2 as the network sees them, so
that no whole volume has a share in it. The second writes ``docs/results/model/precisions.csv`` and fails where the Dice
of a volume is more than ``LOSS`` below that of float32.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

import covid_monai as cm
from covid_monai.data.manifest import read_dataset
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.inference.openvino_network import convert_network
from covid_monai.inference.quantised import NETWORK_FILE, RECORD_FILE, network_settings
from covid_monai.run.trained import shipped_weights
from covid_monai.weights import WEIGHTS_RECORD_FILE
from tests.benchmarks.model_scores import write
from tests.benchmarks.model_volumes import dice

SLICES = 64
"""Of each part."""
SEED = 0
IN_FLOAT = (r"__module\.encoders\.0\.0\..*", r"__module\.(coarsest_head|finer_heads).*")
"""The first convolution, its normalisation and activation, and the segmentation layers."""
LOSS = 0.005
MOST_BYTES = 8e6
WAYS = (
    ("float32", "torch"),
    ("bfloat16", "torch"),
    ("float32", "openvino"),
    ("bfloat16", "openvino"),
    ("int8", "openvino"),
)
"""The first is the reference."""
COLUMNS = ("volume", "precision", "back_end", "dice", "difference", "dice_with_float32", "probability_mean_difference")


def make(*parts: Path) -> None:
    """Quantise and write the network, its weights and its record."""
    import nncf
    import openvino

    segmenter = cm.load(device="cpu", backend="torch", precision="float32", intensity="hu")._segmenter
    height, width = segmenter.inferer.inferer.roi_size
    images = [image for part in parts for image in calibration_images(part, segmenter.preprocessing)]
    quantised = nncf.quantize(
        convert_network(segmenter.network, (1, 1, height, width)),
        nncf.Dataset(images),
        # activations with a zero point: those of the leaky ReLU reach little below 0
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(patterns=list(IN_FLOAT)),
        # processors without VNNI add products in 16 bits, which weights of 8 bits overflow
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )
    folder = shipped_weights()
    network = folder / NETWORK_FILE
    with TemporaryDirectory(dir=folder) as name:
        written = Path(name) / NETWORK_FILE
        openvino.save_model(quantised, str(written))
        for file in (written, written.with_suffix(".bin")):
            file.replace(folder / file.name)
    files = (network, network.with_suffix(".bin"))
    if (size := sum(file.stat().st_size for file in files)) > MOST_BYTES:
        raise SystemExit(f"{network} with its weights has {size / 1e6:.1f} MB; it ships if under {MOST_BYTES / 1e6:g}")
    note = read_json(folder / WEIGHTS_RECORD_FILE)
    content = {
        "bundle": note["bundle"],
        "weights_sha256": note["sha256"],
        "settings": network_settings(folder.parent, {}),
        "sha256": {file.name: sha256_of(file) for file in files},
        "terms": note["terms"],
        "made_with": {"nncf": nncf.__version__, "openvino": openvino.__version__, "slices": len(images), "seed": SEED},
    }
    write_json(folder / RECORD_FILE, content)
    print(f"wrote {network} with its weights: {size / 1e6:.1f} MB")


def calibration_images(part: Path, preprocessing: Any) -> list[NDArray[np.float32]]:
    """Some slices of a prepared data set (1, 1, H, W), as the network sees them."""
    cases = read_dataset(part).cases
    chosen = np.sort(np.random.default_rng(SEED).choice(len(cases), SLICES, replace=False))
    items = [preprocessing({"image": str(part / cases[index].image)}) for index in chosen]
    return [item["image"].as_tensor()[..., 0].numpy()[None] for item in items]


def score(volumes: Path) -> None:
    """Segment whole volumes in each precision, and write what their Dice comes to."""
    models = {}
    for precision, backend in WAYS:
        try:
            models[precision, backend] = cm.load(device="cpu", backend=backend, precision=precision, intensity="hu")
        except InputError as error:
            # a processor may lack bfloat16
            if precision != "bfloat16":
                raise
            print(f"{precision}, {backend}: {error}")
    lines: list[list[Any]] = []
    for folder in sorted(volumes.glob("coronacases_*")):
        drawn = np.asanyarray(nibabel.load(folder / "infection.nii.gz").dataobj) > 0
        whole, *others = (model.predict(folder / "ct.nii.gz", probability=True) for model in models.values())
        reference = dice(whole.mask > 0, drawn)
        print(f"{folder.name} is segmented", flush=True)
        for (precision, backend), found in zip(models, [whole, *others], strict=True):
            value = dice(found.mask > 0, drawn)
            agreement = dice(found.mask > 0, whole.mask > 0)
            mean = float(np.abs(found.probability - whole.probability).mean())
            # not the -0.0 of a small one
            difference = round(value - reference, 4) + 0.0
            lines.append([folder.name, precision, backend, value, difference, agreement, f"{mean:.2g}"])
    write("precisions.csv", COLUMNS, lines)
    if fallen := sorted({line[0] for line in lines if line[1] == "int8" and line[4] < -LOSS}):
        raise SystemExit(f"in int8 the Dice of {', '.join(fallen)} falls by more than {LOSS}")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"make": make, "score": score}[command](*map(Path, arguments))
