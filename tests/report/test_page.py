import base64
import json
import re
import shutil
from html.parser import HTMLParser
from io import BytesIO

import nibabel
import numpy as np
import pytest
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.report.cases import ranked_cases, worst_and_best
from covid_monai.report.page import write_report

from .fabricated import write_evaluated_run


class Page(HTMLParser):
    """Tags, attributes and text of a page; checks that what opens closes."""

    VOID = ("meta", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.text += " "
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def run(tiny_dataset, tmp_path_factory):
    return write_evaluated_run(tmp_path_factory.mktemp("report") / "run", tiny_dataset)


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return write_report(run, tmp_path_factory.mktemp("page") / "page.html").read_text(encoding="utf-8")


@pytest.fixture
def own_run(run, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(run, tmp_path / "run")


def test_the_page_holds_its_pictures_and_needs_nothing_else(page):
    parsed = Page(page)
    pictures = [attributes["src"] for tag, attributes in parsed.tags if tag == "img"]
    assert len(pictures) == 3
    for picture in pictures:
        kind, _, content = picture.partition(",")
        assert kind == "data:image/png;base64"
        with Image.open(BytesIO(base64.b64decode(content))) as image:
            assert image.width > 500
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "link", "iframe"})
    assert not re.search(r"https?://|url\(", page)
    assert all("alt" in attributes for tag, attributes in parsed.tags if tag == "img")


def test_the_page_tells_scores_settings_data_and_purpose(page, run):
    text = " ".join(Page(page).text.split())
    scores = json.loads((run / "evaluation" / "test" / "scores.json").read_text())
    pooled = scores["levels"]["pooled"]["classes"]["any lesion"]["measures"]["dice"]["value"]
    for entry in (
        "a_segnet_ct_segmentation on tiny",
        "For research, not for diagnosis.",
        f"{pooled:.3f}",
        "any lesion",
        "consolidation",
        "mean of classes",
        scores["empty_mask_rule"],
        "f" * 64,
        "Weights of epoch 4",
        "12 cases, 12 slices",
        "true HU: 12 slices",
        "licence none",
        "torch 2.13",
        "epochs 7",
        "loss dice",
    ):
        assert entry in text, entry
    assert "$torch" not in text


def test_text_of_the_run_is_escaped(own_run):
    model = json.loads((own_run / "model.json").read_text())
    (own_run / "model.json").write_text(json.dumps(model | {"bundle": "<script>alert(1)</script>"}))
    page = write_report(own_run).read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_predicted_volume_is_shown_on_request(run, tmp_path):
    mask = np.zeros((20, 20, 6), np.uint8)
    mask[5:9, 5:9, 2:4] = 1
    for name, values in (("ct", np.full(mask.shape, -700, np.int16)), ("mask", mask)):
        nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, -1, 1, 1])), tmp_path / f"{name}.nii.gz")
    output = tmp_path / "page.html"
    volume = (tmp_path / "ct.nii.gz", tmp_path / "mask.nii.gz")
    assert write_report(run, output, volume=volume) == output
    assert "There is no reference" in output.read_text(encoding="utf-8")
    write_report(run, output, volume=volume, reference=tmp_path / "mask.nii.gz")
    assert "Outlined: the lesions of mask.nii.gz" in output.read_text(encoding="utf-8")


def test_worst_and_best_cases_are_disjoint_and_ordered(run):
    ranked = ranked_cases(run / "evaluation" / "test", "any lesion")
    worst, best = worst_and_best(ranked, 3)
    dice = dict(zip(ranked["case"], ranked["dice"], strict=True))
    assert [dice[name] for name in worst] == sorted(dice.values())[:3]
    assert [dice[name] for name in best] == sorted(dice.values(), reverse=True)[:3]
    assert worst_and_best(ranked.head(1), 6) == ([ranked["case"][0]], [])
    worst, best = worst_and_best(ranked, 100)
    assert sorted(worst + best) == sorted(dice)


def test_a_case_without_lesion_in_both_masks_is_no_best_one(run):
    ranked = ranked_cases(run / "evaluation" / "test", "any lesion")
    ranked.loc[ranked.index[-1], "empty"] = "both_empty"
    assert ranked["case"].iloc[-1] not in worst_and_best(ranked, 3)[1]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("evaluation/test/scores.json", None, "covid-monai evaluate"),
        ("evaluation/test/scores.json", "{}", "holds no scores"),
        ("evaluation/test/scores.json", '{"format": "covid-monai scores", "version": 1}', "damaged"),
        ("evaluation/test/scores.csv", None, "scores.csv"),
        ("evaluation/test/scores.csv", "level,case\n", "scores.csv"),
        ("evaluation/test/masks/p0_s1.nii.gz", None, "p0_s1"),
        ("evaluation/test/masks/p0_s1.nii.gz", "not NIfTI", "p0_s1"),
        ("config.yaml", None, "config.yaml"),
        ("config.yaml", "a: [", "config.yaml"),
        ("config.yaml", "class_names: [background]", "lesion_labels"),
        (
            "config.yaml",
            "{class_names: [], lesion_labels: [1], lesion_classes: [a]}",
            "lesion_labels and lesion_classes",
        ),
        ("model.json", None, "model.json"),
        ("model.json", "[]", "model.json"),
        ("environment.json", None, "environment.json"),
        ("environment.json", '{"packages": []}', "environment.json"),
        ("log.jsonl", "{", "log.jsonl, line 1"),
        ("run.json", None, "not a run folder"),
    ],
)
def test_a_missing_or_damaged_file_is_named(own_run, file, content, message):
    path = own_run / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        write_report(own_run)
    assert not (own_run / "report.html").exists()


def test_data_that_changed_since_the_evaluation_are_refused(own_run, tiny_dataset, tmp_path):
    data = shutil.copytree(tiny_dataset, tmp_path / "data")
    path = data / "labels" / "p0_s1.nii.gz"
    label = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.zeros(label.shape, np.uint8), label.affine), path)
    with pytest.raises(InputError, match="p0_s1 was scored with Dice"):
        write_report(own_run, data=data)


def test_data_that_were_moved_are_asked_for(own_run, tiny_dataset, tmp_path):
    stored = json.loads((own_run / "run.json").read_text())
    (own_run / "run.json").write_text(json.dumps(stored | {"data": str(tmp_path / "gone")}))
    with pytest.raises(InputError, match="by `data`"):
        write_report(own_run)
    assert write_report(own_run, data=tiny_dataset).is_file()


def test_a_run_that_kept_its_last_weights_says_so(own_run, tmp_path):
    model = json.loads((own_run / "model.json").read_text())
    last = {**model, "kept": "last", "epoch": 7, "validation_dice": None}
    (own_run / "model.json").write_text(json.dumps(last))
    text = write_report(own_run, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "those of the last epoch, 7" in text
