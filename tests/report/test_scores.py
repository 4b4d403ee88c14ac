import numpy as np

from covid_monai.report.embedded import filled_template
from covid_monai.report.scores import averaging, outcome_sentence, read_scores, thresholds_note
from covid_monai.scoring import Scorer
from covid_monai.scoring.intervals import INTERVAL_RULE
from covid_monai.scoring.markdown import interval_words, markdown


def scored(folder, *, empty):
    """Four slices with a lesion that is found, and ``empty`` ones without."""
    scorer = Scorer(["background", "lesion"])
    for number in range(4 + empty):
        mask = np.zeros((8, 8, 1), np.uint8)
        mask[2:5, 2:5] = number < 4
        probability = 0.1 + 0.8 * mask.astype(np.float32)
        scorer.add(
            case=f"c{number}",
            prediction=mask,
            reference=mask,
            spacing=None,
            patient="",
            volume="",
            slice=-1,
            probability=probability,
        )
    scorer.write(folder)
    return read_scores(folder)


def test_it_is_said_where_slices_without_lesion_lower_the_stretched_dice(tmp_path):
    assert "2 of 6 slices have no lesion in the reference" in thresholds_note(scored(tmp_path, empty=2))


def test_nothing_is_said_where_every_slice_has_lesion(tmp_path):
    assert thresholds_note(scored(tmp_path, empty=0)) == ""


def test_the_outcome_is_one_sentence_with_both_averages(tmp_path):
    sentence = outcome_sentence(scored(tmp_path, empty=0))
    assert sentence.startswith("Dice of ")
    assert "1.000 averaged over slices and 1.000 pooled over all pixels, on 4 slices." in sentence.replace(
        " [1.000, 1.000]", ""
    )


def test_the_style_of_all_pages_follows_the_readers_choice_of_dark_or_light():
    page = filled_template("covid_monai.report", "base.html", version="1")
    assert "prefers-color-scheme: dark" in page
    assert page.count("For research, not for diagnosis.") == 1


def test_units_are_counted_by_source_and_effectively_and_scores_of_earlier_releases_stay_readable(tmp_path):
    scorer = Scorer(["background", "lesion"])
    for number in range(8):
        mask = np.zeros((8, 8, 1), np.uint8)
        mask[1 : 2 + number % 6, 2:5] = 1
        found = np.roll(mask, number % 2, axis=0)
        source = "part 1" if number < 5 else "part 2"
        scorer.add(case=f"c{number}", prediction=found, reference=mask, spacing=None, source=source)
    scorer.write(tmp_path)
    content = read_scores(tmp_path)
    units = {level: words for level, _, words in averaging(content)}
    assert units["slice"].startswith(
        "8 slices (patients and volumes not all known) (5 of part 1, 3 of part 2); effective for Dice: 8.0, under 15"
    )
    assert interval_words(content["bootstrap"]) == f"{INTERVAL_RULE} 2000 resamples (seed 0)."
    # as release 0.1 wrote them
    content["bootstrap"] = {
        "method": "percentile",
        "confidence": 0.95,
        "resamples": 2000,
        "seed": 0,
        "fewest_clusters": 5,
    }
    for level in content["levels"].values():
        del level["strata"]
        for scored_class in level["classes"].values():
            for measure in scored_class["measures"].values():
                del measure["effective_clusters"]
    assert {words for _, _, words in averaging(content)} == {"8 slices (patients and volumes not all known)"}
    assert "percentile bootstrap with 2000 resamples (seed 0) of whole clusters" in markdown(content)
