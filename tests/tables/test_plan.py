import shlex
from pathlib import Path

import pytest

from covid_monai.catalog.literals import parse_setting
from covid_monai.errors import InputError
from covid_monai.tables.job import commands_of
from covid_monai.tables.plan import chosen_rows, jobs_of_folders, listed_numbers, plan
from covid_monai.tables.reproduction import Request, planned
from covid_monai.tables.spec import read_table, table_names
from tests.tables.tiny_table import content, write_table


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = [*content()["rows"], {"label": "Inf-Net", "paper": {"dice": 68.2}, "place": "Table 2"}]
    return read_table(str(write_table(tmp_path_factory.mktemp("table"), {"rows": rows})))


def folders(jobs):
    return [job.folder for job in jobs]


def test_every_row_has_a_fold_before_any_has_the_next():
    table = read_table("zhou2020-v1")
    jobs = plan(table)
    # 4 rows of the paper and 4 variants, 5 folds, 3 seeds under both protocols
    assert len(jobs) == len(set(folders(jobs))) == 8 * 5 * 2 * 3
    first = jobs[:16]
    assert {(job.fold, job.seed) for job in first} == {(0, 0)}
    assert {(job.protocol, job.row) for job in first} == {
        (protocol, row.label) for protocol in ("paper", "grouped") for row in table.rows
    }
    seeds = [job.seed for job in jobs]
    assert seeds == sorted(seeds)


def test_quick_runs_the_first_folds_with_one_seed_and_quick_settings(table):
    jobs = plan(table, budget="quick")
    assert folders(jobs) == [
        "jobs/paper/segnet-dl/fold0-seed0",
        "jobs/grouped/segnet-dl/fold0-seed0",
        "jobs/paper/a-segnet-tl-0.3-0.7/fold0-seed0",
        "jobs/grouped/a-segnet-tl-0.3-0.7/fold0-seed0",
    ]
    assert {job.settings["epochs"] for job in jobs} == {1}
    assert {job.budget for job in jobs} == {"quick"}


def test_a_job_is_trained_with_its_seed_and_keeps_its_protocols_weights(table):
    settings = {(job.protocol, job.seed): job.settings for job in plan(table, folds=[1], seeds=2)}
    assert [settings["paper", seed]["seed"] for seed in (0, 1)] == [0, 1]
    assert settings["paper", 0]["weights_kept"] == "last"
    assert settings["grouped", 0]["weights_kept"] == "best"


def test_only_what_is_asked_for_is_planned(table):
    rows = chosen_rows(table, ["2"])
    jobs = plan(table, ["grouped"], rows, [1], 2)
    assert folders(jobs) == [
        "jobs/grouped/a-segnet-tl-0.3-0.7/fold1-seed0",
        "jobs/grouped/a-segnet-tl-0.3-0.7/fold1-seed1",
    ]


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        (["1"], [1]),
        (["1,2"], [1, 2]),
        (["1-2"], [1, 2]),
        (["2", "1"], [1, 2]),
        (["A-SegNet + TL (0.3, 0.7)"], [2]),
        (["a-segnet + tl (0.3, 0.7)"], [2]),
        (["a-segnet-tl-0.3-0.7", "SegNet + DL"], [1, 2]),
    ],
)
def test_rows_are_chosen_by_label_slug_or_number(table, chosen, numbers):
    assert [row.number for row in chosen_rows(table, chosen)] == numbers


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("4", "row 4 does not exist; tiny has rows 1 to 3"),
        ("SegNet + DI", r"no row 'SegNet \+ DI' \(did you mean 'SegNet \+ DL'\?\)"),
        ("1-", "rows is '1-'; give numbers and ranges"),
        ("3", r"row 3 \(Inf-Net\) is published only"),
        ("Inf-Net", r"row 3 \(Inf-Net\) is published only"),
    ],
)
def test_rows_that_do_not_exist_are_refused(table, chosen, message):
    with pytest.raises(InputError, match=message):
        chosen_rows(table, [chosen])


