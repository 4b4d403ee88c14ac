import math

import pytest

from covid_monai.errors import InputError
from covid_monai.tables.paper_claims import PaperClaim
from covid_monai.tables.spec import read_table, table_names
from tests.tables.tiny_table import content, write_table

CLAIM = {
    "sentence": "Attention is better.",
    "place": "section 4",
    "measure": "dice",
    "kind": "points",
    "contrast": {2: 1, 1: -1},
    "published": 10.0,
}
FIRST, SECOND = "segnet-dl", "a-segnet-tl-0.3-0.7"


def claims_of(folder, *claims):
    return read_table(str(write_table(folder, {"claims": list(claims)}))).claims


def test_a_contrast_names_rows_by_number_or_slug_or_by_pairs(tmp_path):
    ways = ({2: 1, 1: -1}, {SECOND: 1, FIRST: -1}, [[2, 1]], [[2, 1], [SECOND, FIRST]])
    found = claims_of(tmp_path, *({**CLAIM, "contrast": way} for way in ways))
    assert all(claim.weights == {SECOND: 1, FIRST: -1} for claim in found)
    assert (found[0].published, found[0].at_least, found[0].note) == (10.0, 0.0, None)


def test_pairs_are_averaged_and_a_row_in_several_of_them_counts_so_often(tmp_path):
    third = {**content()["rows"][0], "label": "SegNet again"}
    rows = [*content()["rows"], third]
    path = write_table(tmp_path, {"rows": rows, "claims": [{**CLAIM, "contrast": [[2, 1], [2, 3]]}]})
    (claim,) = read_table(str(path)).claims
    assert claim.weights == {SECOND: 1, FIRST: -0.5, "segnet-again": -0.5}
    assert claim.of({SECOND: 70, FIRST: 60, "segnet-again": 50}) == pytest.approx(15)


def test_per_cent_are_of_the_geometric_mean_of_ratios():
    claim = PaperClaim("", "", "dice", "relative_percent", {"a": 0.5, "b": -0.5, "c": 0.5, "d": -0.5})
    values = {"a": 60.0, "b": 50.0, "c": 55.0, "d": 50.0}
    assert claim.of(values) == pytest.approx(100 * (math.sqrt(1.2 * 1.1) - 1))
    assert math.isnan(claim.of({**values, "d": 0.0}))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"contrast": {2: 1, 3: -1}}, r"claim 1, contrast has no row 3; its rows: 1 to 2, or segnet-dl, a-segnet"),
        ({"contrast": {2: 1, "segnet": -1}}, r"has no row 'segnet' \(did you mean 'segnet-dl'\?\)"),
        ({"contrast": {2: 1, 1: -0.5}}, "the weights' sum is 0.5; it must be 0"),
        ({"contrast": {2: 2, 1: -2}}, "the weights over 0 have the sum 2; it must be 1"),
        ({"contrast": {2: "much", 1: -1}}, "the weight 'much' is no number"),
        ({"contrast": [[2, 2]]}, "the weights over 0 have the sum 0; it must be 1"),
        ({"contrast": [[2, 1, 1]]}, r"contrast is \[\[2, 1, 1\]\]; it must be weights of rows such as"),
        ({"contrast": None}, "contrast is None; it must be weights of rows"),
        ({"measure": "dise"}, r"measure is 'dise'; it must be one of dice \(did you mean 'dice'\?\)"),
        ({"kind": "percent"}, "kind is 'percent'; it must be one of points, relative_percent"),
        ({"kind": "relative_percent", "at_least": -100}, "at_least is -100; a ratio is over -100 per cent"),
        ({"published": "ten"}, "published is 'ten'; it must be"),
        ({"sentence": ""}, "sentence is ''; it must be text"),
        ({"direction": "up"}, "claim 1 has no key 'direction'"),
    ],
)
def test_a_wrong_claim_is_refused_with_its_place(changed, message, tmp_path):
    with pytest.raises(InputError, match=message) as refused:
        claims_of(tmp_path, {**CLAIM, **changed})
    assert "tiny.yaml, claim 1" in str(refused.value)


@pytest.fixture(scope="module")
def tables():
    return {name: read_table(name) for name in table_names()}


def test_the_papers_claims_are_all_there(tables):
    counts = {name: len(table.claims) for name, table in tables.items() if table.claims}
    # Chen: six of "Improve", six of "at least 10 %", two parts of the network; Budak: four conclusions, one of them
    # over two losses, and Fig. 5
    assert counts == {"budak2021": 5 + 3, "chen2020": 6 + 6 + 2, "zhou2020-v1": 4, "zhou2021-v4": 8}
    printed = {name: sum(claim.published is not None for claim in tables[name].claims) for name in counts}
    assert printed == {"budak2021": 3, "chen2020": 12, "zhou2020-v1": 0, "zhou2021-v4": 8}


@pytest.mark.parametrize("name", ["budak2021", "chen2020", "zhou2021-v4"])
def test_a_printed_gain_is_that_of_the_papers_own_rows(name, tables):
    """Both are rounded values of the paper, so what its rows give has to round to what it prints."""
    rows = {row.slug: row.paper for row in tables[name].rows}
    for claim in tables[name].claims:
        if claim.published is not None:
            half_unit = 0.5 * 10**-claim.decimals + 1e-9
            assert claim.of_rows(rows) == pytest.approx(claim.published, abs=half_unit), claim.sentence


def test_where_budak_et_al_contradict_themselves_is_in_the_notes(tables):
    attention, over_dice, _, _, weights, *_ = tables["budak2021"].claims
    paper = {row.slug: row.paper["dice"] for row in tables["budak2021"].rows}
    assert paper["a-segnet-tl-0.3-0.7"] < paper["segnet-tl-0.3-0.7"]
    assert "(74.61, 74.85)" in attention.note
    assert paper["a-segnet-ftl-0.7-0.3"] < paper["a-segnet-dl"]
    assert "(86.96, 88.52)" in over_dice.note
    networks_and_losses = ("segnet-tl", "segnet-ftl", "a-segnet-tl", "a-segnet-ftl")
    apart = [paper[f"{name}-0.3-0.7"] - paper[f"{name}-0.5-0.5"] for name in networks_and_losses]
    assert sum(apart) / 4 == pytest.approx(-1.865)
    assert "1.87 points lower" in weights.note
