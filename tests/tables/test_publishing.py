import csv
import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from covid_monai.errors import InputError
from covid_monai.files import sha256_of, write_json
from covid_monai.tables.findings import find
from covid_monai.tables.page import write_results
from covid_monai.tables.publish import NATIVE_SCORES, PUBLISHED_FILES, publish
from covid_monai.tables.published import OLD_LABELS, publish_again, read_published
from covid_monai.tables.records import claim_frame, frame
from covid_monai.tables.spec import read_table
from covid_monai.tables.write import compact_claims_markdown, compact_markdown, write_table

# each publishes whole tables, pictures too; together they take over a minute of a processor
pytestmark = pytest.mark.slow

JOB = "jobs/paper/segnet-dl/fold0-seed0"


@pytest.fixture(scope="module")
def output(finished, tmp_path_factory):
    """A finished output folder with weights, a report, and the places of this machine in its settings."""
    place = shutil.copytree(finished, tmp_path_factory.mktemp("own") / "output")
    write_results(place)
    data = json.loads((place / "reproduce.json").read_text())["data"]
    for home in (path.parent for path in place.glob("jobs/*/*/*/job.json")):
        (home / "model.safetensors").write_bytes(b"weights")
        write_json(home / "environment.json", {"python": "3.11", "packages": {"covid-monai": "0.2.0", "torch": "2.13"}})
        with (home / "config.yaml").open("a") as settings:
            settings.write(f"output_dir: {home}\ndataset_dir: {data}\nlearning_rate: 0.02\nnetwork: $@model\n")
    return place


