import numpy as np
import pytest

from covid_monai.scoring import Scorer
from covid_monai.scoring.measures import MEASURES

from .masks import blobs


@pytest.fixture
def scores():
    """Of a perfect mask, and of one that misses half and shows as much elsewhere."""
    reference = blobs((16, 16, 1), 0).astype(np.uint8)
    shifted = np.roll(reference, 3, axis=0)
    summaries = []
    for prediction in (reference, shifted):
        scorer = Scorer(["background", "lesion"], tolerance_mm=0)
        scorer.add(case="c", prediction=prediction, reference=reference, spacing=(1.0, 1.0, 1.0))
        summaries.append(scorer.summary())
    return summaries


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_scored_and_better_of_the_better_mask(scores, name):
    perfect, worse = (summary.value(name, level="slice") for summary in scores)
    assert (perfect > worse) if MEASURES[name].higher_is_better else (perfect < worse)


def test_the_rows_have_a_column_for_every_measure_and_the_pooled_level_those_that_are_ratios_of_counts(scores):
    assert set(MEASURES) <= set(scores[0].rows.columns)
    pooled = scores[0].content["levels"]["pooled"]["classes"]["lesion"]["measures"]
    assert set(pooled) == {name for name, measure in MEASURES.items() if not measure.of_surfaces}
