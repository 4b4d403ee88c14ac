import numpy as np

from covid_monai.report.embedded import filled_template
from covid_monai.report.scores import outcome_sentence, read_scores, thresholds_note
from covid_monai.scoring import Scorer


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
