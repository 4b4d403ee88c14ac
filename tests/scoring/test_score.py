"""``covid_monai.score``, which the command calls."""

import json

import pytest

import covid_monai
from tests.scoring.mask_folders import write_folder


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
    covid_monai.score(ours, references, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "scores.json").read_text()) == scores.summaries["ours"].content


def test_named_predictions_are_compared_and_written_by_their_names(folders, tmp_path):
    references, ours, theirs = folders
    scores = covid_monai.score({"first": ours, "second": theirs}, references, tmp_path / "out")
    assert list(scores.summaries) == ["first", "second"]
    assert scores.comparison is not None
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["comparison.csv", "comparison.json", "comparison.md", "first", "second"]


def test_two_files_are_scored(folders):
    references, ours, _ = folders
    scores = covid_monai.score(ours / "c0.nii.gz", references / "c0.nii.gz", labels="1=lesion")
    assert scores.summaries["c0.nii.gz"].content["cases"] == 1


BAD = {
    "spacing": ({"spacing": "maybe"}, "spacing is 'maybe'; it can be one of auto, known, unknown"),
    "tolerance": ({"tolerance_mm": -1.0}, "tolerance_mm is -1; it must be 0 or more"),
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
