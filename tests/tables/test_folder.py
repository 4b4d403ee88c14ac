import json
import shutil

import pytest

from covid_monai.data.splits import read_split
from covid_monai.errors import InputError
from covid_monai.tables.folder import claim, read_note
from covid_monai.tables.plan import plan
from covid_monai.tables.spec import read_table
from tests.tables.test_parts import variant_table
from tests.tables.tiny_table import write_table


@pytest.fixture
def table(tmp_path):
    return read_table(str(write_table(tmp_path / "table")))


def test_jobs_asked_for_later_join_those_before(table, tiny_dataset, tmp_path):
    jobs, output = plan(table), tmp_path / "output"
    claim(table, jobs[:2], tiny_dataset, output, "full", resume=False)
    claim(table, jobs[1:3], tiny_dataset, output, "full", resume=True)
    assert read_note(output)["cells"] == [job.folder for job in jobs[:3]]


def test_parts_of_a_start_that_failed_are_made_anew(table, tiny_dataset, tmp_path):
    output = tmp_path / "output"
    (output / "splits").mkdir(parents=True)
    (output / ".lock").touch()
    (output / "splits" / "paper.json").write_text("of other groups")
    claim(table, plan(table), tiny_dataset, output, "full", resume=False)
    assert read_split(output / "splits" / "paper.json").folds


def test_the_data_of_a_variant_come_back_with_a_folder_that_has_its_jobs(tiny_dataset, tmp_path):
    table, output = variant_table(tmp_path / "table"), tmp_path / "output"
    paper, grouped = plan(table, ["paper"], folds=[0]), plan(table, ["grouped"], folds=[0], seeds=1)
    claim(table, paper, tiny_dataset, output, "full", resume=False)
    shutil.rmtree(output / "data")
    claim(table, grouped, tiny_dataset, output, "full", resume=True)
    assert (output / "data" / "augment_before_folds" / "dataset.json").is_file()


@pytest.mark.parametrize("text", ["[]", json.dumps({"format": "covid-monai reproduction", "version": 99})])
def test_another_note_is_refused(text, tmp_path):
    (tmp_path / "reproduce.json").write_text(text)
    with pytest.raises(InputError, match="is not a covid-monai reproduction file of version 1"):
        read_note(tmp_path)
