import numpy as np
import pytest
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.tables.figures import draw_curve_sheet, draw_table_curves


def log(epochs, start=1.0):
    return [{"epoch": epoch, "loss": start / epoch} for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize("rows", [1, 3, 6, 14])
def test_every_row_has_a_panel_with_its_protocols(rows, tmp_path):
    logs = {f"row {index}": [("paper", log(5)), ("grouped", log(8, start=3.0))] for index in range(rows)}
    draw_table_curves(logs, "loss", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    blue = (pixels[..., 2] > pixels[..., 0] + 100).sum()
    red = (pixels[..., 0] > pixels[..., 2] + 100).sum()
    assert min(blue, red) > 100 * rows


def test_a_value_that_nobody_logged_is_refused(tmp_path):
    with pytest.raises(InputError, match="no training log has validation_dice"):
        draw_table_curves({"row": [("paper", log(2))]}, "validation_dice", tmp_path / "curves.png")


@pytest.mark.parametrize("rows", [1, 2, 6])
def test_the_legend_of_the_curves_has_every_protocol_and_is_not_cut(rows, tmp_path):
    logs = {f"row {index}": [("paper", log(5)), ("grouped", log(8, start=3.0))] for index in range(rows)}
    draw_curve_sheet(logs, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        legend = np.asarray(picture.convert("RGB")).astype(int)[:60]
    coloured = abs(legend[..., 0] - legend[..., 2]) > 100
    assert ((legend[..., 2] > legend[..., 0]) & coloured).sum() > 100
    assert ((legend[..., 0] > legend[..., 2]) & coloured).sum() > 100
    # no ink at the very edges
    assert legend[:, [0, -1]].min() > 200
