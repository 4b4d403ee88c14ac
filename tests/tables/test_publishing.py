import json
import shutil

import pytest
import yaml

from covid_monai.errors import InputError
from covid_monai.tables.findings import find
from covid_monai.tables.page import write_results
from covid_monai.tables.publish import publish


@pytest.fixture(scope="module")
def output(finished, tmp_path_factory):
    """A finished output folder with weights, a report, and the places of this machine in its settings."""
    place = shutil.copytree(finished, tmp_path_factory.mktemp("own") / "output")
    write_results(place)
    data = json.loads((place / "reproduce.json").read_text())["data"]
    for home in (path.parent for path in place.glob("jobs/*/*/*/job.json")):
        (home / "model.safetensors").write_bytes(b"weights")
        with (home / "config.yaml").open("a") as settings:
            settings.write(f"output_dir: {home}\ndataset_dir: {data}\n")
    return place


@pytest.fixture(scope="module")
def published(output, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    # 8 jobs a protocol, of which one failed
    assert publish(output, folder) == 15
    return folder


def test_tables_splits_and_every_jobs_scores_are_there(published):
    names = {str(path.relative_to(published)) for path in published.rglob("*") if path.is_file()}
    job = "jobs/paper/segnet-dl/fold0-seed0"
    assert names >= {"table.md", "table.csv", "table.json", "values.png", "optimism.png", "splits/grouped.json"}
    assert names >= {f"{job}/job.json", f"{job}/log.jsonl", f"{job}/curves.png"}
    assert names >= {f"{job}/evaluation/test/scores.csv", f"{job}/evaluation/test/slice_thresholds.csv"}


def test_weights_masks_and_pictures_of_patients_are_not(published):
    names = {path.name for path in published.rglob("*")}
    assert not {"model.safetensors", "masks", "report.html"} & names


def test_no_place_of_this_machine_is_told(published, output, patients):
    for path in published.rglob("*"):
        if path.is_file() and path.suffix != ".png":
            text = path.read_text()
            assert str(output) not in text, path
            assert str(patients) not in text, path
    settings = (published / "jobs/paper/segnet-dl/fold0-seed0/config.yaml").read_text()
    assert "output_dir: OUT/jobs/paper/segnet-dl/fold0-seed0" in settings
    assert "dataset_dir: DATA" in settings


def test_what_was_published_gives_the_same_table_again(published, output, tmp_path):
    again = shutil.copytree(published, tmp_path / "again")
    # as --resume does it
    note = json.loads((output / "reproduce.json").read_text())
    (again / "reproduce.json").write_text(json.dumps(note))
    write_results(again)
    assert (again / "table.csv").read_text() == (output / "table.csv").read_text()
    assert "only their scores are here" in (again / "report.html").read_text()
    assert find(again).entries == find(output).entries


def test_a_folder_within_the_output_is_refused(output):
    with pytest.raises(InputError, match="is in the output folder"):
        publish(output, output / "published")


def test_a_folder_that_cannot_be_written_is_told(output, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose a folder that can be written"):
        publish(output, tmp_path / "file" / "published")


def test_paths_through_links_and_with_letters_beyond_ascii_are_not_told_either(output, tmp_path):
    real = tmp_path / "m\u00fcller"
    real.mkdir()
    place = shutil.copytree(output, real / "output")
    (tmp_path / "link").symlink_to(real)
    through = tmp_path / "link" / "output"
    home = place / "jobs/paper/segnet-dl/fold0-seed0"
    content = json.loads((home / "job.json").read_text())
    (home / "job.json").write_text(json.dumps({**content, "commands": [f"cd {place}", f"cd {through}"]}))
    (home / "config.yaml").write_text(yaml.safe_dump({"output_dir": str(through), "other": str(place)}))
    publish(through, tmp_path / "published")
    told = json.loads((tmp_path / "published/jobs/paper/segnet-dl/fold0-seed0/job.json").read_text())
    assert told["commands"] == ["cd OUT", "cd OUT"]
    settings = (tmp_path / "published/jobs/paper/segnet-dl/fold0-seed0/config.yaml").read_text()
    assert yaml.safe_load(settings) == {"output_dir": "OUT", "other": "OUT"}


def test_jobs_that_are_gone_do_not_stay_published(output, published, tmp_path):
    place, folder = shutil.copytree(output, tmp_path / "output"), shutil.copytree(published, tmp_path / "published")
    shutil.rmtree(place / "jobs/paper/segnet-dl/fold0-seed0")
    assert publish(place, folder) == 14
    assert not (folder / "jobs/paper/segnet-dl/fold0-seed0").exists()


def test_a_folder_with_another_table_is_refused_and_stays(output, tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "reproduce.json").write_text(json.dumps({"table": "other", "budget": "full"}))
    with pytest.raises(InputError, match=r"holds other \(budget full\), not tiny"):
        publish(output, folder)
    assert [path.name for path in folder.iterdir()] == ["reproduce.json"]


def test_a_folder_with_a_note_of_another_kind_is_refused(output, tmp_path):
    (tmp_path / "reproduce.json").write_text("[]")
    with pytest.raises(InputError, match=r"not tiny \(budget full\); choose another folder"):
        publish(output, tmp_path)
