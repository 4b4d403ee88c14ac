import json
import shutil

from covid_monai.tables.findings import find
from covid_monai.tables.plan import jobs_of_folders
from covid_monai.tables.spec import read_table


def test_the_same_folder_gives_the_same_findings(finished, findings):
    again = find(finished)
    assert again.entries == findings.entries
    assert again.optimism == findings.optimism
    assert again.pairs == findings.pairs
    assert again.audits == findings.audits


def test_a_moved_folder_gives_the_same_findings(finished, findings, tmp_path):
    moved = find(shutil.copytree(finished, tmp_path / "moved"))
    assert moved.entries == findings.entries
    assert moved.made_of == "15 of 16 jobs asked for, of 24 in the table"


def test_quick_stands_behind_title_and_count(finished, tmp_path):
    output = shutil.copytree(finished, tmp_path / "quick")
    note = json.loads((output / "reproduce.json").read_text())
    # the budget quick runs the first fold
    jobs = [job for job in note["jobs"] if "/fold0-" in job]
    (output / "reproduce.json").write_text(json.dumps({**note, "budget": "quick", "jobs": jobs}))
    for job in jobs_of_folders(read_table(note["table_path"]), jobs, "quick"):
        path = output / job.folder / "job.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "settings": dict(job.settings)}))
    found = find(output)
    assert found.title == "Tiny table (quick)"
    assert found.made_of == "8 of 8 jobs (budget quick)"
    assert any(text.startswith("quick: ") for text in found.head.deviations)
