"""The hours that a table will take, before it starts."""

import pytest

from covid_monai.data.splits import read_split
from covid_monai.tables import estimate
from covid_monai.tables.estimate import ImageSeconds, expected_seconds, hours_in_words, seconds_of_an_image
from covid_monai.tables.plan import plan
from covid_monai.tables.reproduction import reproduce
from covid_monai.tables.spec import read_table

from .tiny_table import SMALL, write_table


@pytest.fixture
def started(tiny_dataset, tmp_path, monkeypatch):
    """A table whose splits are written and whose jobs are not run."""
    lines: list[str] = []
    monkeypatch.setattr("covid_monai.tables.reproduction._execute", lambda *arguments, **options: None)
    table = write_table(tmp_path)
    reproduce(str(table), tiny_dataset, tmp_path / "out", budget="quick", write=lines.append)
    return read_table(str(table)), tmp_path / "out", lines


def test_a_job_takes_the_steps_of_its_epochs_its_validations_and_its_test(started, monkeypatch):
    table, output, _ = started
    measured = []
    monkeypatch.setattr(
        estimate,
        "seconds_of_an_image",
        lambda bundle, settings, **_: measured.append(settings) or ImageSeconds(training=10.0, inference=1.0),
    )
    jobs = plan(table, budget="full")
    seconds = expected_seconds(jobs, output)
    assert len(seconds) == len(jobs)
    for job, found in zip(jobs, seconds, strict=True):
        fold = read_split(output / job.split).folds[job.fold]
        assert found == 2 * (10 * len(fold.train) + len(fold.validation)) + len(fold.test)
    # with and without attention; the losses make no other network
    assert len(measured) == 2


def test_it_is_told_before_the_first_job(started):
    _, _, lines = started
    (told,) = [line for line in lines if "just measured" in line]
    assert told.startswith("about ")
    assert "for 4 jobs" in told


def test_a_network_that_cannot_be_measured_stops_no_table(tiny_dataset, tmp_path, monkeypatch):
    def out_of_memory(*arguments, **options):
        raise RuntimeError("out of memory")

    lines: list[str] = []
    monkeypatch.setattr("covid_monai.tables.reproduction._execute", lambda *arguments, **options: None)
    monkeypatch.setattr(estimate, "seconds_of_an_image", out_of_memory)
    reproduce(str(write_table(tmp_path)), tiny_dataset, tmp_path / "out", budget="quick", write=lines.append)
    assert "how long it takes cannot be told: out of memory" in lines


def test_a_step_is_measured_in_seconds_an_image():
    found = seconds_of_an_image("a_segnet", SMALL, device="cpu", threads=1)
    assert 0 < found.inference < found.training


@pytest.mark.parametrize(
    ("seconds", "at_once", "words"),
    [
        ([30.0], 1, "about 1 minute"),
        ([600.0, 600.0], 1, "about 20 minutes"),
        ([3600.0] * 5, 2, "about 2.5 hours"),
        ([36000.0], 8, "about 10 hours"),
    ],
)
def test_hours_are_told_as_one_reads_them(seconds, at_once, words):
    assert hours_in_words(seconds, at_once) == words
