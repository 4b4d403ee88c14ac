import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.scoring import Scorer

GOOD = np.zeros((4, 4, 1), dtype=np.uint8)
PROBABILITY = np.full((4, 4, 1), 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": np.zeros((4, 5, 1), np.uint8)}, r"shape is \(4, 4, 1\), the reference's \(4, 5, 1\)"),
        ({"prediction": GOOD[..., 0], "reference": GOOD[..., 0]}, r"shape \(4, 4\)"),
        ({"prediction": GOOD[:0], "reference": GOOD[:0]}, r"shape \(0, 4, 1\)"),
        ({"prediction": GOOD.astype(float)}, "prediction is float64"),
        ({"reference": GOOD.astype(complex)}, "reference is complex128"),
        ({"prediction": GOOD + 3}, "prediction has labels 3 to 3; the class table has 0 to 2"),
        ({"reference": GOOD.astype(np.int16) - 1}, "reference has labels -1"),
        ({"spacing": (1.0, 0.0, 1.0)}, "spacing"),
        ({"spacing": (1.0, float("nan"), 1.0)}, "spacing"),
        ({"spacing": (1.0, 1.0)}, "spacing"),
        ({"position_mm": float("inf")}, "position"),
        ({"probability": PROBABILITY[:2]}, "probability's shape"),
        ({"probability": GOOD}, "probability is uint8"),
        ({"probability": PROBABILITY * np.nan}, "probability runs from nan"),
        ({"probability": PROBABILITY * 4}, "probability runs from 2 to 2"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_the_name_of_its_case(change, message):
    scorer = Scorer(["background", "ground-glass", "consolidation"])
    arguments = {"case": "part1_007", "prediction": GOOD, "reference": GOOD, "spacing": None, **change}
    with pytest.raises(InputError, match=message) as caught:
        scorer.add(**arguments)
    assert "part1_007" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no case was scored"):
        scorer.summary()


@pytest.mark.parametrize("names", [[], ["background"], ["background", "a", "a"], ["background", "any lesion"]])
def test_a_class_table_without_distinct_lesion_classes_is_refused(names):
    with pytest.raises(InputError, match="class names"):
        Scorer(names)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64])
def test_any_integer_labels_are_taken(dtype):
    scorer = Scorer(["background", "lesion"])
    scorer.add(case="c", prediction=(GOOD + 1).astype(dtype), reference=(GOOD + 1).astype(dtype), spacing=None)
    assert scorer.summary().value("dice", level="pooled") == 1
