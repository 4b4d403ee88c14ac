import pytest
from matplotlib.figure import Figure
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.report import forest
from covid_monai.report.forest import ForestLine, ForestPanel, draw_forest

LINES = (
    ForestLine("first", 61.0, {"paper": (60.0, (55.0, 65.0)), "grouped": (50.0, None)}),
    ForestLine("second", None, {"paper": (70.0, (66.0, 74.0))}),
    ForestLine("published only", 80.0),
)


def panel_axes(panel):
    axes = Figure().subplots()
    forest._draw_panel(axes, panel)
    return axes


def test_every_value_interval_and_published_value_is_where_it_belongs():
    axes = panel_axes(ForestPanel("Dice", LINES))
    drawn = [(list(map(float, line.get_xdata())), list(map(float, line.get_ydata()))) for line in axes.lines]
    intervals = [(x, y[0]) for x, y in drawn if len(x) == 2]
    assert intervals == [([55.0, 65.0], -0.2), ([66.0, 74.0], 0.8)]
    points = [(x[0], y[0]) for x, y in drawn if len(x) == 1]
    assert points == [(60.0, -0.2), (50.0, 0.2), (61.0, 0.0), (70.0, 0.8), (80.0, 2.0)]


def test_zero_is_marked_where_differences_are_drawn():
    lines = [ForestLine("row", None, {"paper - grouped": (4.0, (1.0, 7.0))})]
    assert len(panel_axes(ForestPanel("Dice", lines, marks_zero=True)).lines) == 3
    assert len(panel_axes(ForestPanel("Dice", lines)).lines) == 2


def test_panels_of_one_scale_have_the_same_axis_and_others_their_own():
    def panel(scale, *values):
        return ForestPanel("a", [ForestLine("row", None, {"paper": (value, None)}) for value in values], scale=scale)

    panels = [panel("dice", 20.0, 40.0), panel("", 1.0, 2.0), panel("dice", 60.0, 90.0)]
    drawn = [panel_axes(each) for each in panels]
    forest._share_scales(drawn, panels)
    limits = [axes.get_xlim() for axes in drawn]
    assert limits[0] == limits[2]
    assert limits[0][0] < 20
    assert limits[0][1] > 90
    assert limits[1][1] < 3


def test_the_difference_of_the_papers_protocol_stands_before_that_of_the_control_arms():
    names = ["control-ungrouped - control-grouped", "paper - grouped"]
    assert forest.in_protocol_order(names) == names[::-1]


@pytest.mark.parametrize("number", [1, 3, 4])
def test_any_number_of_panels_makes_a_picture(number, tmp_path):
    draw_forest([ForestPanel(f"measure {index}", LINES) for index in range(number)], tmp_path / "forest.png")
    with Image.open(tmp_path / "forest.png") as picture:
        # four stand two by two
        assert picture.width > 480 * (2 if number == 4 else number)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {(0, 114, 178), (213, 94, 0)} <= colours


def test_panels_of_different_rows_or_none_are_refused(tmp_path):
    with pytest.raises(InputError, match="different rows"):
        draw_forest([ForestPanel("a", LINES), ForestPanel("b", LINES[:1])], tmp_path / "forest.png")
    for panels in ([], [ForestPanel("a", ())]):
        with pytest.raises(InputError, match="nothing to draw"):
            draw_forest(panels, tmp_path / "forest.png")


def test_the_legend_says_of_intervals_only_where_there_are_any():
    alone = ForestPanel("a", [ForestLine("row", None, {"paper": (0.5, None), "grouped": (0.4, (0.3, 0.5))})])
    assert [handle.get_label() for handle in forest._handles([alone])] == [
        "protocol paper",
        "protocol grouped, 95 % interval",
    ]
