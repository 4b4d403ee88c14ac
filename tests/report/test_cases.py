from dataclasses import replace

import nibabel
import numpy as np
import pytest
from matplotlib.figure import Figure

from covid_monai.data.manifest import read_dataset, window_of, write_dataset
from covid_monai.palette import LUNG_WINDOW
from covid_monai.report.cases import load_case
from covid_monai.report.overlays import draw_overlay


@pytest.mark.parametrize(
    ("intensity", "source", "window"),
    [
        ("hu", "mine", LUNG_WINDOW),
        ("anchored", "mine", LUNG_WINDOW),
        ("window", "mine", (-1024, 600)),
        ("window", "zenodo_3757476", (-1250, 250)),
    ],
)
def test_a_case_is_drawn_in_the_window_that_its_values_were_mapped_by(
    tiny_dataset, tmp_path, intensity, source, window
):
    """Grey value 255 of the source is white and 0 is black, as the source shows them."""
    dataset = read_dataset(tiny_dataset)
    first = replace(dataset.cases[0], intensity=intensity, source=source)
    written = replace(dataset, folder=tmp_path / "data", cases=(first,))
    for kind in (first.image, first.label):
        (written.folder / kind).parent.mkdir(parents=True)
        (written.folder / kind).write_bytes((tiny_dataset / kind).read_bytes())
    write_dataset(written)
    label = nibabel.load(tiny_dataset / first.label)
    (tmp_path / "masks").mkdir()
    nibabel.save(label, tmp_path / "masks" / f"{first.case}.nii.gz")
    values = {int(value): 1 for value in np.unique(np.asanyarray(label.dataobj)) if value}
    case = load_case(first.case, read_dataset(written.folder), tmp_path, values, 1.0)
    plain, marked = Figure().subplots(1, 2)
    draw_overlay(plain, marked, case)
    assert plain.images[0].get_clim() == marked.images[0].get_clim() == window
    assert window_of(first) in (None, window)
