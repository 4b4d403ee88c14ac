import matplotlib
import numpy as np
import pytest
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.report.curves import best_record, draw_curves, read_log

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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no epoch"),
        ('{"epoch": 1, "loss": 0.', "line 1 is not JSON"),
        ("[1]\n", "line 1 is no JSON object"),
        ('{"epoch": 1, "loss": 1, "learning_rate": 1}\n{"epoch": 2, "learning_rate": 1}\n', "line 2 .* loss"),
        ('{"epoch": 1, "loss": NaN, "learning_rate": 1}\n', "no finite number loss"),
        ('{"epoch": 1, "loss": 1, "learning_rate": 1, "validation_dice": "x"}\n', "validation_dice"),
    ],
)
def test_a_damaged_log_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(InputError, match=message):
        read_log(tmp_path / "log.jsonl")


def test_a_missing_log_is_refused(tmp_path):
    with pytest.raises(InputError, match="no training log"):
        draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
