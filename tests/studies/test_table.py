"""Tables of studies that users write."""

from pathlib import Path

import pytest

from covid_monai.errors import InputError
from covid_monai.studies import read_study_table


def write(folder: Path, text: str) -> Path:
    (folder / "studies.csv").write_text(text, encoding="utf-8")
    return folder / "studies.csv"


def test_rows_have_names_paths_beside_the_table_and_series(tmp_path):
    table = write(tmp_path, "Study;Path;series;ward\nP 01;scans/a;1.2.3;x\nP-02;/elsewhere/b.zip;;y\n")
    first, second = read_study_table(table)
    assert (first.study, first.path, first.series, first.line) == ("P 01", tmp_path / "scans" / "a", "1.2.3", 2)
    assert (second.study, second.path, second.series) == ("P-02", Path("/elsewhere/b.zip"), None)


def test_the_column_of_series_may_be_missing(tmp_path):
    (row,) = read_study_table(write(tmp_path, "study,path\na,b\n"))
    assert row.series is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,path\na,b\n", "no column 'study'"),
        ("study,path\n", "names no study"),
        ("study,path\n,b\n", "line 2: the study is empty"),
        ("study,path\na,\n", "line 2: the path is empty"),
        ("study,path\nP1,a\np1,b\n", "line 3: study 'p1' is named in line 2 already"),
        ("study,path\n../P1,a\n", "cannot be a file name"),
        ("study,path\n.P1,a\n", "cannot be a file name"),
        (f"study,path\n{'x' * 101},a\n", "cannot be a file name"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, reason, tmp_path):
    with pytest.raises(InputError, match=reason):
        read_study_table(write(tmp_path, text))
