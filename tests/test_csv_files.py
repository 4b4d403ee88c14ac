import pytest

from covid_monai.csv_files import read_csv
from covid_monai.errors import InputError


def rows_of(path, content, **columns):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [row.fields for row in read_csv(path, **(columns or {"needed": ("case", "patient")})).rows]


EXPECTED = [{"case": "ct1", "patient": "A"}, {"case": "ct2", "patient": "B, jr"}]
WRITTEN = {
    "commas": 'case,patient\nct1,A\nct2,"B, jr"\n',
    "semicolons": "case;patient\nct1;A\nct2;B, jr\n",
    "tabs": "case\tpatient\nct1\tA\nct2\tB, jr\n",
    "blanks": ' case , patient \n ct1 ,  A \nct2, "B, jr" \n',
    "no-break blanks": 'case,\u00a0patient\nct1,A\u00a0\nct2,"B, jr"\n',
    "other letter case and order": 'Patient,CASE\nA,ct1\n"B, jr",ct2\n',
    "byte order mark": b"\xef\xbb\xbf" + b'case,patient\nct1,A\nct2,"B, jr"\n',
    "UTF-16 of a spreadsheet": "case\tpatient\r\nct1\tA\r\nct2\tB, jr\r\n".encode("utf-16"),
    "UTF-16 of big endian": b"\xfe\xff" + "case\tpatient\nct1\tA\nct2\tB, jr\n".encode("utf-16-be"),
    "lines of Windows": 'case,patient\r\nct1,A\r\nct2,"B, jr"\r\n',
    "lines of old Macs": 'case,patient\rct1,A\rct2,"B, jr"\r',
    "no last line end": 'case,patient\nct1,A\nct2,"B, jr"',
    "empty rows": '\ncase,patient\n\nct1,A\n,\nct2,"B, jr"\n\n  \n',
    "empty columns": 'case,patient,,\nct1,A,,\nct2,"B, jr",,\n',
    "comments": '# made by hand, with care\n# case,patient\nct1,A\nct2,"B, jr"\n',
    "a separator told": "sep=;\ncase;patient\nct1;A\nct2;B, jr\n",
    "quotes everywhere": '"case","patient"\n"ct1","A"\n"ct2","B, jr"\n',
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_table_is_read_however_an_editor_or_spreadsheet_wrote_it(tmp_path, kind):
    assert rows_of(tmp_path / "p.csv", WRITTEN[kind]) == EXPECTED


def test_accents_are_composed_and_other_columns_are_kept(tmp_path):
    content = "case,patient,Alter\nMu\u0308ller,A,40\n"
    assert rows_of(tmp_path / "p.csv", content) == [{"case": "M\u00fcller", "patient": "A", "Alter": "40"}]


def test_rows_carry_the_line_of_their_file(tmp_path):
    (tmp_path / "p.csv").write_text('# note\n\ncase,patient\nct1,"A\nB"\nct2,C\n')
    table = read_csv(tmp_path / "p.csv", needed=("case",))
    assert [(row.line, row.fields["patient"]) for row in table.rows] == [(5, "A\nB"), (6, "C")]


WRONG = {
    "a missing column": ("case,person\nct1,A\n", "no column 'patient'.* its first line has case, person"),
    "a column spelled otherwise": ("case,patients\nct1,A\n", "did you mean 'patients'"),
    "nothing": ("", "its first line has no line"),
    "another separator": ("case|patient\nct1|A\n", "commas, semicolons or tabs"),
    "a column twice": ("case,patient,Patient\nct1,A,B\n", "2 columns named 'patient'"),
    "too few fields": ("case,patient\nct1\n", r"line 2 has 1 fields, the header has 2 \(case, patient\)"),
    "too many fields": ("case,patient\nct1,A,B\n", "line 2 has 3 fields.* holds a comma into quotes"),
    "mixed separators": ("case,patient\nct1;A\n", "line 2 has 1 fields"),
    "an open quote": ('case,patient\nct1,"A\nct2,B\n', "unexpected end of data; put a field"),
    "another code page": ("case,patient\nct1,Müller\n".encode("cp1252"), "not UTF-8 text.*save it as CSV UTF-8"),
    "UTF-16 without a mark": ("case,patient\nct1,A\n".encode("utf-16-le"), "NUL characters"),
    "a workbook": (b"PK\x03\x04" + bytes(30), "a spreadsheet or an archive"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_table_is_refused_with_what_to_do(tmp_path, kind):
    content, message = WRONG[kind]
    with pytest.raises(InputError, match=message) as caught:
        rows_of(tmp_path / "p.csv", content)
    assert str(tmp_path / "p.csv") in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            read_csv(path, needed=("case",))
