"""Progress where stderr is no terminal."""

import pytest

from covid_monai import progress
from covid_monai.progress import progress_bar, progress_shown


def test_a_file_gets_a_first_and_a_last_line_however_often_it_moves(capsys):
    with progress_bar(description="training", unit="batch", total=1000) as bar:
        for _ in range(1000):
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("training:   0%")
    assert "1000/1000" in lines[1]
    assert not any("\r" in line for line in lines)


def test_a_file_gets_lines_as_time_goes_by(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    for _ in progress_bar(range(5), description="reading", unit="slice"):
        pass
    assert len(capsys.readouterr().err.splitlines()) >= 5


@pytest.mark.parametrize(("allowed", "shown"), [(False, True), (True, False)])
def test_nothing_is_drawn_unless_both_sides_ask_for_it(capsys, allowed, shown):
    with progress_shown(allowed):
        assert list(progress_bar([1, 2], description="reading", unit="slice", shown=shown)) == [1, 2]
    assert capsys.readouterr().err == ""
