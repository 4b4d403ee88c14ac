import matplotlib
import numpy as np
import pytest
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.report.curves import best_record, draw_curves

from .fabricated import write_log


@pytest.mark.parametrize(("epochs", "validated"), [(1, True), (1, False), (40, True), (3, False)])
def test_any_log_gives_a_picture(tmp_path, epochs, validated):
    draw_curves(write_log(tmp_path / "log.jsonl", epochs, validated), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width == 1300
        assert picture.height == (1100 if validated else 700)
        assert np.asarray(picture.convert("L")).std() > 5


def test_the_same_log_gives_the_same_bytes(tmp_path):
    log = write_log(tmp_path / "log.jsonl", 5)
    for name in ("a.png", "b.png"):
        draw_curves(log, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_drawing_leaves_matplotlibs_settings_as_they_were(tmp_path):
    before = dict(matplotlib.rcParams)
    draw_curves(write_log(tmp_path / "log.jsonl", 2), tmp_path / "curves.png")
    assert dict(matplotlib.rcParams) == before


def test_the_first_of_equal_epochs_is_best():
    records = [{"epoch": 1}, *({"epoch": epoch, "validation_dice": 0.5} for epoch in (2, 3))]
    assert best_record(records)["epoch"] == 2


def test_a_missing_log_is_refused(tmp_path):
    with pytest.raises(InputError, match="no training log"):
        draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
