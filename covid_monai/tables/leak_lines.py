"""What grouping changes and what a leak is worth, as lines of text for table.md and the page."""

from collections.abc import Sequence

from covid_monai.scoring.format import ABSENT
from covid_monai.tables.exposure import Exposure, RandomSets
from covid_monai.tables.optimism import Optimism
from covid_monai.tables.patient_optimism import PatientOptimism
from covid_monai.tables.render import MINUS, Lines, digits_of, heading_of, optimism_cell, p_text, plain, with_interval
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import Entry
from covid_monai.tables.table import CONTROL_ARMS, Measure


def control_lines(results: Results, entries: Sequence[Entry], optimism: Sequence[Optimism]) -> Lines | None:
    """A line a measure and row that both control arms have; None where they were not run."""
    values = {(entry.measure.name, entry.row.slug, entry.protocol): entry.value for entry in entries}
    grouped, ungrouped = CONTROL_ARMS
    rows = []
    for each in optimism:
        if each.in_control:
            digits = digits_of(each.measure, results.table)
            arms = [values.get((each.measure.name, each.row.slug, arm)) for arm in (ungrouped, grouped)]
            rows.append(
                [
                    each.row.label,
                    heading_of(each.measure),
                    *(plain(arm.value if arm else None, digits) for arm in arms),
                    optimism_cell(each, digits),
                    plain(each.sd_of_seeds, digits),
                    ", ".join(map(str, each.seeds)),
                ]
            )
    if not rows:
        return None
    header = ["row", "measure", ungrouped, grouped, f"{ungrouped} {MINUS} {grouped}", "SD of seeds", "seeds"]
    note = (
        "Two arms that differ in grouping alone: the same numbers of training and test slices in every fold, the same "
        "seeds, and the test part validates in both. In brackets: 95 % intervals over units."
    )
    return Lines("Optimism by the control arms", note, header, rows)


def patient_lines(results: Results, patients: Sequence[PatientOptimism]) -> Lines | None:
    """A line a row and patient under a pair of protocols; None where no patient is known."""
    rows = []
    for each in patients:
        digits = digits_of(each.measure, results.table)
        names = {"patient": each.patient, "unknown": "not known", "all": "all slices"}
        name = names.get(each.kind, f"mean of {each.patients} patients")
        line = [f"{each.row.label}, {each.first} {MINUS} {each.second}", name, str(each.cases)]
        values = [plain(value, digits) for value in (each.first_value, each.second_value)]
        rows.append([*line, *values, with_interval(each.difference, digits, sign="+")])
    if not rows:
        return None
    heading = f"Optimism by patient: {heading_of(patients[0].measure)}"
    header = ["row, difference", "patient", "slices tested under both", "first", "second", "difference"]
    return Lines(heading, "", header, rows)


def exposure_lines(results: Results, exposures: Sequence[Exposure]) -> Lines | None:
    """A line a row and measure, and another without its doubtful groups; None where no exposed slice was tested.

    The last column has the lowest and the highest excess that leaving out one group gives.
    """
    rows = []
    for each in exposures:
        if each.without and not each.reason:
            continue
        digits, all_groups = digits_of(each.measure, results.table), not each.without
        numbers = [plain(value, digits, sign="+") for value in (each.exposed, each.rest, each.excess)]
        without = "" if all_groups else f", without {' and '.join(each.without)}"
        rows.append(
            [
                f"{each.row.label}, {each.first} {MINUS} {each.second}{without}",
                heading_of(each.measure),
                f"{each.slices} ({each.groups}); {each.rest_slices}",
                *numbers,
                *_cells(each.by_slices, each.measure, digits),
                *_cells(each.by_groups, each.measure, digits),
                _left_out(each, exposures, digits) if all_groups else ABSENT,
            ]
        )
    if not rows:
        return None
    reasons = dict.fromkeys(f"{' and '.join(each.without)}: {each.reason}" for each in exposures if each.reason)
    note = f"Left out as doubtful: {'; '.join(reasons)}." if reasons else ""
    header = ["row, difference", "measure", "exposed slices (groups); rest", "on exposed", "on the rest", "excess"]
    header += ["sets of as many unrelated slices", "p", "sets of as many unrelated groups", "p"]
    return Lines("What a leak may be worth", note, [*header, "excess without one group"], rows)


def _cells(sets: RandomSets, measure: Measure, digits: int) -> list[str]:
    drawn = ABSENT
    if sets.mean is not None and sets.sd is not None:
        drawn = f"{plain(sets.mean, digits, sign='+')} ± {plain(sets.sd, digits)}"
    return [drawn, p_text(sets.p)]


def _left_out(of_all: Exposure, exposures: Sequence[Exposure], digits: int) -> str:
    """The range of the excess when each group in turn is left out."""
    key = (of_all.row, of_all.measure, of_all.first)
    others = [
        each.excess for each in exposures if (each.row, each.measure, each.first) == key and len(each.without) == 1
    ]
    if not others:
        return ABSENT
    return f"{plain(min(others), digits, sign='+')} to {plain(max(others), digits, sign='+')}"
