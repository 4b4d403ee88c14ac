"""``covid-monai data studies``."""

import json

import pytest
from click.testing import CliRunner

from covid_monai.cli import root
from tests.studies.series_files import SeriesPlan, draw_chest, write_series


def run(*arguments) -> tuple[int, str, str]:
    result = CliRunner().invoke(root, ["data", "studies", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def disc(tmp_path):
    """A study of a CT and its localizer, and a file that is none."""
    folder = tmp_path / "disc"
    ct = SeriesPlan(draw_chest(), study_uid="1.2.3", series_uid="1.2.3.1")
    write_series(folder / "ct", ct)
    scout = SeriesPlan(draw_chest(1), study_uid="1.2.3", series_uid="1.2.3.2")

    def as_scout(_, dataset):
        dataset.ImageType, dataset.SeriesNumber = ["ORIGINAL", "PRIMARY", "LOCALIZER"], 1

    write_series(folder / "scout", scout, as_scout)
    (folder / "broken.dcm").write_text("no DICOM")
    (folder / "readme.txt").write_text("hello")
    return folder


def test_series_are_listed_with_the_one_that_is_taken_and_why(disc):
    status, text, _ = run(disc)
    assert status == 0
    assert text.splitlines() == [
        "study 1.2.3",
        f"  in {disc}",
        "  -> series 2: 8 slices of 32 x 24, 2 x 2.5 x 3 mm, 24 mm of the patient, kernel B31f, 'Chest 3.0'",
        "       1.2.3.1",
        "     series 1: 1 image, refused: a localizer",
        "       1.2.3.2",
        "  taken because it is the only axial CT of 2 series",
        f"left out: {disc / 'broken.dcm'} is no DICOM file in spite of its name",
        "1 study, 1 with a CT that can be read; 1 file left out, 1 of other kinds",
    ]


def test_oddities_are_listed(tmp_path):
    heights = [0, 3, 6, 12, 15, 18, 21, 24]
    write_series(tmp_path, SeriesPlan(draw_chest(), positions=[(0, 0, height) for height in heights]))
    _, text, _ = run(tmp_path)
    assert "       note: a gap of 6 mm after slice 3 of 8, where slices are 3 mm apart" in text.splitlines()


def test_all_of_it_can_be_written_as_json(disc, tmp_path):
    status, _, _ = run(disc, "--json", tmp_path / "found.json")
    assert status == 0
    content = json.loads((tmp_path / "found.json").read_text())
    ((study,),) = [place["studies"] for place in content["places"]]
    assert study["taken"] == "1.2.3.1"
    assert [series["refused"] for series in study["series"]] == [None, "a localizer"]
    assert study["series"][0]["spacing_mm"] == [2.0, 2.5, 3.0]
    assert study["series"][0]["extents_mm"] == [3.0] * 8
    assert (study["series"][0]["tilt_degrees"], study["series"][1]["tilt_degrees"]) == (0.0, None)
    assert content["places"][0]["left_out"][0]["path"] == str(disc / "broken.dcm")


def test_the_input_is_not_replaced_by_the_json(tmp_path):
    (file,) = write_series(tmp_path, SeriesPlan(draw_chest(1)))
    before = file.read_bytes()
    status, _, error = run(file, "--json", file)
    assert status == 1
    assert "would replace the input" in error
    assert file.read_bytes() == before


def test_a_table_of_studies_goes_on_after_one_that_is_missing(disc, tmp_path):
    table = tmp_path / "studies.csv"
    table.write_text("study,path\ngone,nowhere\nfirst,disc\n")
    status, text, _ = run(table)
    assert status == 0
    assert f"gone: {tmp_path / 'nowhere'}" in text
    assert f"first: {disc}" in text
    assert "does not exist" in text
    assert "1 study, 1 with a CT that can be read; 2 files left out, 1 of other kinds" in text


def test_a_folder_without_ct_is_an_error(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    status, text, error = run(tmp_path)
    assert status == 1
    assert "0 studies" in text
    assert "holds no CT that can be read" in error


def test_names_of_patients_are_not_shown(disc):
    status, text, error = run(disc)
    assert status == 0
    assert not any(secret in text + error for secret in ("Doe", "Jane", "secret-17"))
