import hashlib

import pytest
import yaml

from covid_monai.errors import InputError
from covid_monai.tables.plan import plan
from covid_monai.tables.spec import read_table, slug_of, table_names
from tests.tables.tiny_table import content, write_table

ROWS = {"budak2021": 14 + 2 + 1, "chen2020": 8 + 1, "official-split": None, "zhou2020-v1": 4 + 4, "zhou2021-v4": 4 + 2}
"""Rows of each paper's table, its labelled variants and what it compares itself with; how many bundles there are is not
a paper's."""


def test_every_paper_has_its_table():
    assert table_names() == sorted(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_every_table_of_the_package_fits_its_bundles(name):
    table = read_table(name)
    assert table.name == name
    assert ROWS[name] in (None, len(table.rows))
    assert set(table.protocols) == {"paper", "grouped"}
    assert all(set(row.paper) <= set(table.measures) for row in table.rows)


def test_a_table_is_what_its_yaml_says(tmp_path):
    path = write_table(tmp_path)
    table = read_table(str(path))
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (table.protocols["paper"].validation, table.protocols["grouped"].validation) == (None, 0.4)
    first, second = table.rows
    assert (first.number, first.slug) == (1, "segnet-dl")
    assert (second.number, second.slug) == (2, "a-segnet-tl-0.3-0.7")
    assert second.paper == {"dice": 70.0}
    assert table.settings_of(second, "full")["epochs"] == 2
    assert table.settings_of(second, "quick")["epochs"] == 1
    assert table.settings_of(second, "quick")["beta"] == 0.7


def test_quick_settings_of_a_bundle_go_over_those_of_all_rows(tmp_path):
    quick = {"label": "small", "folds": 1, "settings": {"epochs": 5}, "bundle_settings": {"a_segnet": {"epochs": 3}}}
    table = read_table(str(write_table(tmp_path, {"budgets": {"quick": quick}})))
    assert table.settings_of(table.rows[0], "quick")["epochs"] == 3


def test_quick_settings_of_a_row_go_over_those_of_its_bundle(tmp_path):
    second = content()["rows"][1]["label"]
    quick = {"label": "small", "folds": 1, "settings": {"epochs": 5}, "bundle_settings": {"a_segnet": {"epochs": 3}}}
    quick["row_settings"] = {second: {"epochs": 8}}
    table = read_table(str(write_table(tmp_path, {"budgets": {"quick": quick}})))
    assert [table.settings_of(row, "quick")["epochs"] for row in table.rows] == [3, 8]
    assert [table.settings_of(row, "full").get("epochs") for row in table.rows] == [2, 2]


def test_an_unknown_table_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"no table 'zhou2020-v2' \(did you mean 'zhou2020-v1'\?\)"):
        read_table("zhou2020-v2")


def changed(*path, to):
    """The tiny table's content with one place changed; ``None`` takes it away."""
    result = content()
    place = result
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return result


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("U-Net + DL", "u-net-dl"),
        ("U-Net++", "u-netplusplus"),
        ("FTL (0.7, 0.3)", "ftl-0.7-0.3"),
        ("M, plain.", "m-plain"),
    ],
)
def test_a_label_becomes_a_folders_name(label, slug):
    assert slug_of(label) == slug


JUDGING = {"slices": 100, "tested": 20, "labels": [1, 2], "margins": {"dice": 5}, "reason": "a convention"}


def judged(**changes):
    """The tiny table's content with facts for verdicts, some of them changed."""
    return {**content(), "judging": {**JUDGING, **changes}}


def test_what_verdicts_need_is_read_and_may_be_left_away(tmp_path):
    judging = read_table(str(write_table(tmp_path, judged()))).judging
    assert vars(judging) == {**JUDGING, "labels": (1, 2)}
    assert read_table(str(write_table(tmp_path / "without"))).judging is None


def test_the_rounding_is_that_of_the_finest_printed_value():
    assert read_table("zhou2020-v1").half_unit("dice") == pytest.approx(0.05)
    # 86.30 is 86.3 in YAML, but 86.06 stands beside it
    assert read_table("budak2021").half_unit("sensitivity") == pytest.approx(0.005)
    assert read_table("chen2020").half_unit("dice") == pytest.approx(0.005)


