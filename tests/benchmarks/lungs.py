"""Lungs of the real volumes against their masks, and the time that they take: ``docs/lungs.md``.

    python -m tests.benchmarks.lungs DATA

DATA has ``lung_masks``, ``coronacases_001`` to ``005`` and ``chest_dicom_series/normal_001``. The lungs of coronacases
are scored on the slices that have lungs drawn, and their lesions everywhere. Seconds are those of the processor, all
threads together. The last line is of 300 slices of 512 x 512: the DICOM series with each slice twice, half as thick.
"""

import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

from covid_monai.lungs import find_lungs
from covid_monai.studies import read_study


def volumes(data: Path) -> list[tuple[str, Path, Path, Path | None]]:
    """Name, CT, lung mask and lesion mask of each volume."""
    masks = data / "lung_masks"
    found: list[tuple[str, Path, Path, Path | None]] = [
        (name, masks / f"{name}-128x128x64.nii.gz", masks / f"{name}-128x128x64-msk.nii.gz", None)
        for name in ("id001", "id002")
    ]
    for folder in sorted(data.glob("coronacases_*")):
        files = [folder / f"{part}.nii.gz" for part in ("ct", "lungs_partial", "infection")]
        found.append((folder.name, files[0], files[1], files[2]))
    return found


def array_of(path: Path) -> npt.NDArray:
    """A volume's values as they are stored."""
    return np.asanyarray(nibabel.load(path).dataobj)


def main(data: Path) -> None:
    """Print a row for each volume."""
    print("| volume | Dice | too much | missing | lesion outside | processor seconds |")
    print("|---|---|---|---|---|---|")
    for name, image, mask, lesions in volumes(data):
        hu, drawn = array_of(image), array_of(mask)
        lungs = drawn > (127 if drawn.max() > 1 else 0)
        start = time.process_time()
        found = find_lungs(hu, nibabel.load(image).affine).labels > 0
        seconds = time.process_time() - start
        outside = "-"
        if lesions is not None:
            lesion = array_of(lesions) > 0
            outside = f"{(lesion & ~found).sum() / lesion.sum():.1%}"
        shown = lungs.any(axis=(0, 1))
        ours, theirs = found[:, :, shown], lungs[:, :, shown]
        dice = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
        more, less = ((a & ~b).sum() / theirs.sum() for a, b in ((ours, theirs), (theirs, ours)))
        print(f"| {name} | {dice:.4f} | {more:.1%} | {less:.1%} | {outside} | {seconds:.1f} |")
    study = read_study(data / "chest_dicom_series" / "normal_001")
    hu = np.repeat(study.hu, 2, axis=2)[:, :, :300]
    start, began = time.process_time(), time.perf_counter()
    find_lungs(hu, study.affine @ np.diag([1, 1, 0.5, 1]))
    print(f"{hu.shape}: {time.perf_counter() - began:.1f} s, {time.process_time() - start:.1f} processor seconds")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
