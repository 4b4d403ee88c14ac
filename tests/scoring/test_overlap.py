import numpy as np
import pytest
import torch
from monai.metrics import ConfusionMatrixMetric, DiceMetric
from sklearn import metrics

from covid_monai.scoring.overlap import (
    OVERLAP_MEASURES,
    confusion_matrix,
    overlap_counts,
    overlap_measures,
)

from .masks import blobs, label_map


def measures_of(prediction, reference):
    counts = overlap_counts(confusion_matrix(prediction, reference, 2), [1])
    return dict(zip(OVERLAP_MEASURES, overlap_measures(counts), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_measures_agree_with_scikit_learn(seed):
    prediction, reference = blobs((31, 17, 3), seed), blobs((31, 17, 3), seed + 100)
    ours = measures_of(prediction, reference)
    truth, guess = reference.ravel(), prediction.ravel()
    assert ours["dice"] == pytest.approx(metrics.f1_score(truth, guess), abs=1e-12)
    assert ours["iou"] == pytest.approx(metrics.jaccard_score(truth, guess), abs=1e-12)
    assert ours["sensitivity"] == pytest.approx(metrics.recall_score(truth, guess), abs=1e-12)
    assert ours["specificity"] == pytest.approx(metrics.recall_score(~truth, ~guess), abs=1e-12)
    assert ours["precision"] == pytest.approx(metrics.precision_score(truth, guess), abs=1e-12)
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess), abs=1e-12)


def test_measures_agree_with_monai():
    prediction, reference = blobs((31, 17), 1), blobs((31, 17), 2)
    ours = measures_of(prediction, reference)
    one_hot = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, reference)]
    dice = DiceMetric()
    dice(*one_hot)
    assert ours["dice"] == pytest.approx(dice.aggregate().item(), abs=1e-6)
    for name in ("sensitivity", "specificity", "precision", "accuracy"):
        metric = ConfusionMatrixMetric(metric_name=name)
        metric(*one_hot)
        assert ours[name] == pytest.approx(metric.aggregate()[0].item(), abs=1e-6)


def test_confusion_matrix_agrees_with_scikit_learn():
    prediction, reference = label_map((20, 20, 2), 0, 4), label_map((20, 20, 2), 1, 4)
    expected = metrics.confusion_matrix(reference.ravel(), prediction.ravel())
    assert (confusion_matrix(prediction, reference, 4) == expected).all()


@pytest.mark.parametrize("labels", [(1,), (3,), (1, 2), (1, 2, 3)])
def test_counts_of_a_union_of_labels_are_those_of_the_union_mask(labels):
    prediction, reference = label_map((20, 20, 1), 0, 4), label_map((20, 20, 1), 1, 4)
    guess, truth = np.isin(prediction, labels), np.isin(reference, labels)
    expected = [
        (guess & truth).sum(),
        (guess & ~truth).sum(),
        (~guess & truth).sum(),
        (~guess & ~truth).sum(),
    ]
    assert overlap_counts(confusion_matrix(prediction, reference, 4), labels).tolist() == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0, 9), {"dice": 1, "iou": 1, "specificity": 1, "accuracy": 1}),
        ((0, 3, 0, 6), {"dice": 0, "iou": 0, "specificity": 6 / 9, "precision": 0, "accuracy": 6 / 9}),
        ((0, 0, 3, 6), {"dice": 0, "iou": 0, "sensitivity": 0, "specificity": 1, "accuracy": 6 / 9}),
        ((9, 0, 0, 0), {"dice": 1, "iou": 1, "sensitivity": 1, "precision": 1, "accuracy": 1}),
    ],
    ids=["both_empty", "reference_empty", "missed", "no_background"],
)
def test_undefined_ratios_are_nan_and_the_others_follow_the_rule(counts, expected):
    measures = dict(zip(OVERLAP_MEASURES, overlap_measures(np.array(counts)), strict=True))
    defined = {name: value for name, value in measures.items() if not np.isnan(value)}
    assert defined == pytest.approx(expected)


def test_no_pixel_at_all_has_no_measure():
    assert np.isnan(overlap_measures(np.zeros(4))).all()


def test_measures_of_many_counts_are_those_of_each():
    counts = np.array([[[5, 1, 2, 9], [0, 0, 0, 4]], [[0, 2, 0, 1], [0, 0, 3, 3]]])
    together = overlap_measures(counts)
    for index in np.ndindex(2, 2):
        np.testing.assert_array_equal(together[index], overlap_measures(counts[index]))