BAD = {
    "more tested than there are": (judged(tested=101), "tested is 101, more than the paper's 100 slices"),
    "margin of no measure": (judged(margins={"dize": 5}), r"margins has no key 'dize' \(did you mean 'dice'\?\)"),
    "margin of nothing": (judged(margins={"dice": 0}), "margins: dice is 0; it must be over 0"),
    "labels that are none": (judged(labels=[0]), r"labels is \[0\]; it must be a list of 1, 2, 3, 4"),
    "other averaging unknown": (
        changed("measures", "dice", "beside", to="pixels"),
        "measures, dice: beside is 'pixels'; it must be one of",
    ),
    "unknown key": (changed("tittle", to="x"), r"tiny.yaml has no key 'tittle' \(did you mean 'title'\?\)"),
    "missing key": (changed("needs", to=None), "tiny.yaml: the key 'needs' is missing"),
    "a value that the setting cannot have": (
        changed("settings", "window", to=[600, -1024]),
        r"settings \(full\): window is \[600, -1024\]; its lower end must be below",
    ),
    "folds that are no number": (changed("folds", to="five"), "folds is 'five'; it must be a whole number"),
    "unknown protocol": (changed("protocols", "fair", to={}), "protocols has no key 'fair'"),
    "unknown split": (
        changed("protocols", "paper", "split", to="patients"),
        "protocols, paper: split is 'patients'; it must be one of paper, grouped, given",
    ),
    "share of all": (changed("protocols", "grouped", "validation", to=1), "validation is 1.0; it must be test, or"),
    "leak under grouped": (
        changed("protocols", "grouped", "validation", to="test"),
        "protocols, grouped: validation is test, a leak",
    ),
    "near-duplicates of drawn subsets": (
        changed("protocols", "paper", "without_near_duplicates", to=True),
        "without_near_duplicates is for the split given, not for paper",
    ),
    "folds of a given split": (changed("protocols", "paper", "split", to="given"), "folds is 2; the split given has 1"),
    "unknown weights": (changed("protocols", "paper", "weights", to="first"), "weights is 'first'; it must be one of"),
    "unknown level": (
        changed("measures", "dice", "averaging", to="poled"),
        r"measures, dice: averaging is 'poled' \(did you mean 'pooled'\?\)",
    ),
    "unknown measure": (
        changed("measures", "dise", to={"averaging": "pooled", "scale": 1}),
        r"no 'dise' \(did you mean 'dice'\?\)",
    ),
    "measure that is not pooled": (
        changed("measures", "hd95_mm", to={"averaging": "pooled", "scale": 1}),
        "the scores have no 'hd95_mm' at averaging pooled",
    ),
    "first seed that is none": (changed("rows", 0, "first_seed", to=-1), "first_seed is -1; it must be a whole number"),
    "row without label": (changed("rows", 1, "label", to=None), "tiny.yaml, row 2: the key 'label' is missing"),
    "unknown bundle": (changed("rows", 0, "bundle", to="segnet"), r"row 1 \(SegNet \+ DL\): no bundle 'segnet'"),
    "unknown setting": (
        changed("rows", 1, "settings", "gama", to=1.0),
        r"row 2 \(A-SegNet .*settings \(full\) has no setting 'gama' \(did you mean 'gamma'\?\)",
    ),
    "unknown setting of all rows": (changed("settings", "epoch", to=1), r"row 1 .*'epoch' \(did you mean 'epochs'\?\)"),
    "setting of another kind": (
        changed("rows", 0, "settings", "attention", to="no"),
        r"row 1 .*attention is 'no'; it must be true or false",
    ),
    "unknown quick setting": (
        changed("budgets", "quick", "settings", "epoch", to=1),
        r"row 1 .*settings \(quick\) has no setting 'epoch'",
    ),
    "code as a setting": (changed("rows", 0, "settings", "loss", to="$print(1)"), "loss is an expression"),
    "seed as a setting": (changed("rows", 0, "settings", "seed", to=1), "seed is not for a table; it is given by"),
    "value of no column": (
        changed("rows", 0, "paper", "iou", to=1.0),
        r"row 1 \(SegNet \+ DL\), paper has no key 'iou'",
    ),
    "value that is none": (changed("rows", 0, "paper", "dice", to="high"), "dice is 'high'; it must be a number"),
    "label twice": (changed("rows", 1, "label", to="segnet / DL"), "gives the folder name as that of row 1 does"),
    "unknown variant": (
        changed("rows", 0, "variant", to="leak"),
        "variant is 'leak'; it must be one of augment_before_folds",
    ),
    "class that no row predicts": (changed("class", to="consolidation"), "class is 'consolidation', but this row"),
    "quick settings of no row's bundle": (
        changed("budgets", "quick", "bundle_settings", to={"au_net": {}}),
        "bundle_settings has no key 'au_net'",
    ),
    "quick settings of no row": (
        changed("budgets", "quick", "row_settings", to={"SegNet": {}}),
        r"row_settings has no key 'SegNet'",
    ),
    "quick settings that a row's bundle lacks": (
        changed("budgets", "quick", "row_settings", to={"SegNet + DL": {"epoch": 3}}),
        r"row 1 \(SegNet \+ DL\), settings \(quick\)",
    ),
    "more quick folds than folds": (
        changed("budgets", "quick", "folds", to=3),
        "quick: folds is 3, more than the table's 2",
    ),
    "no budget quick": (changed("budgets", to={}), "budgets has no 'quick'; every table has that budget"),
    "budget that is called full": (
        changed("budgets", "full", to={"label": "all", "folds": 1}),
        "a budget cannot be called 'full'; use a-z, 0-9 and -, but not full",
    ),
    "budget without label": (changed("budgets", "quick", "label", to=None), "quick: the key 'label' is missing"),
    "rows that are no list": (changed("rows", to={}), "rows is {}; it must be a list"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_error_is_told_with_file_place_and_key(name, tmp_path):
    bad, message = BAD[name]
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(bad))
    with pytest.raises(InputError, match=message):
        read_table(str(path))


def test_what_is_no_yaml_is_refused(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text("title: [")
    with pytest.raises(InputError, match="is not YAML"):
        read_table(str(path))


def test_a_row_that_is_published_only_needs_no_bundle(tmp_path):
    rows = [*content()["rows"], {"label": "Inf-Net", "paper": {"dice": 68.2}, "place": "Table 2"}]
    table = read_table(str(write_table(tmp_path, {"rows": rows})))
    assert table.rows[2].bundle is None


def test_names_of_the_last_release_are_read_with_a_hint(tmp_path):
    present = write_table(tmp_path, {})
    text = present.read_text()
    assert "grouped" in text
    old = tmp_path / "old.yaml"
    old.write_text(text.replace("grouped", "strict"))
    with pytest.warns(UserWarning, match="strict is now called grouped"):
        read = read_table(str(old))
    assert read.protocols == read_table(str(present)).protocols


@pytest.mark.parametrize("grid", [0, "512", [512, 512], 1.5])
def test_a_grid_is_a_whole_number_of_pixels(tmp_path, grid):
    with pytest.raises(InputError, match=r"grid is .* whole number"):
        read_table(str(write_table(tmp_path, {"grid": grid})))


def test_a_table_may_say_a_grid_and_the_papers_speed_and_needs_neither(tmp_path):
    table = read_table(str(write_table(tmp_path / "without")))
    assert (table.grid, table.theirs.speed) == (None, None)
    theirs = {**content()["theirs"], "speed": "0.29 s a slice"}
    table = read_table(str(write_table(tmp_path / "with", {"grid": 512, "theirs": theirs})))
    assert (table.grid, table.theirs.speed) == (512, "0.29 s a slice")
    assert {job.grid for job in plan(table)} == {512}


def test_doubtful_groups_have_cases_and_a_reason(tmp_path):
    entry = {"cases": ["a", "b"], "reason": "they look alike by chance"}
    table = read_table(str(write_table(tmp_path, {"doubtful_groups": [entry]})))
    assert [vars(group) for group in table.doubtful_groups] == [{**entry, "cases": ("a", "b")}]
    with pytest.raises(InputError, match="doubtful_groups 1: the key 'reason' is missing"):
        read_table(str(write_table(tmp_path, {"doubtful_groups": [{"cases": ["a", "b"]}]})))
