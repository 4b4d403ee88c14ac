import pytest

from covid_monai.catalog.sizes import BEGIN, END, Size, put_table, size_table, table_in
from covid_monai.errors import InputError

NETWORK = Size("x_ct_segmentation", "", {}, 1_234_567, (512, 512), 4_000_000_000, 1_000_000_000)
ABLATION = Size("x_ct_segmentation", "Y", {"gates": False, "rows": [1, 2]}, 7_000, (512, 512), 80_000_000, 20_000_000)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_millions_of_parameters_and_gflop_of_both_sizes():
    _, rule, network, ablation = size_table([NETWORK, ABLATION]).splitlines()
    assert cells(network) == ["x", "the bundle's own", "1.23", "512 x 512", "4.0", "1.0"]
    assert cells(ablation) == ["x", "Y: `gates: false, rows: [1, 2]`", "0.01", "512 x 512", "0.1", "0.0"]
    assert len(network) == len(ablation) == len(rule)


def test_only_what_stands_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    put_table(page, "| new |")
    assert page.read_text() == f"before\n\n{BEGIN}\n| new |\n{END}\n\nafter\n"
    assert table_in(page) == "| new |"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"])
def test_a_page_without_both_marks_once_is_left_as_it_is(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(InputError, match="once each"):
        put_table(page, "| new |")
    assert page.read_text() == text
