"""Phantom patients: drawn as volumes, then imported like any other volumes."""

from pathlib import Path

from covid_monai.data.manifest import Dataset, read_dataset
from covid_monai.data.sources.folders import find_pairs
from covid_monai.data.sources.nifti import NiftiSlices
from covid_monai.data.writer import staged, write_cases
from covid_monai.progress import progress_bar


def prepare_phantom(
    folder: Path,
    patients: int = 8,
    size: int = 256,
    slices: int = 32,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = False,
) -> Dataset:
    """Draw phantom patients into ``folder/volumes/{images,labels}`` and their slices as a data set.

    Args:
        folder: where to; new or empty, unless ``overwrite`` is set.
        patients: number of patients, one volume each.
        size: pixels along x and y.
        slices: slices of each volume.
        seed: seed of the drawing.
        overwrite: replace the data set that is there.
        progress: show a progress bar on stderr.

    Raises:
        InputError: the folder cannot be used.
    """
    from covid_monai.data.phantom import write_phantom

    with staged(folder, overwrite) as staging:
        volumes = staging / "volumes"
        with progress_bar(description="drawing phantoms", unit="patient", total=patients, shown=progress) as bar:
            write_phantom(volumes, patients, seed=seed, size=size, slices=slices, progress=lambda *_: bar.update())
        pairs = find_pairs(volumes / "images", volumes / "labels")
        source = NiftiSlices(
            pairs,
            {1: 1, 2: 2, 3: 3},
            name="phantom",
            licence="drawn by covid-monai, free to use",
            intensity="hu",
            spacing_known=True,
        )
        write_cases(source, staging, progress)
    return read_dataset(folder)