def test_numbers_are_listed_as_one_writes_them():
    assert listed_numbers("0,2-4, 3", "folds") == [0, 2, 3, 4]


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "4-2", "1,,2", "1.5", "²"])
def test_what_is_no_list_of_numbers_is_refused(text):
    with pytest.raises(InputError, match=r"folds is .*such as 0,2-4"):
        listed_numbers(text, "folds")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": [2]}, "fold 2 does not exist; tiny has folds 0 to 1"),
        ({"seeds": 0}, "seeds is 0"),
        ({"budget": "small"}, "no budget 'small'; it has full, quick"),
        ({"protocols": ["fair"]}, "tiny has no protocol fair; it has paper, grouped"),
        ({"rows": []}, "no row with a bundle"),
    ],
)
def test_what_the_table_does_not_have_is_refused(table, arguments, message):
    with pytest.raises(InputError, match=message):
        plan(table, **arguments)


@pytest.mark.parametrize("name", table_names())
@pytest.mark.parametrize("budget", ["quick", "full"])
def test_a_jobs_command_says_its_settings_to_the_last_bit(name, budget):
    for job in plan(read_table(name), budget=budget):
        words = shlex.split(commands_of(job, Path("/my data"), Path("/out"))[0])
        assert words[:3] == ["covid-monai", "train", job.bundle]
        assert words[words.index("--split") + 1] == job.split
        given = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
        read = dict(parse_setting(text) for text in given)
        assert read == job.settings
        assert {key: type(value) for key, value in read.items()} == {
            key: type(value) for key, value in job.settings.items()
        }


def test_commands_name_the_device_and_the_threads_where_they_were_chosen(table):
    job = plan(table)[0]
    train, evaluate = commands_of(job, Path("data"), Path("/out"), device="cpu", threads=2)
    assert train.startswith("OMP_NUM_THREADS=2 covid-monai train a_segnet ")
    assert train.endswith(" --device cpu")
    assert evaluate == f"OMP_NUM_THREADS=2 covid-monai evaluate {job.folder} --device cpu"


def test_rows_of_one_network_and_loss_have_seeds_of_their_own_in_one_place():
    jobs = {job.row: job for job in plan(read_table("budak2021"), ["grouped"], folds=[0], seeds=1)}
    dice, tversky = jobs["SegNet + DL"], jobs["SegNet + TL (0.5, 0.5)"]
    assert (dice.seed, tversky.seed) == (0, 0)
    assert (dice.settings["seed"], tversky.settings["seed"]) == (0, 1000)


def test_jobs_are_found_again_by_their_folders(table):
    jobs = plan(table, seeds=2)
    folders = [job.folder for job in jobs[::3]]
    assert jobs_of_folders(table, [*folders, "jobs/paper/other/fold0-seed7"], "full") == jobs[::3]


def test_the_control_arms_are_run_where_they_are_asked_for(table):
    arms = {"control-grouped", "control-ungrouped"}
    assert {job.protocol for job in planned(table, Request())} == {"paper", "grouped"}
    control = planned(table, Request("control"))
    assert {job.protocol for job in control} == arms
    # two rows, two folds, three seeds
    assert len(control) == 2 * 2 * 2 * 3
    assert {job.protocol for job in planned(table, Request("all", seeds=1))} == {"paper", "grouped", *arms}
    assert control[0].split == "splits/control-grouped.json"
    assert jobs_of_folders(table, folders(control), "full") == control
    with pytest.raises(InputError, match="it can be paper, grouped, both, control, all"):
        planned(table, Request("controls"))


def test_a_table_whose_test_part_is_given_has_no_control_arms():
    with pytest.raises(InputError, match="official-split has no protocol control-grouped; it has paper, grouped"):
        planned(read_table("official-split"), Request("control"))
