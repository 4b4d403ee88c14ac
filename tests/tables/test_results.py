import json
import shutil

import pytest

from covid_monai.errors import InputError
from covid_monai.tables.collecting import collect
from covid_monai.tables.results import unit_kind, units_of
from tests.tables.conftest import FAILED
from tests.tables.fabricated import write_output
from tests.tables.small_data import write_slices
from tests.tables.tiny_table import content, write_table


def test_every_finished_job_is_read_and_the_others_are_named(findings):
    results = findings.results
    # two rows, two protocols, two folds, two seeds; one failed
    assert len(results.jobs) == 15
    (missing,) = results.missing
    assert (missing.job.folder, missing.state, missing.reason) == (FAILED, "failed", "the loss is nan")
    row = results.table.rows[0]
    assert (len(results.jobs_of("grouped", row)), results.planned("grouped", row)) == (3, 4)
    assert results.planned("paper", row) == 4
    assert set(results.jobs["peak_memory_bytes"]) == {2**30}


def test_every_score_knows_whose_it_is(findings):
    scores = findings.results.scores
    slices = scores[scores["level"] == "slice"]
    assert (slices["unit"] == slices["case"].str[:2] + "_s0").all()
    volumes = scores[scores["level"] == "volume"]
    assert len(volumes) > 0
    assert (volumes["unit"] == volumes["volume"] + "_s0").all()


def test_units_are_patients_else_groups_and_unknown_slices_stand_alone(tmp_path):
    text = [{"patient": "a"}, {"patient": "a"}, {"group": "g"}, {"group": "g"}, {}]
    dataset = write_slices(tmp_path / "data", text)
    assert units_of(dataset) == {"c00": "c00", "c01": "c00", "c02": "c02", "c03": "c02", "c04": "c04"}
    assert unit_kind(dataset) == "patient or group of near-duplicates or slice"


def test_a_folder_that_was_not_asked_for_is_no_job(finished, tmp_path):
    output = shutil.copytree(finished, tmp_path / "output")
    note = json.loads((output / "reproduce.json").read_text())
    note["jobs"] = [job for job in note["jobs"] if "/paper/" in job]
    (output / "reproduce.json").write_text(json.dumps(note))
    results = collect(output)
    assert set(results.jobs["protocol"]) == {"paper"}
    assert results.missing == ()


def test_a_variant_has_its_own_data(patients, tmp_path):
    small = {"image_size": [65, 65], "channels": [4, 4, 8, 8, 8], "epochs": 1}
    no_copies = {"copy_quarter_turns": [], "copy_scalings": []}
    row = {"label": "M", "bundle": "unet", "settings": no_copies, "paper": {"dice": 90.0}, "place": "row 1"}
    before = {**row, "label": "M before", "variant": "augment_before_folds"}
    changed = {**content(), "settings": small, "rows": [row, before], "class": "mean over lesion classes"}
    path = write_table(tmp_path, {**changed, "budgets": {"quick": {"label": "small", "folds": 1, "settings": {}}}})
    classes = ["background", "ground-glass", "consolidation", "pleural effusion"]
    write_output(tmp_path / "output", path, patients, classes=classes, class_of_label={1: 1, 2: 2}, budget="quick")
    results = collect(tmp_path / "output")
    assert {variant: len(dataset.cases) for variant, dataset in results.datasets.items()} == {
        "": 16,
        "augment_before_folds": 16 * 6,
    }
    copies = results.scores[results.scores["case"] == "p1_s0_turned90"]
    assert set(copies["unit"]) == {"p1_s0"}


def lose_data(output):
    note = json.loads((output / "reproduce.json").read_text())
    (output / "reproduce.json").write_text(json.dumps({**note, "data": str(output / "gone")}))


def change_data(output):
    note = json.loads((output / "reproduce.json").read_text())
    (output / "reproduce.json").write_text(json.dumps({**note, "manifest_sha256": "0" * 64}))


def break_scores(output):
    (output / "jobs/paper/segnet-dl/fold0-seed0/evaluation/test/scores.csv").write_text("level,case\n")


def foreign_job(output):
    path = output / "jobs/paper/segnet-dl/fold0-seed0/job.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "table": "other"}))


def remove_jobs(output):
    for path in output.rglob("job.json"):
        path.unlink()


def remove_note(output):
    (output / "reproduce.json").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_data, r"the data set .*gone is not there"),
        (change_data, r"has changed since the jobs were run; restore it"),
        (break_scores, r"cannot read .*scores.csv"),
        (foreign_job, r"job.json is of another table or lacks values"),
        (remove_jobs, r"has no finished job yet; go on with"),
        (remove_note, r"is no table's folder: it has no reproduce.json"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, message, finished, tmp_path):
    output = shutil.copytree(finished, tmp_path / "output")
    change(output)
    with pytest.raises(InputError, match=message):
        collect(output)
