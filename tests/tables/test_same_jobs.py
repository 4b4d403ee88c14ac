import json

import pytest

from covid_monai.tables.claim import Claim
from covid_monai.tables.folder import read_note
from covid_monai.tables.plan import plan
from covid_monai.tables.same_jobs import _SAME_JOBS, has_same_jobs, jobs_hash
from covid_monai.tables.spec import read_table
from tests.tables.test_paper_claims import CLAIM
from tests.tables.tiny_table import content, write_table


def test_claims_put_into_a_table_let_its_jobs_go_on(tiny_dataset, tmp_path):
    path, output = write_table(tmp_path / "table"), tmp_path / "output"
    before = read_table(str(path))
    Claim(before, plan(before)[:1], tiny_dataset, output, "full").make()
    path.write_text(path.read_text() + "# what it says\nclaims:\n- " + json.dumps({**CLAIM, "contrast": [[2, 1]]}))
    after = read_table(str(path))
    assert len(after.claims) == 1
    Claim(after, plan(after)[:2], tiny_dataset, output, "full", resume=True).make()
    assert len(read_note(output)["jobs"]) == 2
    # a note from before the jobs had a hash of their own
    old = {key: value for key, value in read_note(output).items() if key != "jobs_sha256"}
    assert has_same_jobs(after, {**old, "table_sha256": after.sha256})
    assert not has_same_jobs(after, {**old, "table_sha256": before.sha256})


def test_the_jobs_of_the_control_arms_have_a_hash_too(tmp_path):
    table = read_table(str(write_table(tmp_path)))
    jobs = [job.folder for job in plan(table, list(table.all_protocols))]
    assert any("control" in job for job in jobs)
    assert jobs_hash(table, jobs, "full") != jobs_hash(table, [job for job in jobs if "control" not in job], "full")


def test_a_hash_of_jobs_is_of_what_they_depend_on(tmp_path):
    def hash_with(**changed):
        table = read_table(str(write_table(tmp_path / "table", changed)))
        return jobs_hash(table, [job.folder for job in plan(read_table(str(write_table(tmp_path / "plain"))))], "full")

    rows = content()["rows"]
    published = {"label": "Published only", "paper": {"dice": 50.0}, "place": "row 3"}
    another = {**rows[0], "label": "SegNet again"}
    assert hash_with() == hash_with(title="Other", claims=[CLAIM], rows=[*rows, published, another])
    other_rows = [{**rows[0], "settings": {**rows[0]["settings"], "loss": "tversky"}}, rows[1]]
    protocols = {**content()["protocols"], "paper": {"split": "paper", "validation": 0.3, "weights": "last"}}
    others = [
        hash_with(rows=other_rows),
        hash_with(folds=3),
        hash_with(protocols=protocols),
        hash_with(grid=32),
        hash_with(settings={**content()["settings"], "epochs": 9}),
    ]
    assert len({hash_with(), *others}) == 6


@pytest.mark.parametrize("name", ["budak2021", "chen2020", "official-split", "zhou2020-v1", "zhou2021-v4"])
def test_folders_begun_with_earlier_tables_of_the_package_go_on(name):
    table = read_table(name)
    for digest in _SAME_JOBS[name]:
        assert digest != table.sha256
        assert has_same_jobs(table, {"table_sha256": digest, "jobs": [], "budget": "full"})
    assert not has_same_jobs(table, {"table_sha256": "0" * 64, "jobs": [], "budget": "full"})
