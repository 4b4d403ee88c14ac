import json

import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.scoring import Scorer
from covid_monai.scoring.bootstrap import ClusterBootstrap
from covid_monai.scoring.intervals import Range, Ratios, interval
from covid_monai.scoring.markdown import markdown
from covid_monai.scoring.overlap import EMPTY_MASK_RULE

from .masks import blobs

EMPTY = np.zeros((12, 12, 1), dtype=np.uint8)
SOME = EMPTY.copy()
SOME[3:7, 3:7] = 1
PAIRS = {
    "lesion": (SOME, SOME),
    "both_empty": (EMPTY, EMPTY),
    "reference_empty": (SOME, EMPTY),
    "missed": (EMPTY, SOME),
}


def scored(kinds, patients=None, spacing=(1.0, 1.0, 1.0)):
    scorer = Scorer(["background", "lesion"])
    for k, kind in enumerate(kinds):
        prediction, reference = PAIRS[kind]
        patient = patients[k] if patients else ""
        scorer.add(case=f"c{k}", prediction=prediction, reference=reference, spacing=spacing, patient=patient)
    return scorer.summary()


def measures(summary, level="slice"):
    return summary.content["levels"][level]["classes"]["lesion"]["measures"]


def test_every_mean_counts_what_it_used_and_what_it_left_out():
    summary = scored(["lesion", "lesion", "both_empty", "reference_empty", "missed", "missed"])
    assert summary.content["levels"]["slice"]["classes"]["lesion"]["empty"] == {
        "both_empty": 1,
        "reference_empty": 1,
        "missed": 2,
    }
    expected = {
        "dice": (3 / 6, 6, {}),
        "iou": (3 / 6, 6, {}),
        "sensitivity": (2 / 4, 4, {"both_empty": 1, "reference_empty": 1}),
        "precision": (2 / 3, 3, {"missed": 2, "both_empty": 1}),
        "hd95_mm": (0.0, 2, {"missed": 2, "both_empty": 1, "reference_empty": 1}),
        "surface_dice": (3 / 6, 6, {}),
    }
    for name, (value, used, left_out) in expected.items():
        found = measures(summary)[name]
        assert (found["value"], found["used"], found["left_out"]) == (pytest.approx(value), used, left_out), name


def test_slices_with_lesion_are_a_level_of_their_own():
    summary = scored(["lesion", "both_empty", "reference_empty", "missed"])
    assert summary.value("dice", level="slice") == pytest.approx(2 / 4)
    assert summary.value("dice", level="slice_with_lesion") == pytest.approx(1 / 2)
    assert summary.content["levels"]["slice_with_lesion"]["classes"]["lesion"]["rows"] == 2


def test_a_class_without_any_value_is_undefined_and_not_zero():
    summary = scored(["missed"] * 6)
    assert np.isnan(summary.value("hd95_mm", level="slice"))
    assert np.isnan(summary.value("precision", level="slice"))
    assert np.isnan(summary.value("precision", level="pooled"))
    assert measures(summary)["hd95_mm"] == {
        "value": None,
        "interval": None,
        "used": 0,
        "left_out": {"missed": 6},
        "clusters": 0,
        "effective_clusters": 0,
    }


def test_a_reference_without_background_leaves_specificity_out():
    scorer = Scorer(["background", "lesion"])
    scorer.add(case="c", prediction=SOME, reference=np.ones_like(SOME), spacing=None)
    assert measures(scorer.summary())["specificity"]["left_out"] == {"no background pixel in the reference": 1}


def test_everything_is_json_without_nan():
    json.dumps(scored(["missed", "both_empty"], spacing=None).content, allow_nan=False)


def test_fewer_than_five_clusters_have_no_interval():
    assert measures(scored(["lesion", "missed"] * 2))["dice"]["interval"] is None
    assert measures(scored(["lesion", "missed"] * 3))["dice"]["interval"] is not None
    few_patients = scored(["lesion", "missed"] * 10, patients=["p", "q"] * 10)
    assert measures(few_patients)["dice"]["interval"] is None
    assert few_patients.content["levels"]["slice"]["unit"] == "patient"
    assert few_patients.content["levels"]["slice"]["clusters"] == 2


def test_clusters_that_give_a_value_are_counted_per_measure():
    summary = scored(["lesion", "missed", *["both_empty"] * 8])
    assert measures(summary)["dice"]["interval"] is not None
    assert measures(summary)["sensitivity"]["clusters"] == 2
    assert measures(summary)["sensitivity"]["interval"] is None
    assert measures(summary, "pooled")["sensitivity"]["clusters"] == 2
    assert measures(summary, "pooled")["sensitivity"]["interval"] is None