@pytest.fixture(scope="module")
def published(output, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    # 8 jobs a protocol, of which one failed
    assert publish(output, folder) == 15
    return folder


def text_of(path):
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()


def jobs_of(folder):
    return list(csv.DictReader((folder / "jobs.csv").read_text().splitlines()))


def test_fourteen_files_at_most_are_published_whatever_the_number_of_jobs(published):
    paths = list(published.rglob("*"))
    # the table names no grid
    assert {path.name for path in paths} == set(PUBLISHED_FILES) - {NATIVE_SCORES}
    assert len(paths) <= 14


def test_the_claims_that_were_published_follow_from_the_scores(published):
    text = claim_frame(read_published(published)).to_csv(index=False, lineterminator="\n")
    assert text == (published / "claims.csv").read_text()
    assert text.count("\n") == 1 + 2 * 2


def test_no_place_of_this_machine_is_published(published, output, patients):
    for path in published.rglob("*"):
        if path.suffix != ".png":
            assert str(output) not in text_of(path), path
            assert str(patients) not in text_of(path), path
    configuration = json.loads(jobs_of(published)[0]["configuration"])
    assert configuration["output_dir"] == f"OUT/{JOB}"
    assert configuration["dataset_dir"] == "DATA"


def test_the_bundles_of_another_installation_are_no_place_of_this_machine_either(output, tmp_path):
    moved = shutil.copytree(output, tmp_path / "output")
    for path in moved.glob("jobs/*/*/*/config.yaml"):
        path.write_text(f"{path.read_text()}bundle_root: /elsewhere/site-packages/bundles/a_segnet_ct_segmentation\n")
    publish(moved, tmp_path / "published")
    roots = {json.loads(job["configuration"])["bundle_root"] for job in jobs_of(tmp_path / "published")}
    assert roots == {"BUNDLES/a_segnet_ct_segmentation"}


def test_every_job_has_its_settings_hashes_versions_and_costs(published, output):
    jobs = jobs_of(published)
    assert len(jobs) == 15
    record = json.loads((output / JOB / "job.json").read_text())
    (job,) = [each_job for each_job in jobs if each_job["folder"] == JOB]
    assert json.loads(job["settings"]) == record["settings"]
    assert job["weights_sha256"] == record["weights_sha256"]
    assert (job["seconds"], job["peak_memory_bytes"], job["seed"]) == ("61.0", str(2**30), "0")
    assert (job["covid_monai"], json.loads(job["packages"])) == ("0.2.0", {"torch": "2.13"})
    configuration = json.loads(job["configuration"])
    assert configuration["learning_rate"] == 0.02
    assert "network" not in configuration


def test_the_scores_stand_there_as_the_jobs_wrote_them(published, output):
    rows = pd.read_csv(published / "scores.csv.gz", dtype=str, keep_default_na=False)
    own = rows[(rows["protocol"] == "paper") & (rows["slug"] == "segnet-dl") & (rows["fold"] == "0")]
    own = own[own["seed"] == "0"].drop(columns=["protocol", "slug", "fold", "seed", "unit"])
    assert own.to_csv(index=False) == (output / JOB / "evaluation/test/scores.csv").read_text()


def test_the_threshold_curves_of_slices_average_to_those_of_their_job(published):
    rows = pd.read_csv(published / "thresholds.csv.gz", dtype={"case": str, "unit": str}, keep_default_na=False)
    stretched = rows[rows["probabilities"] == "stretched"]
    for _, job in stretched.groupby(["protocol", "slug", "fold", "seed"]):
        curves = job[[str(place) for place in range(256)]]
        mean = curves[job["case"] == ""].to_numpy()[0]
        assert curves[job["case"] != ""].to_numpy().mean(axis=0) == pytest.approx(mean)
        assert (job.loc[job["case"] != "", "unit"] != "").all()


def test_the_log_of_every_job_is_there(published, output):
    lines = [json.loads(line) for line in text_of(published / "logs.jsonl.gz").splitlines()]
    assert len(lines) == 15 * 3
    key = {"protocol": "paper", "slug": "segnet-dl", "fold": 0, "seed": 0}
    first = json.loads((output / JOB / "log.jsonl").read_text().splitlines()[0])
    assert {**key, **first} in lines


def test_a_split_can_be_written_again_as_the_jobs_had_it(published, tmp_path):
    stored = json.loads((published / "splits.json").read_text())["splits"]
    assert set(stored) == {"paper", "grouped"}
    for job in jobs_of(published):
        write_json(tmp_path / "split.json", stored[job["protocol"]])
        assert sha256_of(tmp_path / "split.json") == job["split_sha256"]


def test_what_was_published_alone_gives_the_same_table_again(published, output, tmp_path):
    alone = shutil.copytree(published, tmp_path / "alone")
    for name in ("table.csv", "table.md"):
        (alone / name).unlink()
    write_table(read_published(alone), tmp_path / "again")
    for name in ("table.csv", "table.md", "table.json"):
        assert (tmp_path / "again" / name).read_bytes() == (published / name).read_bytes(), name
    assert read_published(alone).entries == find(output).entries


def test_a_published_table_is_read_whatever_became_of_its_yaml(output, tmp_path):
    place = shutil.copytree(output, tmp_path / "output")
    publish(place, tmp_path / "published")
    shutil.rmtree(place)
    found = read_published(tmp_path / "published")
    assert [row.label for row in found.results.table.rows][-1] == "Published only"


def test_publishing_twice_writes_the_same_bytes(output, published, tmp_path):
    publish(output, tmp_path / "again")
    publish(output, tmp_path / "again")
    for path in published.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_folder_within_the_output_is_refused(output):
    with pytest.raises(InputError, match="is in the output folder"):
        publish(output, output / "published")


def test_a_folder_that_cannot_be_written_is_refused(output, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose a folder"):
        publish(output, tmp_path / "file" / "published")


def test_paths_through_links_and_with_letters_beyond_ascii_are_not_published_either(output, tmp_path):
    real = tmp_path / "m\u00fcller"
    real.mkdir()
    place = shutil.copytree(output, real / "output")
    (tmp_path / "link").symlink_to(real)
    through = tmp_path / "link" / "output"
    home = place / JOB
    content = json.loads((home / "job.json").read_text())
    (home / "job.json").write_text(json.dumps({**content, "commands": [f"cd {place}", f"cd {through}"]}))
    (home / "config.yaml").write_text(yaml.safe_dump({"output_dir": str(through), "other": str(place)}))
    publish(through, tmp_path / "published")
    (job,) = [entry for entry in jobs_of(tmp_path / "published") if entry["folder"] == JOB]
    assert json.loads(job["commands"]) == ["cd OUT", "cd OUT"]
    assert json.loads(job["configuration"]) == {"output_dir": "OUT", "other": "OUT"}


def test_jobs_that_are_gone_do_not_stay_published(output, published, tmp_path):
    place, folder = shutil.copytree(output, tmp_path / "output"), shutil.copytree(published, tmp_path / "published")
    shutil.rmtree(place / JOB)
    assert publish(place, folder) == 14
    assert JOB not in {entry["folder"] for entry in jobs_of(folder)}


def test_what_release_0_1_published_is_replaced(output, tmp_path):
    (tmp_path / "published/cells/paper").mkdir(parents=True)
    write_json(tmp_path / "published/reproduce.json", {"table": "tiny", "budget": "full", "data": "DATA"})
    publish(output, tmp_path / "published")
    assert {path.name for path in (tmp_path / "published").iterdir()} == set(PUBLISHED_FILES) - {NATIVE_SCORES}


def test_an_output_folder_with_jobs_of_its_own_is_never_replaced(output, tmp_path):
    other = shutil.copytree(output, tmp_path / "other")
    with pytest.raises(InputError, match="is an output folder with jobs of its own"):
        publish(output, other)
    assert (other / JOB / "model.safetensors").exists()


def test_a_folder_with_another_table_is_refused_and_stays(published, output, tmp_path):
    folder = shutil.copytree(published, tmp_path / "published")
    stored = json.loads((folder / "table.json").read_text())
    write_json(folder / "table.json", {**stored, "budget": "quick"})
    with pytest.raises(InputError, match=r"holds tiny \(budget quick\), not tiny \(budget full\)"):
        publish(output, folder)
    assert (folder / "jobs.csv").exists()


def test_an_output_folder_without_a_written_table_is_refused(finished, tmp_path):
    with pytest.raises(InputError, match="has no table yet"):
        publish(finished, tmp_path / "published")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("table.json", '{"format": "covid-monai table", "version": 1}', "holds no published covid-monai table"),
        ("jobs.csv", "protocol\npaper\n", "is damaged"),
        ("scores.csv.gz", "", "is damaged"),
    ],
)
def test_a_folder_that_is_none_or_damaged_is_refused(name, text, message, published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "published")
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_published(folder)


