"""``covid_monai.score``, which the command calls."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import covid_monai
from covid_monai.scoring import Scorer, Scores
from tests.scoring.mask_folders import write_folder, write_nifti
from tests.scoring.masks import blobs


@pytest.fixture
def folders(tmp_path):
    """References and two prediction folders of eight slices."""
    return [write_folder(tmp_path / name, seed) for seed, name in enumerate(("references", "ours", "theirs"))]


def test_one_folder_is_scored_and_nothing_is_written_unless_asked(folders, tmp_path):
    references, ours, _ = folders
    before = sorted(tmp_path.rglob("*"))
    scores = covid_monai.score(str(ours), str(references))
    assert sorted(tmp_path.rglob("*")) == before
    assert scores.comparison is None
    assert len(scores.summaries["ours"].rows) > 0
    covid_monai.score(ours, references, output=tmp_path / "out")
    assert json.loads((tmp_path / "out" / "scores.json").read_text()) == scores.summaries["ours"].content


def test_named_predictions_are_compared_and_written_by_their_names(folders, tmp_path):
    references, ours, theirs = folders
    scores = covid_monai.score({"first": ours, "second": theirs}, references, output=tmp_path / "out")
    assert list(scores.summaries) == ["first", "second"]
    assert scores.comparison is not None
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["comparison.csv", "comparison.json", "comparison.md", "first", "second"]


def test_two_files_are_scored(folders):
    references, ours, _ = folders
    scores = covid_monai.score(ours / "c0.nii.gz", references / "c0.nii.gz", labels="1=lesion")
    assert scores.summaries["c0.nii.gz"].content["cases"] == 1


def test_values_and_intervals_are_those_of_the_summary_and_undefined_ones_are_nan(folders):
    references, ours, _ = folders
    scores = covid_monai.score(ours, references)
    rows = scores.frame[scores.frame["level"] == "slice"]
    counts = rows[["tp", "fp", "fn"]].sum()
    assert scores.value("dice") == pytest.approx(2 * counts["tp"] / (2 * counts["tp"] + counts["fp"] + counts["fn"]))
    assert scores.value("iou", level="slice", lesion_class="lesion") == pytest.approx(rows["iou"].mean())
    low, high = scores.interval("dice")
    assert low < scores.value("dice") < high
    for path in [*ours.iterdir(), *references.iterdir()]:
        write_nifti(path, np.zeros((20, 18, 1), np.uint8))
    empty = covid_monai.score(ours, references)
    assert math.isnan(empty.value("hd95_mm", level="slice"))
    assert empty.interval("hd95_mm", level="slice") is None


@pytest.mark.parametrize("several", [False, True])
def test_scores_are_read_back_as_they_were_saved(folders, tmp_path, several):
    references, ours, theirs = folders
    patients = tmp_path / "patients.csv"
    patients.write_text("case,patient\n" + "".join(f"c{k},00{k}\n" for k in range(8)))
    scores = covid_monai.score({"a": ours, "b": theirs} if several else ours, references, patients=patients)
    scores.save(tmp_path / "out")
    again = Scores.read(tmp_path / "out")
    pd.testing.assert_frame_equal(again.frame, scores.frame, check_exact=True)
    assert list(again.summaries) == list(scores.summaries)
    assert all(again.summaries[name].content == scores.summaries[name].content for name in scores.summaries)
    assert again.comparison == scores.comparison
    again.save(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "out")


def test_scores_with_thresholds_are_read_back(tmp_path):
    scorer = Scorer(["background", "lesion"])
    for k in range(3):
        mask = blobs((9, 8, 1), k).astype(np.uint8)
        scorer.add(case=f"c{k}", prediction=mask, reference=mask, spacing=None, probability=mask * 0.9)
    scorer.write(tmp_path / "evaluation")
    scores = Scores.read(tmp_path / "evaluation")
    assert list(scores.summaries) == ["evaluation"]
    assert scores.value("dice") == 1
    scores.save(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "evaluation")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_saved_scores_are_replaced_only_where_asked(folders, tmp_path):
    references, ours, _ = folders
    scores = covid_monai.score(ours, references, output=tmp_path / "out")
    with pytest.raises(covid_monai.InputError, match=r"holds scores already .*`overwrite=True`$"):
        scores.save(tmp_path / "out")
    scores.save(tmp_path / "out", overwrite=True)


def test_of_several_predictions_one_is_named(folders):
    references, ours, theirs = folders
    scores = covid_monai.score({"a": ours, "b": theirs}, references)
    assert scores.value("dice", prediction="b") == scores.summaries["b"].value("dice")
    assert list(scores.frame["prediction"].unique()) == ["a", "b"]
    for wrong in (None, "c"):
        with pytest.raises(covid_monai.InputError, match=r"name one of a, b, as in prediction="):
            scores.value("dice", prediction=wrong)


def test_scores_show_their_values_in_a_notebook(folders):
    references, ours, theirs = folders
    scores = covid_monai.score(ours, references)
    shown = f"{scores.value('dice'):.3f}"
    assert shown in repr(scores)
    assert shown in scores._repr_html_()
    assert "Surface Dice" in repr(scores)
    assert "theirs" in repr(covid_monai.score({"ours": ours, "theirs": theirs}, references))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scores.json", None, "cannot read .*scores.json"),
        ("scores.json", "[]", "holds no scores of version 1"),
        ("scores.csv", None, "cannot read .*scores.csv"),
        ("scores.csv", "", "cannot read .*scores.csv"),
        ("comparison.json", "{}", "no comparison of version 1"),
        ("comparison.json", "[]", "comparison.json is damaged"),
    ],
)
def test_damaged_scores_are_refused_in_one_line(folders, tmp_path, name, text, message):
    references, ours, _ = folders
    out = tmp_path / "out"
    covid_monai.score(ours, references, output=out)
    (out / name).unlink(missing_ok=True)
    if text is not None:
        (out / name).write_text(text)
    with pytest.raises(covid_monai.InputError, match=message) as caught:
        Scores.read(out)
    assert "\n" not in str(caught.value)


BAD = {
    "spacing": ({"spacing": "maybe"}, "spacing is 'maybe'; it can be one of auto, known, unknown"),
    "tolerance": ({"tolerance_mm": -1.0}, "`tolerance_mm` is -1; it must be a number of 0 or more"),
    "tolerance that is no number": ({"tolerance_mm": math.nan}, "`tolerance_mm` is nan; it must be"),
    "tolerance without end": ({"tolerance_mm": math.inf}, "`tolerance_mm` is inf; it must be"),
    "a path for a name": ({"predictions": {"../a": "x"}}, "'../a' is no name"),
    "names that differ in case only": ({"predictions": {"a": "x", "A": "x"}}, "two predictions are named 'A'"),
    "nothing": ({"predictions": {}}, "there are no predictions"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_allowed_is_refused(folders, name):
    references, ours, _ = folders
    arguments, message = BAD[name]
    with pytest.raises(covid_monai.InputError, match="^" + message.replace("(", r"\(").replace(".", r"\.")):
        covid_monai.score(**{"predictions": ours, "references": references, **arguments})
