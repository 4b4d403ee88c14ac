import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.report.overlays import AGREEMENT, OverlayCase, agreement, draw_overlay, draw_overlays


def case(shape=(30, 20), spacing=(1.0, 1.0)):
    image = np.full(shape, -800.0)
    reference, prediction = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    reference[5:15, 5:15] = 1
    prediction[10:20, 5:15] = 1
    prediction[10:12, 5:15] = 2
    return OverlayCase("case", image, prediction, reference, spacing, 0.5)


def test_every_lesion_pixel_is_of_exactly_one_kind():
    masks = agreement(case())
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    assert list(counts.values()) == [30, 50, 50, 20]
    assert np.sum(list(masks.values()), axis=0).max() == 1
    assert list(counts) == list(AGREEMENT)


def test_anterior_is_on_top_and_the_patients_right_at_the_left():
    """The array's first corner (right, anterior) is the picture's upper left one."""
    figure = Figure()
    plain, marked = figure.subplots(1, 2)
    overlay = case()
    overlay.image[0, 0] = 100
    draw_overlay(plain, marked, overlay)
    shown = plain.images[0]
    assert shown.get_array()[0, 0] == 100
    assert shown.get_array().shape == (20, 30)
    assert shown.origin == "upper"
    assert plain.get_ylim()[0] > plain.get_ylim()[1]


def test_pixels_are_shown_in_their_true_proportion():
    figure = Figure()
    plain, marked = figure.subplots(1, 2)
    draw_overlay(plain, marked, case(spacing=(0.5, 1.0)))
    assert plain.get_aspect() == marked.get_aspect() == 2.0


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_cases_makes_a_picture(tmp_path, number):
    draw_overlays([case()] * number, tmp_path / "cases.png")
    with Image.open(tmp_path / "cases.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert any(red > 1.3 * blue for red, _, blue in colours)


def test_cases_of_different_shapes_are_refused(tmp_path):
    overlay = case()
    broken = OverlayCase("broken", overlay.image, overlay.prediction[:5], overlay.reference, overlay.spacing, 0.5)
    with pytest.raises(InputError, match="broken"):
        draw_overlays([broken], tmp_path / "cases.png")
    with pytest.raises(InputError, match="no case"):
        draw_overlays([], tmp_path / "cases.png")
