"""The coverage that ``docs/intervals.md`` states is simulated again, with fewer data sets."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from covid_monai.scoring.bootstrap import FEWEST_CLUSTERS
from tests.benchmarks.interval_coverage import CHOSEN, DESIGNS, METHODS, PART_2, Design, rated, simulate

PAGE = (Path(__file__).parents[2] / "docs" / "intervals.md").read_text(encoding="utf-8")
SETS = 150
SIMULATED = [design for design in DESIGNS if design.units in (5, 7, 15, 97)]


def documented(design: Design) -> list[float]:
    """The coverage of the page's line of a design: pooled Dice, mean Dice, sensitivity, two differences."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {design.words} |")]
    return [float(share) for share in re.findall(r"(0\.\d{3}|1\.000) \(", line)]


@pytest.mark.slow
@pytest.mark.parametrize("design", SIMULATED, ids=[design.words for design in SIMULATED])
def test_the_documented_coverage_is_simulated_again(design):
    found = simulate(design, SETS, {CHOSEN: METHODS[CHOSEN]})
    for coverage, stated in zip(found.values(), documented(design), strict=True):
        assert coverage.held == pytest.approx(stated, abs=3.5 * math.sqrt(stated * (1 - stated) / SETS))


def test_no_documented_coverage_is_far_below_what_it_says():
    stated = [share for design in DESIGNS for share in documented(design)]
    assert len(stated) == 5 * len(DESIGNS)
    assert min(stated) >= 0.9
    assert min(documented(Design("held", FEWEST_CLUSTERS))) >= 0.92


def test_units_of_the_simulation_are_as_unequal_as_those_of_part_2():
    sizes = Design("held", 7).sizes(np.random.default_rng(0))
    assert sizes[-1, 1] / sizes[:, 1].sum() == pytest.approx(0.533)
    assert PART_2[:, 1].max() / PART_2[:, 1].sum() == pytest.approx(0.533, abs=0.001)
    assert int(PART_2[:, 0].sum()) == 237


def test_slices_of_the_simulation_vary_as_those_that_were_measured():
    """The SD of Dice over slices that docs/reproduction.md has of part 1 is 12 points."""
    sizes = Design("part 1", 90).sizes(np.random.default_rng(0))
    statistics = [rated(sizes, np.random.default_rng(seed))["mean Dice"][0] for seed in range(20)]
    values = np.concatenate([(each.numerators / each.denominators)[sizes[:, 0] == 1, 0] for each in statistics])
    assert 0.10 < values.std() < 0.14
