"""The table as lines of text: what table.md and the page show, figure for figure the same."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from covid_monai.scoring.comparison import Estimate
from covid_monai.scoring.format import ABSENT
from covid_monai.scoring.measures import MEASURES
from covid_monai.tables.contrasts import Pair, dice_scale
from covid_monai.tables.leakage import SplitAudit
from covid_monai.tables.optimism import Optimism
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import Entry
from covid_monai.tables.table import FULL, OVER_THRESHOLDS, Measure, Table
from covid_monai.tables.verdict import CANNOT_TELL, LOGARITHMIC, Verdict

MINUS = "−"  # noqa: RUF001
_DIFFERENCE = {False: "difference to the paper", True: "ln of the false alarms, ours / the paper's"}
OWN_GRID = "on the slices' own grid"
NOT_CONVERGED = ", not converged"
DAGGER = "†"
"""What marks a value of a row that has not converged, where there is no room for words."""
_NUMBER_OF_DIGITS = {True: 1, False: 3}


@dataclass(frozen=True)
class Lines:
    """A table of text: its heading, what stands under it, the columns' names and the lines."""

    heading: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def heading_of(measure: Measure) -> str:
    """A measure as one reads it, such as ``Sensitivity`` or ``Dice at best threshold``."""
    known = MEASURES.get(measure.name)
    return known.heading if known else measure.name.replace("_", " ").capitalize()


def digits_of(measure: Measure, table: Table) -> int:
    """The decimals of a measure: those of the paper's values, and at least 1 of percentages or 3 of shares."""
    return max(table.printed_decimals(measure.name), _NUMBER_OF_DIGITS[measure.scale >= 10])


def measure_lines(
    results: Results,
    measure: Measure,
    entries: Sequence[Entry],
    optimism: Sequence[Optimism],
    not_comparable: Mapping[str, str],
    not_converged: Collection[tuple[str, str]] = (),
) -> Lines:
    """A measure's part of the table: a line a row, the protocols side by side, the optimism between them.

    ``not_comparable`` has the reasons by the measures' names; they stand once, above the lines. ``not_converged`` has
    (protocol, slug) of the rows that are marked so.
    """
    digits, protocols = digits_of(measure, results.table), results.protocols
    by_place = {(entry.protocol, entry.row.slug): entry for entry in entries if entry.measure.name == measure.name}
    between = {each.row.slug: each for each in optimism if each.measure.name == measure.name and not each.in_control}
    header = ["row", "published"]
    for protocol in protocols:
        header += [f"{protocol}: ours ± SD (jobs)", "95 % over patients"]
        header += _other_values(measure, results)
        header += [_DIFFERENCE[measure.name in LOGARITHMIC], "verdict"]
    if len(protocols) > 1:
        header.append(f"optimism (paper {MINUS} grouped)")
    rows = []
    for row in results.table.rows:
        line = [row.label, plain(row.paper.get(measure.name), digits)]
        for protocol in protocols:
            cells = _entry_cells(by_place.get((protocol, row.slug)), measure, results, digits)
            line += [cells[0] + (NOT_CONVERGED if (protocol, row.slug) in not_converged else ""), *cells[1:]]
        if len(protocols) > 1:
            line.append(optimism_cell(between.get(row.slug), digits))
        rows.append(line)
    scale = "" if measure.scale == 1 else f", times {measure.scale:g}"
    note = f"Averaging: {measure.averaging.replace('_', ' ')}{scale}. In brackets: 95 % intervals."
    own = [entry for entry in entries if entry.measure.name == measure.name]
    if own and measure.averaging == OVER_THRESHOLDS and not any(entry.value for entry in own):
        note += " Not in the scores of these jobs: release 0.1 did not store it; evaluate the runs again."
    if measure.name in not_comparable:
        note += f" Not comparable with the published values: {not_comparable[measure.name]}."
    return Lines(heading_of(measure), note, header, rows)