def many(seed=0, cases=24, patients=8, sources=("",)):
    scorer = Scorer(["background", "ground-glass", "consolidation"], seed=seed)
    for k in range(cases):
        lesion = blobs((16, 16, 1), k).astype(np.uint8)
        other = blobs((16, 16, 1), k if k % 3 else k + 50).astype(np.uint8)
        name, source = f"p{k % patients}", sources[k % patients % len(sources)]
        scorer.add(
            case=f"c{k}",
            prediction=lesion,
            reference=other * (1 + k % 2),
            spacing=None,
            patient=name,
            source=source,
        )
    return scorer.summary()


def test_pooled_interval_is_that_of_patients_whose_counts_are_added():
    summary = many()
    counts = summary.rows[(summary.rows["class"] == "any lesion")].groupby("patient")[["tp", "fp", "fn"]].sum()
    pixels = (2 * counts["tp"] + counts["fp"] + counts["fn"]).to_numpy(float)
    statistic = Ratios(2 * counts[["tp"]].to_numpy(float), pixels[:, None])
    found = summary.content["levels"]["pooled"]["classes"]["any lesion"]["measures"]["dice"]
    assert found["interval"] == pytest.approx(interval(statistic, ClusterBootstrap(range(8)), Range()))
    assert found["effective_clusters"] == pytest.approx(pixels.sum() ** 2 / (pixels**2).sum(), abs=0.01)


def test_sources_are_strata_and_stand_in_the_summary_where_they_are_known():
    without, within = many(), many(sources=("part 1", "part 2"))
    assert without.content["levels"]["pooled"]["strata"] == {"": 8}
    assert within.content["levels"]["pooled"]["strata"] == {"part 1": 4, "part 2": 4}
    assert set(within.rows["source"]) == {"part 1", "part 2"}
    assert without.value("dice") == within.value("dice")
    assert without.interval("dice") != within.interval("dice")
    assert (
        "- slice: 8 by patient (4 of part 1, 4 of part 2); effective for Dice: 8.0, under 15: a few units"
        in markdown(within.content)
    )


def test_few_effective_units_are_warned_of():
    def by_size(sizes):
        scorer = Scorer(["background", "lesion"])
        for k, size in enumerate(sizes):
            mask = np.zeros((100, 10, 1), dtype=np.uint8)
            mask[:size] = 1
            scorer.add(case=f"c{k}", prediction=np.roll(mask, 1 + k % 3, axis=0), reference=mask, spacing=None)
        return markdown(scorer.summary().content)

    # pixels of reference and prediction, in tens: (39 * 10 + 120)^2 / (39 * 10^2 + 120^2)
    unequal = by_size([5] * 39 + [60])
    assert "pooled: 40 by case; effective for Dice: 14.2, under 15: a few units decide the intervals" in unequal
    assert "slice: 40 by case; effective for Dice: 40.0 (" in unequal
    assert "a few units decide" not in by_size([5] * 40)


def test_intervals_hold_their_value_and_repeat_with_the_seed():
    summary = many()
    for level in summary.content["levels"].values():
        for scored_class in level["classes"].values():
            for measure in scored_class["measures"].values():
                if measure["interval"]:
                    low, high = measure["interval"]
                    assert low <= measure["value"] <= high
    assert summary.content == many().content
    assert summary.content["levels"] != many(seed=1).content["levels"]


def test_mean_of_classes_leaves_a_class_out_that_no_reference_has():
    scorer = Scorer(["background", "ground-glass", "consolidation"])
    for k in range(5):
        scorer.add(case=f"c{k}", prediction=SOME * (1 + k % 2), reference=SOME, spacing=None)
    summary = scorer.summary()
    mean = summary.content["levels"]["pooled"]["classes"]["mean of classes"]
    assert mean["classes"] == ["ground-glass"]
    assert mean["measures"]["dice"]["value"] == summary.value("dice", level="pooled", lesion_class="ground-glass")


def test_the_rule_and_the_numbers_are_in_the_summary():
    content = scored(["lesion"] * 3, patients=["p", "p", ""]).content
    assert content["empty_mask_rule"] == EMPTY_MASK_RULE
    assert (content["cases"], content["slices"], content["volumes"]) == (3, 3, 0)
    assert (content["patients"], content["slices_without_patient"]) == (1, 1)
    assert "volume" not in content["levels"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"level": "volume"}, "no level 'volume'; they have slice, slice_with_lesion, pooled$"),
        ({"lesion_class": "leison"}, r"no class 'leison' \(did you mean 'lesion'\?\); they have lesion$"),
        ({"measure": "hd95_mm"}, "no measure 'hd95_mm'; they have dice, iou, "),
    ],
)
def test_an_unknown_score_is_named_with_what_there_is(asked, message):
    summary = scored(["lesion"])
    for found in (summary.value, summary.interval):
        with pytest.raises(InputError, match=message):
            found(**{"measure": "dice", **asked})
