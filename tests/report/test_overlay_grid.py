from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.report.overlay_grid import GridCase, cut_to_body, draw_overlay_grid
from covid_monai.report.overlays import OverlayCase


def overlay(size=(40, 30)):
    """A body with air around; the reference at its left, the prediction half over it."""
    image = np.full(size, -1000.0)
    image[10:30, 8:22] = 0
    reference, prediction = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    reference[12:18, 10:16] = 1
    prediction[15:21, 10:16] = 1
    return OverlayCase("case", image, prediction, reference, (1.0, 1.0), 0.5)


def colours(path):
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return {
        "reference": ((red > green + 30) & (blue > green + 20)).sum(),
        "found": ((green > red + 60) & (green > blue + 15)).sum(),
        "missed": ((red > blue + 60) & (red > green + 40)).sum(),
    }


def test_the_grid_shows_reference_and_agreement(tmp_path):
    draw_overlay_grid([GridCase("one", [overlay()])], ["Net"], tmp_path / "grid.png")
    assert all(number > 500 for number in colours(tmp_path / "grid.png").values())


def test_a_row_without_a_mask_leaves_its_place_empty(tmp_path):
    draw_overlay_grid([GridCase("one", [None, overlay()])], ["Net", "Other"], tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.width > picture.height


def test_all_columns_show_the_same_part_without_the_air_around():
    lost = replace(overlay(), prediction=np.zeros((40, 30), np.uint8))
    strayed = overlay()
    strayed.prediction[35, 2] = 1
    cut = cut_to_body([lost, None, strayed])
    assert cut[1] is None
    # the body, and the pixel that is outside of it
    assert cut[0].image.shape == cut[2].prediction.shape == (36 - 10, 22 - 2)
    assert cut[2].prediction.sum() == strayed.prediction.sum()
    assert cut[0].reference.sum() == lost.reference.sum()


def test_a_slice_of_air_alone_is_shown_as_it_is():
    air = replace(overlay(), image=np.full((40, 30), -1000.0), reference=np.zeros((40, 30), np.uint8))
    empty = replace(air, prediction=np.zeros((40, 30), np.uint8))
    assert cut_to_body([empty])[0].image.shape == (40, 30)


@pytest.mark.parametrize("overlays", [[], [None], [overlay(), overlay()]])
def test_a_case_that_does_not_fit_the_columns_is_refused(overlays, tmp_path):
    with pytest.raises(InputError, match="case one has"):
        draw_overlay_grid([GridCase("one", overlays)], ["Net"], tmp_path / "grid.png")
    with pytest.raises(InputError, match="no case to draw"):
        draw_overlay_grid([], ["Net"], tmp_path / "grid.png")
