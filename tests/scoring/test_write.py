import json

import numpy as np
import pandas as pd
import pytest

from covid_monai.errors import InputError
from covid_monai.scoring import Scorer, pooled_dice
from covid_monai.scoring.overlap import EMPTY_MASK_RULE

from .masks import blobs


def scorer_of(cases=6, probability=True):
    scorer = Scorer(["background", "lesion"])
    for k in range(cases):
        reference = blobs((16, 16, 1), k).astype(np.uint8)
        prediction = blobs((16, 16, 1), k + 30).astype(np.uint8) if k else np.zeros_like(reference)
        scorer.add(
            case=f"c{k}",
            prediction=prediction,
            reference=reference,
            spacing=(1.0, 1.0, 2.0),
            volume=f"v{k // 2}",
            slice=k % 2,
            probability=np.where(prediction, 0.9, 0.1) if probability else None,
        )
    return scorer


def test_files_hold_what_the_summary_holds(tmp_path):
    summary = scorer_of().write(tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == [
        "scores.csv",
        "scores.json",
        "scores.md",
        "slice_thresholds.csv",
        "thresholds.csv",
    ]
    assert json.loads((folder / "scores.json").read_text()) == summary.content
    table = pd.read_csv(folder / "scores.csv")
    assert (table["level"] == "slice").sum() == 6
    assert (table["level"] == "volume").sum() == 3
    np.testing.assert_array_equal(table["dice"], summary.rows["dice"])
    mean = pd.read_csv(folder / "thresholds.csv")
    assert len(mean) == 256
    of_slices = pd.read_csv(folder / "slice_thresholds.csv")
    assert set(of_slices) == {"case", *map(str, range(256)), "sensitivity", "specificity"}
    assert list(of_slices["case"]) == [f"c{k}" for k in range(6)]
    np.testing.assert_allclose(
        of_slices[[str(place) for place in range(256)]].mean(), mean["dice_stretched"], atol=1e-6
    )


def test_undefined_measures_are_empty_cells(tmp_path):
    scorer_of().write(tmp_path)
    header, first, *_ = (tmp_path / "scores.csv").read_text().splitlines()
    row = dict(zip(header.split(","), first.split(","), strict=True))
    assert (row["case"], row["empty"], row["hd95_mm"], row["precision"]) == ("c0", "missed", "", "")
    assert row["dice"] == row["surface_dice"] == "0.0"


def test_the_readable_summary_says_averaging_rule_counts_and_clusters(tmp_path):
    summary = scorer_of().write(tmp_path)
    text = (tmp_path / "scores.md").read_text()
    assert EMPTY_MASK_RULE in text
    assert "6 cases, 6 slices, 3 volumes" in text
    assert "| slice | lesion | 6 | 0 | 0 | 1 |" in text
    assert "3 by volume: too few for an interval" in text
    assert "HD95 (mm): 1 missed" in text
    assert "makes the mean HD95 look better" in text
    assert f"| pooled | 6 | {summary.value('dice', level='pooled'):.3f} " in text
    assert "nan" not in text


def test_an_earlier_threshold_curve_does_not_stay_beside_new_scores(tmp_path):
    scorer_of().write(tmp_path)
    scorer_of(probability=False).write(tmp_path)
    assert not (tmp_path / "thresholds.csv").exists()
    assert not (tmp_path / "slice_thresholds.csv").exists()
    assert json.loads((tmp_path / "scores.json").read_text())["thresholds"] is None


def test_pooled_dice_is_read_back(tmp_path):
    summary = scorer_of().write(tmp_path)
    assert pooled_dice(tmp_path) == summary.value("dice", level="pooled")


def test_a_folder_without_scores_is_named(tmp_path):
    with pytest.raises(InputError, match=r"scores\.json"):
        pooled_dice(tmp_path)
    (tmp_path / "scores.json").write_text('{"levels": {}}')
    with pytest.raises(InputError, match="holds no scores of version 1"):
        pooled_dice(tmp_path)


def test_nothing_scored_writes_nothing(tmp_path):
    with pytest.raises(InputError, match="no case was scored"):
        Scorer(["background", "lesion"]).write(tmp_path)
    assert not list(tmp_path.iterdir())
