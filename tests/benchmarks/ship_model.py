"""A trained run's weights as those that ship with the package: ``make model``.

    python -m tests.benchmarks.ship_model RUN

Writes them in half precision, with their hash and terms, into the bundle's ``models``; the licence lies there already.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.run.trained import SHIPPED_BUNDLE
from covid_monai.weights import WEIGHTS_FILE, WEIGHTS_RECORD_FILE

TERMS = (
    "CC BY-NC-SA 4.0, research use, non-commercial: trained on MedSeg/SIRM part 1 (crops, non-commercial research), "
    "Radiopaedia part 2 and coronacases (CC BY-NC-SA)"
)


def main(run: Path) -> None:
    """Convert and note."""
    note = read_json(run / WEIGHTS_RECORD_FILE)
    if note["bundle"] != SHIPPED_BUNDLE:
        raise SystemExit(f"{run} is a run of {note['bundle']}, not of {SHIPPED_BUNDLE}")
    tensors = {
        name: tensor.half() if tensor.dtype == torch.float32 else tensor
        for name, tensor in load_file(run / WEIGHTS_FILE).items()
    }
    weights = bundle_folder(SHIPPED_BUNDLE) / "models" / WEIGHTS_FILE
    weights.parent.mkdir(exist_ok=True)
    save_file(tensors, weights)
    # safetensors makes files for their owner alone
    weights.chmod(0o644)
    content = {
        "bundle": SHIPPED_BUNDLE,
        "epoch": note["epoch"],
        "sha256": sha256_of(weights),
        "terms": TERMS,
        "on_crops": True,
    }
    write_json(weights.with_name(WEIGHTS_RECORD_FILE), content)
    print(f"wrote {weights}: {weights.stat().st_size / 1e6:.1f} MB; int8 is made from it by tests.benchmarks.quantise")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
