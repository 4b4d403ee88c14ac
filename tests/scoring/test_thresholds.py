import numpy as np
import pytest

from covid_monai.scoring.thresholds import (
    THRESHOLDS,
    NamedCurve,
    curve_table,
    dice_at_thresholds,
    image_curve,
    stretch,
    summarise_curves,
)


def naive(probability, reference, thresholds):
    curve = []
    for threshold in thresholds:
        predicted = probability >= threshold
        pixels = predicted.sum() + reference.sum()
        curve.append(2 * (predicted & reference).sum() / pixels if pixels else 1.0)
    return np.array(curve)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("grid", ["random", "on_thresholds"])
def test_curve_equals_a_loop_over_thresholds(dtype, grid):
    generator = np.random.default_rng(0)
    probability = generator.random((40, 30))
    if grid == "on_thresholds":
        probability = generator.integers(0, 256, (40, 30)) / 255
    probability = probability.astype(dtype).astype(np.float64)
    reference = generator.random((40, 30)) < probability
    np.testing.assert_allclose(
        dice_at_thresholds(probability, reference, THRESHOLDS),
        naive(probability, reference, THRESHOLDS),
        atol=1e-15,
    )


def test_the_stretch_uses_each_images_own_range():
    probability = np.linspace(0.2, 0.4, 20).reshape(4, 5)
    reference = probability > 0.3
    curve = image_curve(probability, reference)
    own_range = (probability - probability.min()) / (probability.max() - probability.min())
    np.testing.assert_allclose(curve.stretched, naive(own_range, reference, THRESHOLDS), atol=1e-15)
    assert curve.stretched_at_half == 1
    assert curve.at_half == 0


def test_sensitivity_and_specificity_are_means_over_a_loop_of_thresholds():
    generator = np.random.default_rng(2)
    probability, reference = generator.random((20, 15)), generator.random((20, 15)) < 0.3
    curve, stretched = image_curve(probability, reference), stretch(probability)
    predicted = [stretched >= threshold for threshold in THRESHOLDS]
    assert curve.sensitivity == pytest.approx(np.mean([mask[reference].mean() for mask in predicted]))
    assert curve.specificity == pytest.approx(np.mean([(~mask)[~reference].mean() for mask in predicted]))
    empty = image_curve(probability, np.zeros_like(reference))
    assert np.isnan(empty.sensitivity)
    assert 0 < empty.specificity < 1
    assert np.isnan(image_curve(probability, np.ones_like(reference)).specificity)


def test_a_constant_map_is_not_stretched():
    constant = np.full((3, 3), 0.25)
    assert (stretch(constant) == constant).all()


def test_empty_reference_and_prediction_agree():
    curve = dice_at_thresholds(np.full((3, 3), 0.1), np.zeros((3, 3), dtype=bool), np.array([0.05, 0.5]))
    assert curve.tolist() == [0.0, 1.0]


def test_summary_averages_over_images_then_over_thresholds():
    generator = np.random.default_rng(1)
    images = [(generator.random((12, 12)) * 0.8, generator.random((12, 12)) < 0.3) for _ in range(6)]
    curves = [
        NamedCurve(f"c{k}", patient=f"p{k}", volume="", source="", curve=image_curve(*image))
        for k, image in enumerate(images)
    ]
    expected = np.mean([naive(probability, reference, THRESHOLDS) for probability, reference in images], axis=0)
    content = summarise_curves(curves, seed=0)
    variant = content["unstretched"]
    assert variant["mean_over_thresholds"]["value"] == pytest.approx(expected.mean())
    assert variant["best"]["dice"] == pytest.approx(expected.max())
    assert variant["best"]["threshold"] == pytest.approx(THRESHOLDS[expected.argmax()])
    at_half = np.mean([naive(probability, reference, [0.5])[0] for probability, reference in images])
    assert variant["at_half"]["value"] == pytest.approx(at_half)
    low, high = variant["at_half"]["interval"]
    assert low < at_half < high
    assert content["unit"] == "patient"
    np.testing.assert_allclose(curve_table(curves)["dice_unstretched"], expected)
