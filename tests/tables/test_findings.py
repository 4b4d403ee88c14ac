import json
import shutil

from covid_monai.tables.findings import find


def test_the_same_folder_gives_the_same_findings(finished, findings):
    again = find(finished)
    assert again.entries == findings.entries
    assert again.optimism == findings.optimism
    assert again.pairs == findings.pairs
    assert again.audits == findings.audits


def test_a_moved_folder_gives_the_same_findings(finished, findings, tmp_path):
    moved = find(shutil.copytree(finished, tmp_path / "moved"))
    assert moved.entries == findings.entries
    assert moved.made_of == "15 of 16 jobs"


def test_quick_stands_behind_title_and_count(finished, tmp_path):
    output = shutil.copytree(finished, tmp_path / "quick")
    note = json.loads((output / "reproduce.json").read_text())
    # the budget quick runs the first fold
    jobs = [job for job in note["jobs"] if "/fold0-" in job]
    (output / "reproduce.json").write_text(json.dumps({**note, "budget": "quick", "jobs": jobs}))
    found = find(output)
    assert found.title == "Tiny table (quick)"
    assert found.made_of == "8 of 8 jobs (budget quick)"
    assert any(text.startswith("quick: ") for text in found.head.deviations)
