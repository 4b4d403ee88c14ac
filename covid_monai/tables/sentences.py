"""What a reader of a table has to know of its numbers, in sentences."""

from covid_monai.scoring.bootstrap import FEW_EFFECTIVE, FEWEST_CLUSTERS
from covid_monai.scoring.intervals import INTERVAL_RULE
from covid_monai.tables.exposure import EXPOSURE_RULE
from covid_monai.tables.findings import Findings
from covid_monai.tables.judging import contributing_cases, sd_over_slices
from covid_monai.tables.optimism import OPTIMISM_RULE
from covid_monai.tables.patient_optimism import PATIENT_OPTIMISM_RULE
from covid_monai.tables.statistics import STATISTICS_RULE, tally_of
from covid_monai.tables.table import Measure, Row
from covid_monai.tables.verdict import LOGARITHMIC, VERDICT_RULE, SlicesTested, sampling_half_width


def reading_rules(findings: Findings) -> list[str]:
    """The rules of verdicts and statistics, the table's margins, what sampling alone does, and the units."""
    table = findings.results.table
    return [
        VERDICT_RULE,
        table.judging.sentence() if table.judging else "This table has no margins, so there are no verdicts.",
        *_sampling(findings),
        STATISTICS_RULE,
        INTERVAL_RULE,
        *([OPTIMISM_RULE] if findings.optimism else []),
        *([PATIENT_OPTIMISM_RULE] if findings.patients else []),
        *([EXPOSURE_RULE] if findings.exposures else []),
        units_sentence(findings),
    ]


def _sampling(findings: Findings) -> list[str]:
    """How wide the interval of a difference is by the drawing of test parts alone, for the table's first measure."""
    table, results = findings.results.table, findings.results
    measure = next(iter(table.measures.values()))
    if table.judging is None or "paper" not in results.protocols or measure.name in LOGARITHMIC:
        return []
    largest: tuple[int, float, Row] | None = None
    for row in table.rows:
        if len(results.jobs_of("paper", row)) and (spread := _spread(findings, row, measure)) is not None:
            largest = max(largest or (0, 0.0, row), (*spread, row), key=lambda found: found[0])
    if largest is None or not largest[1] > 0:
        return []
    cases, sd, row = largest
    N, n_p = table.judging.slices, table.judging.tested
    one_fold = -(-N // table.folds)
    widths = [
        measure.scale * sampling_half_width(sd, SlicesTested(N, n_p, tested)) for tested in (one_fold, min(N, cases))
    ]
    sentence = (
        f"Over the slices {measure.name.replace('_', ' ')} has an SD of {measure.scale * sd:.2g} ({row.label}, {cases} "
        f"slices): the drawing of the test parts alone, without any seed, makes a difference uncertain by ± "
        f"{widths[0]:.2g} where one fold of {one_fold} slices was tested here and "
        f"by ± {widths[1]:.2g} with {min(N, cases)} slices."
    )
    margin = table.judging.margins.get(measure.name)
    if margin is not None and widths[0] >= margin:
        sentence += f" So from one fold no value can be called reproduced within {margin:g}."
    return [sentence]


def _spread(findings: Findings, row: Row, measure: Measure) -> tuple[int, float] | None:
    tallied, judging = tally_of(findings.results, "paper", row, measure), findings.results.table.judging
    if tallied is None or judging is None:
        return None
    return contributing_cases(tallied), sd_over_slices(tallied, measure.name, judging.tested)


def units_sentence(findings: Findings) -> str:
    """What is resampled, and whether there is enough of it."""
    kind = findings.results.unit
    fewest = min((entry.units for entry in findings.entries if entry.units), default=0)
    sentence = f"Units: {kind}."
    if "slice" in kind:
        sentence += " Of some slices nothing is known: slices of one person then count as independent."
    strata = findings.results.scores.groupby("source")["unit"].nunique()
    if len(strata) > 1:
        counts = [f"{name or 'unknown'} {number}" for name, number in strata.items()]
        sentence += f" By source: {', '.join(counts)}."
    sentence += _effective(findings)
    if 0 < fewest < FEWEST_CLUSTERS:
        sentence += f" Some measures have {fewest} units: too few for an interval."
    return sentence


def _effective(findings: Findings) -> str:
    """Between which effective numbers each measure's rows lie, by averaging; with a warning where these are few."""
    spans: list[str] = []
    fewest = float(FEW_EFFECTIVE)
    for measure in findings.results.table.measures.values():
        own = [entry for entry in findings.entries if entry.measure.name == measure.name]
        for averaging, estimates in (
            (measure.averaging, [entry.value for entry in own]),
            (measure.beside, [entry.beside for entry in own]),
        ):
            numbers = [estimate.effective for estimate in estimates if estimate is not None and estimate.effective]
            if numbers:
                span = " to ".join(dict.fromkeys(f"{number:.1f}" for number in (min(numbers), max(numbers))))
                spans.append(f"{measure.name} by {averaging} {span}".replace("_", " "))
                fewest = min(fewest, *numbers)
    if not spans:
        return ""
    units = max(entry.units for entry in findings.entries)
    sentence = f" Effective numbers of the {units} units at the most: {', '.join(spans)}."
    if fewest < FEW_EFFECTIVE:
        sentence += f" **Under {FEW_EFFECTIVE} a few units decide an interval.**"
    return sentence
