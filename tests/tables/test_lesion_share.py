import numpy as np
import pytest

from covid_monai.tables.lesion_share import implied_interval, implied_share, implied_shares, share_sentences
from covid_monai.tables.spec import read_table


def pooled(share, sensitivity, specificity, pixels=1_000_000):
    """Dice of counted pixels."""
    lesion = round(share * pixels)
    tp, fp = sensitivity * lesion, (1 - specificity) * (pixels - lesion)
    return 2 * tp / (tp + fp + lesion)


@pytest.mark.parametrize("share", [0.001, 0.034, 0.2])
def test_the_share_of_counted_pixels_comes_back(share):
    assert implied_share(pooled(share, 0.7, 0.98), 0.7, 0.98) == pytest.approx(share, rel=1e-6)


def test_a_dice_that_the_sensitivity_rules_out_implies_no_share():
    assert np.isnan(implied_share(0.9, 0.7, 0.98))
    assert np.isnan(implied_interval(0.9, 0.7, 0.98, (0.0005,) * 3)).all()


def test_the_interval_holds_every_value_that_rounds_to_the_printed_ones():
    low, high = implied_interval(0.61, 0.613, 0.983, (0.0005,) * 3)
    drawn = np.random.default_rng(0).uniform(-0.0005, 0.0005, (2000, 3)) + np.array([0.61, 0.613, 0.983])
    shares = [implied_share(*values) for values in drawn]
    assert low <= min(shares) < low + 2e-4
    assert high - 2e-4 < max(shares) <= high


def shares_of(name, half):
    table = read_table(name)
    return [(100 * share.low, 100 * share.high) for share in implied_shares(table, dict.fromkeys(table.measures, half))]


def test_zhous_rows_imply_different_shares():
    expected = [(3.97, 4.25), (5.22, 5.46), (4.79, 5.11), (4.85, 5.07)]
    for found, stated in zip(shares_of("zhou2020-v1", 0.05), expected, strict=True):
        assert found == pytest.approx(stated, abs=0.006)
    of_v4 = shares_of("zhou2021-v4", 0.05)
    assert of_v4[0] == pytest.approx((1.16, 1.97), abs=0.006)
    assert of_v4[-1] == pytest.approx((2.85, 3.33), abs=0.006)


def test_nine_of_budaks_rows_imply_the_share_of_the_masks():
    near = [found for found in shares_of("budak2021", 0.005) if found[0] > 3.19 and found[1] < 3.76]
    assert len(near) == 9
    assert min(low for low, _ in near) == pytest.approx(3.2, abs=0.01)
    assert max(high for _, high in near) == pytest.approx(3.75, abs=0.01)


def test_the_sentence_says_whether_one_share_fits():
    table = read_table("zhou2020-v1")
    (sentence,) = share_sentences(implied_shares(table, dict.fromkeys(table.measures, 0.05)))
    assert "U-Net + DL 3.97 to 4.25 %" in sentence
    assert "No one share fits all rows" in sentence
    (sentence,) = share_sentences(implied_shares(table, dict.fromkeys(table.measures, 3.0)))
    assert "One share fits all rows" in sentence
    assert share_sentences(implied_shares(read_table("chen2020"), {})) == []
