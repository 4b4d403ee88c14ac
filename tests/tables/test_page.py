import base64
import re
import shutil
from dataclasses import replace
from io import BytesIO

import nibabel
import numpy as np
import pytest
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.tables.figures import choose_cases, load_grid, shown_rows
from covid_monai.tables.findings import find
from covid_monai.tables.page import write_results, write_table_page
from tests.report.test_page import Page
from tests.tables.fabricated import write_output
from tests.tables.small_data import write_patients
from tests.tables.tiny_table import content, write_table


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Two rows under two protocols, one fold each; one job failed; with a published row."""
    home = tmp_path_factory.mktemp("page")
    rows = [*content()["rows"], {"label": "Published <only>", "paper": {"dice": 50.2}, "place": "row 3"}]
    claim = {"sentence": "It is > that.", "place": "p. 1", "measure": "dice", "kind": "points", "contrast": [[2, 1]]}
    path = write_table(home / "table", {"rows": rows, "claims": [{**claim, "note": "said twice"}]})
    failed = {"jobs/grouped/segnet-dl/fold1-seed0": "the loss is <nan>"}
    write_output(home / "output", path, write_patients(home / "data", patients=6), left_out=failed)
    return home / "output"


@pytest.fixture(scope="module")
def found(output):
    return find(output)


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("html") / "report.html"
    write_table_page(found, path)
    return path.read_text(encoding="utf-8")


def test_the_page_holds_its_pictures_and_needs_nothing_else(page):
    parsed = Page(page)
    pictures = [attributes["src"] for tag, attributes in parsed.tags if tag == "img"]
    # values, optimism, patients, loss, Dice, and a grid of each protocol
    assert len(pictures) == 7
    for picture in pictures:
        kind, _, data = picture.partition(",")
        assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
        with Image.open(BytesIO(base64.b64decode(data))) as image:
            assert image.width > 300
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "link", "iframe"})
    assert not re.search(r"https?://|url\(", page)
    assert all(attributes.get("alt") for tag, attributes in parsed.tags if tag == "img")


def test_the_page_tells_what_the_files_tell(page, found):
    text = " ".join(Page(page).text.split())
    for item in (
        "Tiny table",
        "Made of 7 of 8 jobs asked for, of 24 in the table.",
        "the loss is <nan>",
        "Published <only>",
        "For research, not for diagnosis.",
        "No pleural effusion in the masks of tiny",
        "Reference and prediction both empty",
        "reproduced: the interval lies within the margin",
        "Audit of the splits",
        "1 min 1 s",
        "optimism (paper",
        "1. It is > that. (A-SegNet + TL (0.3, 0.7) against SegNet + DL)",
        "cannot tell (one seed)",
        "Claims of the paper (1): 1 cannot tell.",
        "Claim 1: said twice.",
    ):
        assert item in text, item
    for entry in found.entries:
        assert f"{entry.value.value:.1f}" in text
    assert "quick" not in text
    assert "<only>" not in page


def test_quick_is_said_at_the_top_and_at_the_pictures(found, tmp_path):
    quick = replace(found, results=replace(found.results, budget="quick"))
    write_table_page(quick, tmp_path / "report.html")
    text = " ".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    assert "Tiny table (quick)" in text
    assert "quick: small images" in text
    # three forest plots, loss and Dice
    assert text.count("Budget quick.") == 5
    assert "Protocol paper (quick)" in text


def test_every_patient_is_shown_where_there_are_few_worst_first(found):
    names = choose_cases(found.results, "paper")
    assert {name[:2] for name in names} == {f"p{number}" for number in range(6)}
    assert len(names) == 6
    scores = found.results.scores
    slices = scores[(scores["protocol"] == "paper") & (scores["level"] == "slice")]
    dice = slices.groupby("case")["dice"].mean()
    assert list(dice[names]) == sorted(dice[names])
    worst = dice.groupby(dice.index.str[:2]).min()
    assert sorted(dice[names]) == pytest.approx(sorted(worst))


def test_of_many_or_unknown_patients_the_worst_slices_are_shown(found):
    scores = found.results.scores
    slices = scores[(scores["protocol"] == "paper") & (scores["level"] == "slice")]
    dice = slices.groupby("case")["dice"].mean()
    assert list(dice[choose_cases(found.results, "paper", most=5)]) == pytest.approx(sorted(dice)[:5])
    dataset = found.results.datasets[""]
    unknown = replace(dataset, cases=tuple(replace(case, patient=None) for case in dataset.cases))
    nobody = replace(found.results, datasets={"": unknown})
    assert list(dice[choose_cases(nobody, "paper", most=9)]) == pytest.approx(sorted(dice)[:9])


def test_a_case_of_a_fold_that_a_row_lacks_has_no_mask_there(found):
    results = found.results
    first, second = shown_rows(results, "grouped")
    missing = set(results.scores_of("grouped", second)["case"]) - set(results.scores_of("grouped", first)["case"])
    case = load_grid(results, "grouped", [min(missing - {""})])[0]
    assert case.overlays[0] is None
    assert case.overlays[1].prediction.any()


def test_what_was_scored_is_what_is_drawn(found):
    case = load_grid(found.results, "paper", ["p2_s1"])[0]
    for row, overlay in zip(shown_rows(found.results, "paper"), case.overlays, strict=True):
        scores = found.results.scores_of("paper", row)
        assert overlay.dice == scores.loc[scores["case"] == "p2_s1", "dice"].item()
        both = ((overlay.prediction > 0) & (overlay.reference > 0)).sum()
        total = (overlay.prediction > 0).sum() + (overlay.reference > 0).sum()
        assert overlay.dice == pytest.approx(2 * both / total)


@pytest.mark.slow
def test_all_files_are_written_and_writing_again_changes_nothing(output, tmp_path):
    copy = shutil.copytree(output, tmp_path / "output")
    names = ("table.md", "table.csv", "table.json", "report.html")
    write_results(copy)
    before = {name: (copy / name).read_bytes() for name in names}
    write_results(copy)
    assert {name: (copy / name).read_bytes() for name in names} == before


def test_a_mask_that_is_not_the_scored_one_is_refused(output, tmp_path):
    copy = shutil.copytree(output, tmp_path / "output")
    results = find(copy).results
    first = results.scores_of("paper", shown_rows(results, "paper")[0])
    name = first.loc[first["dice"].between(0.1, 0.9) & (first["case"] != ""), "case"].iloc[0]
    (path,) = (copy / "jobs/paper/segnet-dl").glob(f"*/evaluation/test/masks/{name}.nii.gz")
    mask = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine), path)
    with pytest.raises(InputError, match=f"case {name} was scored with Dice"):
        load_grid(results, "paper", [name])
