import html
import json
import re

import numpy as np
import pytest

from covid_monai.files import read_json
from covid_monai.inference.predict import predict
from covid_monai.inference.study_record import StudySettings
from covid_monai.study_page.volume import MOST_BYTES
from tests.inference.drawn_studies import coarse_thorax, write_dicom
from tests.study_page.pages import write_page_of, write_study

RESULTS = {"mask.nii.gz", "mask.json", "lungs.nii.gz", "measurements.json", "run.json"}
PAGES = {"page.html", "thumbnail.webp"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(files, tmp_path_factory):
    return write_page_of(files, tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def predicted(tiny_run, tmp_path_factory):
    """A folder of two studies with pages, and the scanner's folder."""
    scanner, output = tmp_path_factory.mktemp("scanner"), tmp_path_factory.mktemp("predicted")
    for name in ("first", "second"):
        write_dicom(scanner / name)
    table = scanner / "studies.csv"
    table.write_text("study,path\nP01,first\nP02,second\nP03,lost\n")
    predict([table], output, tiny_run, page=True)
    return output, table


def content_of(page, name="content"):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_is_one_file_that_names_no_other(page):
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)""", text)
    assert "@import" not in text
    assert not re.search(r"url\((?!data:)", text)
    # of references, as text
    assert "fetch(" not in text


def test_the_page_has_all_slices_with_their_proportions(page):
    content = content_of(page)
    assert content["size"] == [60, 40, 60]
    assert content["mm"] == [4, 4, 4]
    assert len(content_of(page, "slices")) == 60


def test_the_page_has_the_measurements_warnings_and_versions(page):
    text = page.read_text(encoding="utf-8")
    document, record = (read_json(page.with_name(name)) for name in ("measurements.json", "run.json"))
    assert f"{document['lungs']['both']['infected_percent']:.1f} %" in text
    assert all(warning in html.unescape(text) for warning in document["warnings"])
    assert record["software"] in text
    assert record["outputs"].keys() == {"measurements.json", *PAGES}
    assert "page" in record["seconds"]


def test_names_paths_and_uids_stand_on_the_page_only_when_they_are_kept(files, page, tmp_path):
    kept = write_page_of(files, tmp_path, keep_identifiers=True).read_text(encoding="utf-8")
    uid = read_json(tmp_path / "P01" / "run.json")["identifiers"]["series_uid"]
    assert "Doe_Jane" in kept
    assert uid in kept
    plain = page.read_text(encoding="utf-8")
    assert "Doe" not in plain
    assert uid not in plain
    assert not re.search(r"\b(?:\d+\.){5,}\d+\b", plain)


def test_what_stands_on_the_page_is_escaped(files, tmp_path):
    page = write_page_of(files, tmp_path, study="P01 & co")
    text = page.read_text(encoding="utf-8")
    assert "P01 &amp; co" in text
    assert "P01 & co" not in text


def test_an_empty_mask_has_a_page_too(files, tmp_path):
    thorax = coarse_thorax()
    given = write_study(tmp_path / "given", thorax, np.zeros(thorax.hu.shape, np.uint8))
    page = write_page_of(given, tmp_path / "out")
    assert "No lesion was found in the lungs." in page.read_text(encoding="utf-8")


def test_predicted_studies_have_pages_and_an_index_of_all(predicted):
    output, _ = predicted
    for name in ("P01", "P02"):
        assert {path.name for path in (output / name).iterdir()} == RESULTS | PAGES
    text = (output / "index.html").read_text(encoding="utf-8")
    assert "3 studies, 1 of which could not be done" in text
    assert 'href="P01/page.html"' in text
    assert text.count("data:image/webp") == 2
    page = (output / "P01" / "page.html").read_text(encoding="utf-8")
    assert "A-SegNet" in page
    assert "data set data, fold 0" in page


def test_a_page_that_is_missing_or_changed_is_made_again_and_nothing_else_is(predicted, tiny_run):
    output, table = predicted
    folder = output / "P01"
    before = {name: (folder / name).stat().st_mtime_ns for name in RESULTS - {"run.json"}}
    page = (folder / "page.html").read_text(encoding="utf-8")
    (folder / "page.html").unlink()
    (output / "P02" / "thumbnail.webp").write_bytes(b"changed")
    results = predict([table], output, tiny_run, page=True)
    assert [result.kept for result in results] == [True, True, False]
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    assert (folder / "page.html").read_text(encoding="utf-8") == page
    assert (output / "P02" / "thumbnail.webp").read_bytes() != b"changed"
    stamp = (folder / "page.html").stat().st_mtime_ns
    predict([table], output, tiny_run, page=True)
    assert (folder / "page.html").stat().st_mtime_ns == stamp


def test_results_without_a_page_are_finished_where_none_is_asked_for(predicted, tiny_run):
    output, table = predicted
    (output / "P02" / "page.html").unlink()
    results = predict([table], output, tiny_run)
    assert [result.kept for result in results] == [True, True, False]
    assert not (output / "P02" / "page.html").exists()
    predict([table], output, tiny_run, page=True)
    assert (output / "P02" / "page.html").exists()


def test_a_page_of_other_measurements_does_not_stay(files, tmp_path):
    from covid_monai.inference.corrected import measure_files

    page = write_page_of(files, tmp_path)
    options = {"lungs": files["lungs"], "labels": "1=lesion,2=lesion,3=effusion", "study": "P01"}
    measure_files(files["ct"], files["mask"], tmp_path, settings=StudySettings(), overwrite=True, **options)
    assert not page.exists()


def test_three_hundred_slices_stay_under_fifteen_megabytes():
    # in base64, with as much for the rest as the labels of a whole thorax take ten times over
    assert MOST_BYTES * 4 / 3 + 1_000_000 < 15_000_000
