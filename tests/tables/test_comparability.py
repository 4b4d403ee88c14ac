from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from covid_monai.data.manifest import Canvas
from covid_monai.tables.comparability import head_of
from covid_monai.tables.results import Results
from covid_monai.tables.spec import read_table
from covid_monai.tables.table import CLASS_MEAN
from tests.tables.small_data import write_slices


def head(name, dataset, budget="full", **changed):
    table = replace(read_table(name), **changed)
    jobs = pd.DataFrame({"protocol": list(table.protocols)})
    return head_of(Results(Path(), table, budget, {"": dataset}, jobs, pd.DataFrame(), pd.DataFrame(), ()))


def speeds(name, dataset, measured):
    """What the paper says, and what is said of the jobs."""
    table = read_table(name)
    jobs = pd.DataFrame({"protocol": "paper", **measured})
    entry = head_of(Results(Path(), table, "full", {"": dataset}, jobs, pd.DataFrame(), pd.DataFrame(), ()))
    (found,) = [(paper, here) for aspect, paper, here in entry.sides if aspect == "seconds per slice"]
    return found


def part1(count=4, **fields):
    """Slices as the picture crops of MedSeg part 1 are imported: sizes differ, contrast stretched, no effusion."""
    text = [{"source": "medseg_part1", "group": f"g{i // 2}", "intensity": "window", **fields} for i in range(count)]
    return [{**entry, "size": (24 + 2 * i, 24)} for i, entry in enumerate(text)]


def sides(entry):
    return {aspect: here for aspect, _, here in entry.sides}


def test_crops_of_part_1_are_told_with_all_that_they_lack(tmp_path):
    entry = head("zhou2020-v1", write_slices(tmp_path / "data", part1()))
    text = " ".join(entry.deviations)
    assert "4 instead of 100 slices." in text
    assert "4 of 4 slices are crops instead of full slices" in text
    assert '4 slices are 8-bit pictures whose grey values are spread over a fixed window (intensity "window")' in text
    assert "No pleural effusion in the masks of medseg_part1: where there was any, it counts as background." in text
    assert "quick" not in text
    # cropping changes how much background there is, and nothing else
    assert dict(entry.not_comparable) == {"specificity": "crops"}
    assert sides(entry)["data"] == (
        "4 slices (4 of medseg_part1); patient unknown for 4 slices; 2 units (group of near-duplicates)"
    )
    assert sides(entry)["canvas"].startswith("4 slices: crops of differing size of medseg_part1; resized")


def test_crops_on_their_canvas_can_be_compared(tmp_path):
    text = part1(canvas=Canvas((512, 512), (3, 4)))
    crops = head("zhou2020-v1", write_slices(tmp_path / "crops", text))
    assert dict(crops.not_comparable) == {"specificity": "crops"}
    pasted = [{**entry, "size": (32, 32), "canvas": Canvas((32, 32), (3, 4))} for entry in text]
    full = head("zhou2020-v1", write_slices(tmp_path / "pasted", pasted))
    assert dict(full.not_comparable) == {}
    assert "4 slices are crops that were pasted back: what lay around them is air." in full.deviations
    assert sides(full)["canvas"].startswith("4 slices: 32 x 32, pasted back with air around; resized")


def test_the_official_split_wants_crops(tmp_path):
    assert dict(head("official-split", write_slices(tmp_path / "crops", part1())).not_comparable) == {}
    whole = [{**entry, "size": (32, 32)} for entry in part1()]
    full = head("official-split", write_slices(tmp_path / "whole", whole))
    assert dict(full.not_comparable) == {"specificity_mean_over_thresholds": "full slices instead of crops"}


def test_a_class_that_no_mask_has_changes_a_mean_over_classes_only(tmp_path):
    dataset = write_slices(tmp_path / "data", [{**entry, "size": (32, 32)} for entry in part1()])
    entry = head("chen2020", dataset)
    reason = "no pleural effusion in the masks, so the mean is over other classes"
    assert (entry.not_comparable["dice"], entry.not_comparable["precision"]) == (reason, reason)
    assert entry.not_comparable["accuracy"].startswith("with the paper's Dice")
    assert dict(head("zhou2020-v1", dataset).not_comparable) == {}
    effusion = write_slices(tmp_path / "three", [{**entry, "size": (32, 32)} for entry in part1()], labels=(1, 2, 3))
    assert "dice" not in head("chen2020", effusion).not_comparable


def test_other_data_are_never_compared(tmp_path):
    entry = head("zhou2021-v4", write_slices(tmp_path / "data", part1()))
    assert entry.not_comparable["dice"] == "data of medseg_part1 instead of medseg_part1, radiopaedia_part2"


def test_merged_data_are_told_source_by_source(tmp_path):
    part2 = [{"source": "radiopaedia_part2", "patient": f"p{i}", "label": 4, "intensity": "anchored"} for i in range(3)]
    entry = head("zhou2021-v4", write_slices(tmp_path / "data", [*part1(), *part2]))
    assert "7 instead of 473 slices." in entry.deviations
    assert "radiopaedia_part2 does not tell the kind of lesion in 3 slices." in entry.deviations
    assert any(text.startswith("3 slices are 8-bit, brought to HU by the peaks") for text in entry.deviations)
    assert (
        "3 patients known, patient unknown for 4 slices; 5 units (patient or group of near-duplicates)"
        in sides(entry)["data"]
    )


@pytest.mark.parametrize("budget", ["full", "quick"])
def test_quick_is_said_and_the_networks_size_is_that_of_the_budget(budget, tmp_path):
    entry = head("zhou2020-v1", write_slices(tmp_path / "data", part1()), budget)
    assert any("quick" in text for text in entry.deviations) == (budget == "quick")
    size = "128 x 128" if budget == "quick" else "512 x 512"
    assert f"resized for the networks to {size};" in sides(entry)["canvas"]


def test_both_protocols_say_how_they_split_and_choose(tmp_path):
    split = sides(head("zhou2020-v1", write_slices(tmp_path / "data", part1())))["split"]
    assert (
        "paper: 5 folds, slices at random; the validation part is the test part; weights of the highest validation Dice"
        in split
    )
    assert "grouped: 5 folds, by group of near-duplicates; 20 % of the training slices are the validation part" in split


def test_a_table_of_class_means_says_so(tmp_path):
    table = read_table("zhou2020-v1")
    assert table.lesion_class != CLASS_MEAN
    dataset = write_slices(tmp_path / "data", part1())
    assert sides(head("zhou2020-v1", dataset))["classes"].startswith("class lesion; in the masks: ground-glass in 2")
    assert sides(head("chen2020", dataset))["classes"].startswith("the mean over the lesion classes")


def test_the_papers_seconds_per_slice_stand_beside_the_jobs(tmp_path):
    dataset = write_slices(tmp_path / "data", part1())
    paper, here = speeds(
        "zhou2021-v4", dataset, {"device": ["cpu", "cpu", "an A100"], "seconds_per_slice": [1, 2, 0.1]}
    )
    assert paper.startswith("0.29 s")
    assert here == "0.1, median of the jobs on an A100; 1.5, median of the jobs on cpu"
    paper, here = speeds("zhou2020-v1", dataset, {"device": ["cpu"], "seconds_per_slice": [None]})
    assert (paper, here) == ("not said", "not measured")
