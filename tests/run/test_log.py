import pytest

from covid_monai.errors import InputError
from covid_monai.run.log import read_log


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
