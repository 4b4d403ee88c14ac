"""Jobs of one table from several output folders, published together."""

import json
import shutil

import pandas as pd
import pytest

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json
from covid_monai.tables.joining import publish_beside
from covid_monai.tables.page import write_results
from covid_monai.tables.publish import publish

# each publishes whole tables, pictures too
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(finished, tmp_path_factory):
    """A finished output folder, and its results published."""
    place = shutil.copytree(finished, tmp_path_factory.mktemp("whole") / "output")
    write_results(place)
    publish(place, place.parent / "published")
    return place


def part_of(whole, place, protocol):
    """An output folder in which the jobs of one protocol alone were asked for."""
    shutil.copytree(whole, place)
    note = read_json(place / "reproduce.json")
    note["jobs"] = [job for job in note["jobs"] if job.startswith(f"jobs/{protocol}/")]
    write_json(place / "reproduce.json", note)
    for other in (place / "jobs").iterdir():
        if other.name != protocol:
            shutil.rmtree(other)
    write_results(place)
    return place


@pytest.fixture(scope="module")
def parts(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    return [part_of(whole, folder / protocol, protocol) for protocol in ("paper", "grouped")]


def test_parts_that_are_published_one_after_another_are_the_table_of_all(whole, parts, tmp_path):
    folder = tmp_path / "published"
    first = publish_beside(parts[0], folder)
    assert publish_beside(parts[1], folder) == first + 7 == 15
    expected = whole.parent / "published"
    for name in ("table.csv", "claims.csv", "jobs.csv"):
        assert (folder / name).read_text() == (expected / name).read_text(), name
    for name in ("scores.csv.gz", "thresholds.csv.gz"):
        tables = [pd.read_csv(place / name, dtype=str) for place in (folder, expected)]
        columns = list(tables[1].columns)
        found, wanted = (each[columns].sort_values(columns).reset_index(drop=True) for each in tables)
        pd.testing.assert_frame_equal(found, wanted)
    audits, all_audits = (read_json(place / "table.json")["audit"] for place in (folder, expected))
    assert {audit["name"] for audit in audits} == {audit["name"] for audit in all_audits}
    assert read_json(folder / "table.json")["missing"] == read_json(expected / "table.json")["missing"]
    assert len(list(folder.parent.iterdir())) == 1


def test_a_job_that_is_published_again_is_there_once(parts, tmp_path):
    folder = tmp_path / "published"
    assert publish_beside(parts[0], folder) == publish_beside(parts[0], folder)


def test_jobs_of_another_split_are_not_put_beside_each_other(parts, tmp_path):
    folder = tmp_path / "published"
    publish_beside(parts[0], folder)
    splits = json.loads((folder / "splits.json").read_text())
    splits["splits"]["grouped"] = {**splits["splits"]["paper"], "protocol": "grouped"}
    (folder / "splits.json").write_text(json.dumps(splits))
    before = (folder / "jobs.csv").read_text()
    with pytest.raises(InputError, match="another split"):
        publish_beside(parts[1], folder)
    assert (folder / "jobs.csv").read_text() == before


def test_jobs_of_other_settings_are_not_put_beside_each_other(parts, tmp_path):
    folder = tmp_path / "published"
    publish_beside(parts[0], folder)
    table = read_json(folder / "table.json")
    table["table"]["definition"]["rows"][0]["settings"]["loss"] = "another"
    write_json(folder / "table.json", table)
    with pytest.raises(InputError, match="other settings than"):
        publish_beside(parts[1], folder)


def test_jobs_of_another_data_set_are_not_put_beside_each_other(parts, tmp_path):
    folder = tmp_path / "published"
    publish_beside(parts[0], folder)
    splits = json.loads((folder / "splits.json").read_text())
    splits["splits"]["paper"]["dataset"] = "0" * 64
    (folder / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(InputError, match="another data set"):
        publish_beside(parts[1], folder)
