import pytest
from filelock import FileLock

from covid_monai.tables.folder import Outcome, failure_file, lock_file
from covid_monai.tables.plan import plan
from covid_monai.tables.progress import Progress, matrix, seconds_in_words
from covid_monai.tables.spec import read_table
from tests.tables.tiny_table import write_table


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    return plan(read_table(str(write_table(tmp_path_factory.mktemp("table")))), ["paper"], seeds=1)


class Clock:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_lines_tell_of_every_job_and_of_the_time_that_is_left(jobs):
    lines, clock = [], Clock()
    progress = Progress(4, lines.append, command=lambda job, threads: f"run {threads}", terminal=False, now=clock)
    progress.ended(Outcome(jobs[0], "found"))
    assert progress.seconds_left() is None
    progress.started(jobs[1], 2)
    clock.seconds += 90
    progress.ended(Outcome(jobs[1], "done", seconds=80))
    # one job took 90 s, two are left
    assert progress.seconds_left() == 180
    clock.seconds += 10
    progress.ended(Outcome(jobs[2], "failed", "the loss is nan"))
    assert lines == [
        "paper | SegNet + DL | fold 0 | seed 0 | done before (1 of 4)",
        "running: paper | A-SegNet + TL (0.3, 0.7) | fold 0 | seed 0",
        "  run 2",
        "paper | A-SegNet + TL (0.3, 0.7) | fold 0 | seed 0 | done in 1 min 20 s (2 of 4, about 3 min 0 s left)",
        "paper | SegNet + DL | fold 1 | seed 0 | failed: the loss is nan (3 of 4, about 50 s left)",
    ]
    assert [outcome.job for outcome in progress.failed] == [jobs[2]]


def test_a_terminal_shows_a_bar_over_the_jobs(jobs, capsys):
    progress = Progress(4, print, terminal=True)
    assert progress.draws
    for job, status in zip(jobs, ("found", "done", "failed"), strict=False):
        progress.ended(Outcome(job, status))
    progress.close()
    shown = capsys.readouterr()
    assert "3/4" in shown.err.splitlines()[-1].split("\r")[-1]
    assert "failed=1" in shown.err
    assert len(shown.out.splitlines()) == 3


def test_the_matrix_shows_the_state_of_every_job(jobs, tmp_path):
    # in the order of the plan: both rows of fold 0, then both of fold 1
    done, running, failed, _ = [tmp_path / job.folder for job in jobs]
    done.mkdir(parents=True)
    (done / "job.json").write_text('{"format": "covid-monai job", "version": 2}')
    failed.parent.mkdir(parents=True, exist_ok=True)
    failure_file(failed).write_text("{}")
    running.parent.mkdir(parents=True)
    with FileLock(lock_file(running)):
        assert matrix(jobs, tmp_path).splitlines() == [
            "paper | SegNet + DL               #!",
            "paper | A-SegNet + TL (0.3, 0.7)  >.",
            "1 done (#), 1 running (>), 1 failed (!), 1 waiting (.)",
        ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (192, "3 min 12 s"), (7500, "2 h 5 min")]
)
def test_times_are_in_words(seconds, words):
    assert seconds_in_words(seconds) == words
