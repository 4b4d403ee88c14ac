import json
import shutil

import pandas as pd
import pytest

from covid_monai.data.splits import read_split
from covid_monai.errors import InputError
from covid_monai.tables.claim import Claim
from covid_monai.tables.collecting import collect
from covid_monai.tables.findings import find
from covid_monai.tables.folder import files_of, read_note
from covid_monai.tables.plan import plan
from covid_monai.tables.publish import publish
from covid_monai.tables.published import read_published
from covid_monai.tables.spec import read_table
from covid_monai.tables.write import write_table as write_results_of
from tests.tables.test_parts import variant_table
from tests.tables.tiny_table import write_table


@pytest.fixture
def table(tmp_path):
    return read_table(str(write_table(tmp_path / "table")))


def test_jobs_asked_for_later_join_those_before(table, tiny_dataset, tmp_path):
    jobs, output = plan(table), tmp_path / "output"
    Claim(table, jobs[:2], tiny_dataset, output, "full", resume=False).make()
    Claim(table, jobs[1:3], tiny_dataset, output, "full", resume=True).make()
    assert read_note(output)["jobs"] == [job.folder for job in jobs[:3]]


def test_parts_of_a_start_that_failed_are_made_anew(table, tiny_dataset, tmp_path):
    output = tmp_path / "output"
    (output / "splits").mkdir(parents=True)
    (output / ".lock").touch()
    (output / "splits" / "paper.json").write_text("of other groups")
    Claim(table, plan(table), tiny_dataset, output, "full", resume=False).make()
    assert read_split(output / "splits" / "paper.json").folds


def test_the_data_of_a_variant_come_back_with_a_folder_that_has_its_jobs(tiny_dataset, tmp_path):
    table, output = variant_table(tmp_path / "table"), tmp_path / "output"
    paper, grouped = plan(table, ["paper"], folds=[0]), plan(table, ["grouped"], folds=[0], seeds=1)
    Claim(table, paper, tiny_dataset, output, "full", resume=False).make()
    shutil.rmtree(output / "data")
    Claim(table, grouped, tiny_dataset, output, "full", resume=True).make()
    assert (output / "data" / "augment_before_folds" / "dataset.json").is_file()


@pytest.mark.parametrize("text", ["[]", json.dumps({"format": "covid-monai reproduction", "version": 99})])
def test_another_note_is_refused(text, tmp_path):
    (tmp_path / "reproduce.json").write_text(text)
    with pytest.raises(InputError, match="is not a covid-monai reproduction file of version 1 or 2"):
        read_note(tmp_path)


def as_release_0_1(output):
    """The folder as 0.1 wrote it: cells, strict, arm, version 1."""
    note = json.loads((output / "reproduce.json").read_text())
    jobs = note.pop("jobs")
    del note["allowed_deviations"]
    cells = [job.replace("jobs/", "cells/").replace("/grouped/", "/strict/") for job in jobs]
    (output / "reproduce.json").write_text(json.dumps({**note, "version": 1, "table_sha256": "0" * 64, "cells": cells}))
    (output / "jobs").rename(output / "cells")
    (output / "cells" / "grouped").rename(output / "cells" / "strict")
    (output / "splits" / "grouped.json").rename(output / "splits" / "strict.json")
    for path in output.glob("cells/*/*/*/job.json"):
        record = json.loads(path.read_text())
        record["arm"] = record.pop("variant")
        old = {"format": "covid-monai cell", "version": 1, "table_sha256": "0" * 64}
        old["protocol"] = record["protocol"].replace("grouped", "strict")
        path.with_name("cell.json").write_text(json.dumps({**record, **old}))
        path.unlink()
    return output


@pytest.mark.slow
def test_a_folder_of_release_0_1_gives_the_same_scores_and_can_be_published(finished, tmp_path):
    old = as_release_0_1(shutil.copytree(finished, tmp_path / "old"))
    now, before = collect(finished), collect(old)
    assert read_note(old)["jobs"] == read_note(finished)["jobs"]
    pd.testing.assert_frame_equal(before.scores, now.scores)
    assert [(entry.job.folder, entry.state, entry.reason) for entry in before.missing] == [
        (entry.job.folder, entry.state, entry.reason) for entry in now.missing
    ]
    for row in now.jobs["folder"]:
        (old / row.replace("jobs/grouped", "cells/strict").replace("jobs/", "cells/") / "config.yaml").touch()
    write_results_of(find(old), old)
    assert publish(old, tmp_path / "published") == len(now.jobs)
    published = read_published(tmp_path / "published").results
    assert set(published.jobs["protocol"]) == {"paper", "grouped"}
    assert set(json.loads((tmp_path / "published" / "splits.json").read_text())["splits"]) == {"paper", "grouped"}


def test_a_table_with_other_settings_than_its_records_is_refused(finished, tmp_path):
    output = shutil.copytree(finished, tmp_path / "output")
    path = output / "jobs/paper/segnet-dl/fold0-seed0/job.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "settings": {**record["settings"], "epochs": 99}}))
    with pytest.raises(InputError, match=r"job.json is of other settings than .*tiny.yaml has now"):
        collect(output)


def test_a_folder_of_release_0_1_is_gone_on_with_where_its_files_are(table, tiny_dataset, tmp_path):
    jobs, output = plan(table, ["grouped"]), tmp_path / "output"
    Claim(table, jobs[:2], tiny_dataset, output, "full").make()
    (output / "splits" / "grouped.json").rename(output / "splits" / "strict.json")
    (output / "cells/strict/segnet-dl/fold0-seed0").mkdir(parents=True)
    note = json.loads((output / "reproduce.json").read_text())
    del note["allowed_deviations"]
    cells = [job.replace("jobs/grouped", "cells/strict") for job in note.pop("jobs")]
    (output / "reproduce.json").write_text(json.dumps({**note, "version": 1, "cells": cells}))

    Claim(table, jobs[:3], tiny_dataset, output, "full", resume=True).make()

    assert json.loads((output / "reproduce.json").read_text())["version"] == 2
    assert read_note(output)["jobs"] == [job.folder for job in jobs[:3]]
    first = files_of(jobs[0], output)
    assert first.record == output / "cells/strict/segnet-dl/fold0-seed0/cell.json"
    assert first.split == output / "splits" / "strict.json"
    assert not (output / "splits" / "grouped.json").exists()
    assert files_of(jobs[1], output).record == output / jobs[1].folder / "job.json"