@dataclass(frozen=True)
class CompactTable:
    """All measures on one screen.

    ``groups`` are (measure, its columns); ``rows`` are (label, cells), a cell being (value, interval, whether it is the
    first of its measure).
    """

    groups: Sequence[tuple[str, Sequence[str]]]
    rows: Sequence[tuple[str, Sequence[tuple[str, str, bool]]]]


def compact_table(
    results: Results, entries: Sequence[Entry], not_converged: Collection[tuple[str, str]] = ()
) -> CompactTable:
    """The published value and ours of every row and measure; values of ``not_converged`` rows have a dagger."""
    by_place = {(entry.protocol, entry.row.slug, entry.measure.name): entry for entry in entries}
    measures = list(results.table.measures.values())
    rows = []
    for row in results.table.rows:
        cells: list[tuple[str, str, bool]] = []
        for measure in measures:
            digits = digits_of(measure, results.table)
            cells.append((plain(row.paper.get(measure.name), digits), "", True))
            for protocol in results.protocols:
                entry = by_place.get((protocol, row.slug, measure.name))
                value, _, interval = with_interval(entry.value if entry else None, digits).partition(" ")
                marked = entry is not None and entry.value is not None and (protocol, row.slug) in not_converged
                cells.append((value + DAGGER if marked else value, interval, False))
        rows.append((row.label, cells))
    return CompactTable([(heading_of(measure), ["published", *results.protocols]) for measure in measures], rows)


def outcome_sentence(results: Results, entries: Sequence[Entry]) -> str:
    """What came out, in one sentence: the range of the table's first measure, and how the published values fall."""
    measure, protocol = next(iter(results.table.measures.values())), (results.protocols or results.control_arms)[-1]
    digits = digits_of(measure, results.table)
    own = [entry for entry in entries if entry.protocol == protocol]
    values = {e.row.label: e.value.value for e in own if e.measure == measure and e.value}
    sentence = f"{heading_of(measure)} under protocol {protocol}: no value"
    if values:
        best = max(values, key=lambda label: values[label])
        sentence = f"{heading_of(measure)} under protocol {protocol} is {plain(values[best], digits)} ({best})"
        if len(values) > 1:
            sentence += f" at its highest and {plain(min(values.values()), digits)} at its lowest of {len(values)} rows"
    # the other protocols are not the paper's
    judged = Counter(entry.verdict.word for entry in entries if entry.protocol == "paper")
    reasons = {entry.verdict.reason for entry in entries if entry.verdict.word == "no verdict"}
    counts = [f"{judged[word]} {word}" for word in ("reproduced", "higher", "lower", CANNOT_TELL) if judged[word]]
    if counts:
        return f"{sentence}; of the published values under protocol paper: {', '.join(counts)}."
    if results.budget != FULL and reasons:
        return f"{sentence}; the budget {results.budget} allows no verdict on the paper's values."
    if reasons:
        return f"{sentence}; no verdict on the paper's values ({'; '.join(sorted(reasons))})."
    return f"{sentence}; no published value can be compared with it."


def optimism_cell(optimism: Optimism | None, digits: int) -> str:
    """The difference, and what a reader has to know of it: seeds that only one protocol has, other test cases."""
    if optimism is None:
        return with_interval(None, digits)
    text = with_interval(optimism.estimate, digits, sign="+")
    if optimism.left_out:
        text += f"; seeds {', '.join(map(str, optimism.seeds))} alone ({optimism.left_out} jobs have no counterpart)"
    if optimism.same_cases:
        return text
    return f"{text}; {optimism.shared_cases} of {max(optimism.first_cases, optimism.second_cases)} cases shared"


