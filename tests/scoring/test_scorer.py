import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric
from sklearn import metrics

from covid_monai.errors import InputError
from covid_monai.scoring import Scorer
from covid_monai.scoring.surface import hausdorff95, surface_dice

from .masks import blobs, label_map

SPACING = (0.7, 0.9, 3.0)
NAMES = ["background", "ground-glass", "consolidation"]


def volume_pair(seed=0, shape=(20, 18, 5)):
    return blobs(shape, seed).astype(np.uint8), blobs(shape, seed + 1).astype(np.uint8)


def add_slices(scorer, prediction, reference, volume="v", spacing=SPACING, order=None, **names):
    for k in order or range(prediction.shape[2]):
        pair = {"prediction": prediction[:, :, k : k + 1], "reference": reference[:, :, k : k + 1]}
        scorer.add(case=f"{volume}_{k}", spacing=spacing, volume=volume, slice=k, **pair, **names)


def one_row(summary, **wanted):
    rows = summary.rows
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_slices_of_a_volume_and_the_whole_volume_score_alike():
    prediction, reference = volume_pair()
    slicewise, whole = Scorer(["background", "lesion"]), Scorer(["background", "lesion"])
    add_slices(slicewise, prediction, reference, order=[3, 0, 1, 4, 2])
    whole.add(case="v", prediction=prediction, reference=reference, spacing=SPACING)
    ours, theirs = slicewise.summary(), whole.summary()
    for level, level_content in theirs.content["levels"].items():
        measures = level_content["classes"]["lesion"]["measures"]
        for measure in measures:
            assert ours.value(measure, level=level) == pytest.approx(theirs.value(measure, level=level), nan_ok=True), (
                level,
                measure,
            )


def test_a_volumes_surface_is_measured_in_three_dimensions():
    prediction, reference = volume_pair()
    scorer = Scorer(["background", "lesion"])
    add_slices(scorer, prediction, reference)
    row = one_row(scorer.summary(), level="volume")
    masks = prediction > 0, reference > 0
    assert row["hd95_mm"] == pytest.approx(hausdorff95(*masks, SPACING))
    assert row["surface_dice"] == pytest.approx(surface_dice(*masks, SPACING, 2.0))
    assert row["dice"] == pytest.approx(metrics.f1_score(reference.ravel(), prediction.ravel()))


def test_a_slices_surface_is_measured_in_its_plane():
    prediction, reference = volume_pair()
    scorer = Scorer(["background", "lesion"])
    add_slices(scorer, prediction, reference)
    row = one_row(scorer.summary(), level="slice", slice=2)
    expected = hausdorff95(prediction[:, :, 2] > 0, reference[:, :, 2] > 0, SPACING[:2])
    assert row["hd95_mm"] == pytest.approx(expected)


def test_without_real_spacing_nothing_is_in_mm_and_the_reason_is_counted():
    prediction, reference = volume_pair()
    scorer = Scorer(["background", "lesion"])
    add_slices(scorer, prediction, reference, spacing=None)
    summary = scorer.summary()
    assert summary.rows["hd95_mm"].isna().all()
    assert summary.rows["surface_dice"].isna().all()
    hd95 = summary.content["levels"]["slice"]["classes"]["lesion"]["measures"]["hd95_mm"]
    assert hd95["value"] is None
    assert hd95["left_out"] == {"spacing unknown": 5}


def test_a_gap_between_slices_leaves_only_the_volumes_surface_out():
    prediction, reference = volume_pair()
    scorer = Scorer(["background", "lesion"])
    add_slices(scorer, prediction, reference, order=[0, 1, 3])
    summary = scorer.summary()
    assert np.isnan(summary.value("hd95_mm", level="volume"))
    assert summary.value("dice", level="volume") == pytest.approx(summary.value("dice", level="pooled"))
    assert one_row(summary, level="volume")["no_surface"] == "slices not consecutive"


def test_per_slice_mean_is_monais_mean_over_images():
    scorer, monai_dice = Scorer(["background", "lesion"]), DiceMetric(ignore_empty=False)
    for k in range(6):
        prediction, reference = blobs((15, 15, 1), k), blobs((15, 15, 1), k + 20)
        scorer.add(case=f"c{k}", prediction=prediction, reference=reference, spacing=None)
        monai_dice(*(torch.from_numpy(mask)[None, None].float() for mask in (prediction, reference)))
    assert scorer.summary().value("dice", level="slice") == pytest.approx(monai_dice.aggregate().item(), abs=1e-6)