def test_published_results_have_no_data_set(published):
    found = read_published(published)
    assert found.results.datasets == {}
    assert replace(found.results).unit == "patient"


def test_published_results_are_judged_anew_by_the_table_of_today(tmp_path):
    folder = shutil.copytree(Path(__file__).parents[2] / "docs" / "results" / "zhou2020-v1", tmp_path / "again")
    stored = json.loads((folder / "table.json").read_text())
    # as release 0.1 published it
    stored["table"]["definition"]["measures"] = {
        name: {"name": name, "averaging": "pooled", "scale": 100.0, "not_comparable": None}
        for name in ("dice", "sensitivity", "specificity")
    }
    stored["table"]["definition"].pop("judging")
    # publishing anew gives it the claims of today's table
    stored["table"]["definition"].pop("claims", None)
    stored["head"].pop("no_verdict")
    stored["head"]["deviations"].remove(OLD_LABELS)
    (folder / "table.json").write_text(json.dumps(stored))
    assert {entry.measure.averaging for entry in read_published(folder).entries} == {"pooled"}
    scores, table = (folder / "scores.csv.gz").read_bytes(), (folder / "table.csv").read_text()
    assert read_published(folder).claims == ()
    for _ in range(2):
        publish_again(folder)
        assert len(read_published(folder).claims) == 4 * 2
        assert (folder / "table.csv").read_text() == table
        text = (folder / "table.md").read_text()
        assert text.count(OLD_LABELS) == 1
        assert "U-Net + DL 3.97 to 4.25 %" in text
        assert "So from one fold no value can be called reproduced within 5." in text
    assert (folder / "scores.csv.gz").read_bytes() == scores


def test_published_results_of_rows_that_are_gone_are_not_judged_anew(published):
    table = read_table("zhou2020-v1")
    with pytest.raises(InputError, match="the table zhou2020-v1 has no row"):
        read_published(published, judged_by=table)


@pytest.mark.parametrize("name", ["official-split", "zhou2020-v1", "zhou2021-v4", "budak2021", "chen2020"])
def test_the_tables_in_the_documentation_follow_from_what_is_published_with_them(name):
    folder = Path(__file__).parents[2] / "docs" / "results" / name
    assert len(list(folder.rglob("*"))) <= 14
    text = frame(read_published(folder)).to_csv(index=False, lineterminator="\n")
    assert text == (folder / "table.csv").read_text()
    pages = Path(__file__).parents[2] / "docs"
    assert compact_markdown(read_published(folder)) in (pages / "reproduction.md").read_text()


def test_the_claims_in_the_documentation_follow_from_what_is_published_with_them():
    folder = Path(__file__).parents[2] / "docs" / "results" / "zhou2020-v1"
    findings = read_published(folder)
    assert len(findings.claims) == 4 * 2
    assert claim_frame(findings).to_csv(index=False, lineterminator="\n") == (folder / "claims.csv").read_text()
    text = (folder.parents[1] / "reproduction.md").read_text()
    assert compact_claims_markdown(findings) in text