def pair_lines(results: Results, pairs: Sequence[Pair]) -> Lines:
    """The paired comparisons: a line a pair of rows and protocol."""
    digits = _NUMBER_OF_DIGITS[dice_scale(results) >= 10]
    rows = [
        [
            pair.protocol,
            f"{pair.first.label} {MINUS} {pair.second.label}",
            with_interval(pair.difference, digits, sign="+"),
            str(pair.cases),
            f"{pair.higher} / {pair.equal} / {pair.lower}",
        ]
        for pair in pairs
    ]
    header = ["protocol", "rows", "difference in Dice", "cases", "units higher / equal / lower"]
    return Lines("Rows compared", "", header, rows)


def audit_lines(audits: Sequence[SplitAudit]) -> Lines:
    """What leaks between training and test in each split."""
    header = ["split", "training slices a fold", "test slices", "exposed"]
    header += [f"{kind} in training and test" for kind in audits[0].leaks]
    rows = []
    for audit in audits:
        share = f" ({100 * audit.exposed / audit.tested:.0f} %)" if audit.tested else ""
        counts = [f"{torn} of {number}" for torn, number in audit.leaks.values()]
        rows.append([audit.name, f"{audit.trained:.4g}", str(audit.tested), f"{audit.exposed}{share}", *counts])
    return Lines("Audit of the splits", "", header, rows)


def plain(value: float | None, digits: int, sign: str = "") -> str:
    """A number, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:{sign}.{digits}f}".replace("-", MINUS)


def with_interval(estimate: Estimate | None, digits: int, sign: str = "") -> str:
    """A number and its interval, as far as there are any."""
    if estimate is None:
        return ABSENT
    bounds = ", ".join(plain(bound, digits, sign) for bound in estimate.interval or ())
    return plain(estimate.value, digits, sign) + (f" [{bounds}]" if bounds else "")


def verdict_text(verdict: Verdict) -> str:
    """A verdict's word, and in brackets why nothing can be told or said.

    Why something is not comparable stands above the lines.
    """
    if not verdict.reason or verdict.word == "not comparable":
        return verdict.word
    return f"{verdict.word} ({verdict.reason})"


def p_text(p: float | None) -> str:
    """A p-value as it stands in a table."""
    if p is None:
        return ABSENT
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}".replace("-", MINUS)


def _other_values(measure: Measure, results: Results) -> list[str]:
    """What else than the table's own averaging and grid has a column."""
    averaging = [measure.beside.replace("_", " ")] if measure.beside else []
    return [*averaging, *([OWN_GRID] if results.grid is not None and measure.averaging != OVER_THRESHOLDS else [])]


def _entry_cells(entry: Entry | None, measure: Measure, results: Results, digits: int) -> list[str]:
    others = _other_values(measure, results)
    if entry is None:
        return [ABSENT] * (4 + len(others))
    spread = "" if entry.sd is None else f" ± {plain(entry.sd, digits)}"
    number = str(entry.jobs) if entry.jobs == entry.planned else f"{entry.jobs} of {entry.planned}"
    # of one fold the two are the same
    if entry.sd_of_seeds is not None and not math.isclose(entry.sd_of_seeds, entry.sd or 0):
        number += f"; seeds ± {plain(entry.sd_of_seeds, digits)}"
    value, interval = (entry.value.value, entry.value.interval) if entry.value else (None, None)
    bounds = f"[{', '.join(plain(bound, digits) for bound in interval)}]" if interval else ABSENT
    return [
        f"{plain(value, digits)}{spread} ({number})",
        bounds,
        *(with_interval(entry.own_grid if name == OWN_GRID else entry.beside, digits) for name in others),
        _difference_cell(entry, digits),
        verdict_text(entry.verdict) or ABSENT,
    ]


def _difference_cell(entry: Entry, digits: int) -> str:
    """The difference in the paper's scale; of specificity the logarithm as it is."""
    found = entry.difference
    if found is None:
        return ABSENT
    scale, decimals = (1.0, 2) if entry.measure.name in LOGARITHMIC else (entry.measure.scale, digits)
    interval = (scale * found.low, scale * found.high) if found.low is not None and found.high is not None else None
    return with_interval(Estimate(scale * found.value, interval), decimals, sign="+")