def test_pooled_measures_are_those_of_all_pixels_together():
    scorer, truths, guesses = Scorer(NAMES), [], []
    for k in range(4):
        prediction, reference = label_map((9, 8 + k, 1), k, 3), label_map((9, 8 + k, 1), k + 20, 3)
        scorer.add(case=f"c{k}", prediction=prediction, reference=reference, spacing=None)
        truths.append(reference.ravel())
        guesses.append(prediction.ravel())
    truth, guess = np.concatenate(truths), np.concatenate(guesses)
    summary = scorer.summary()
    each = metrics.f1_score(truth, guess, labels=[1, 2], average=None)
    assert summary.value("dice", level="pooled", lesion_class="ground-glass") == pytest.approx(each[0])
    assert summary.value("dice", level="pooled", lesion_class="consolidation") == pytest.approx(each[1])
    assert summary.value("dice", level="pooled", lesion_class="mean of classes") == pytest.approx(each.mean())
    assert summary.value("dice", level="pooled") == pytest.approx(metrics.f1_score(truth > 0, guess > 0))


def test_one_lesion_class_has_no_union_beside_it():
    scorer = Scorer(["background", "lesion"])
    scorer.add(case="c", prediction=label_map((5, 5, 1), 0, 2), reference=label_map((5, 5, 1), 1, 2), spacing=None)
    assert list(scorer.summary().content["levels"]["pooled"]["classes"]) == ["lesion"]


def test_names_given_twice_are_refused_and_change_nothing():
    prediction, reference = volume_pair()
    scorer = Scorer(["background", "lesion"])
    add_slices(scorer, prediction, reference, patient="p")
    before = scorer.summary().content
    pair = {"prediction": prediction[:, :, :1], "reference": reference[:, :, :1], "spacing": SPACING}
    with pytest.raises(InputError, match="case v_0 was given twice"):
        scorer.add(case="v_0", **pair)
    with pytest.raises(InputError, match="slice 0 of volume v was given twice"):
        scorer.add(case="new", volume="v", slice=0, patient="p", **pair)
    with pytest.raises(InputError, match="volume v has patients 'p' and 'q'"):
        scorer.add(case="new", volume="v", slice=9, patient="q", **pair)
    with pytest.raises(InputError, match="volume v was given before"):
        scorer.add(case="v", prediction=prediction, reference=reference, spacing=SPACING, patient="p")
    assert scorer.summary().content == before


def test_masks_are_not_kept_when_nothing_in_mm_will_be_measured():
    scorer = Scorer(["background", "lesion"])
    add_slices(scorer, *volume_pair(), spacing=None)
    assert scorer.mask_bytes == 0


def test_masks_of_a_volume_in_mm_are_kept_compressed():
    scorer = Scorer(["background", "lesion"])
    reference = np.zeros((256, 256, 2), np.uint8)
    reference[50:120, 60:130] = 1
    add_slices(scorer, reference, reference)
    assert 0 < scorer.mask_bytes < reference.size / 20


def test_a_lesion_of_a_kind_that_nobody_wrote_down_is_scored_as_a_lesion_and_as_no_kind():
    prediction, reference = volume_pair()
    unspecified = np.where(reference > 0, len(NAMES), 0)
    known, unknown = Scorer(NAMES), Scorer(NAMES, unspecified_lesions=True)
    add_slices(known, prediction, reference)
    add_slices(unknown, prediction, unspecified)
    frame = unknown.summary().rows
    assert {*frame["class"]} == {"any lesion"}
    expected = known.summary().rows.query("`class` == 'any lesion'")
    for column in ("level", "slice", "tp", "fp", "fn", "tn", "dice", "hd95_mm"):
        np.testing.assert_array_equal(frame[column], expected[column])


def test_kinds_are_scored_where_all_of_them_are_known_although_others_might_not_be():
    prediction, reference = volume_pair()
    scorer = Scorer(NAMES, unspecified_lesions=True)
    add_slices(scorer, prediction, reference)
    assert {*scorer.summary().rows["class"]} == {*NAMES[1:], "any lesion"}


def test_only_a_reference_may_have_the_label_beyond_the_classes():
    mask = np.full((4, 4, 1), len(NAMES))
    with pytest.raises(InputError, match="the prediction has labels"):
        Scorer(NAMES, unspecified_lesions=True).add(case="a", prediction=mask, reference=mask * 0, spacing=None)
    with pytest.raises(InputError, match="the reference has labels"):
        Scorer(NAMES).add(case="a", prediction=mask * 0, reference=mask, spacing=None)
