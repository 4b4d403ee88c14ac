"""A table's head: the paper's data, canvas, classes, averaging and split, and the deviations from them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from covid_monai.data.manifest import LABELS, Case, Dataset
from covid_monai.scoring.summary import LEVELS
from covid_monai.scoring.thresholds import THRESHOLD_RULE
from covid_monai.tables.lesion_share import implied_shares, share_sentences
from covid_monai.tables.needs import CanvasOfSlices, canvas_of_slices, cases_by_source
from covid_monai.tables.results import Results, unit_kind, units_of
from covid_monai.tables.table import CLASS_MEAN, OVER_THRESHOLDS, Protocol, Table
from covid_monai.tables.verdict import LOGARITHMIC

_BACKGROUND_MEASURES = (*LOGARITHMIC, "accuracy")
_LABELS_OF_PAPERS = (1, 2, 3)
_LESION = 4


@dataclass(frozen=True)
class Head:
    """What a reader has to know before the numbers.

    Attributes:
        sides: (aspect, what the paper says, what it is here).
        deviations: sentences about what differs from the paper.
        not_comparable: why a measure (by its name) cannot be held against the paper's.
        no_verdict: which of the paper's classes the data lack, so that no value can be judged; empty where none.
    """

    sides: tuple[tuple[str, str, str], ...]
    deviations: tuple[str, ...]
    not_comparable: Mapping[str, str]
    no_verdict: str = ""


def head_of(results: Results) -> Head:
    """Hold the data set, by its manifest and its images' headers, against what the table's paper says.

    Raises:
        InputError: an image is missing or no NIfTI file.
    """
    table, dataset = results.table, results.datasets[""]
    canvas = canvas_of_slices(dataset)
    theirs = table.theirs
    protocols = [table.all_protocols[name] for name in (*results.protocols, *results.control_arms)]
    sides = (
        ("data", theirs.data, _data(dataset)),
        ("canvas", theirs.canvas, f"{canvas.text}; {_grids(results)}"),
        ("classes", theirs.classes, _classes(table, dataset)),
        averaging_side(table),
        (
            "split",
            theirs.split,
            "; ".join(f"{protocol.name}: {_split(protocol, table, dataset)}" for protocol in protocols),
        ),
        ("seconds per slice", theirs.speed or "not said", _speed(results)),
    )
    deviations = [*_numbers(table, dataset), *_canvases(table, canvas, dataset), *_intensities(dataset)]
    deviations += [*_labels(dataset), *([results.label] if results.label else [])]
    absent = _absent(dataset, table.judging.labels) if table.judging else []
    no_verdict = f"no {' and no '.join(absent)} in the masks" if absent else ""
    return Head(sides, tuple(deviations), _not_comparable(results, dataset, canvas), no_verdict)


def averaging_side(table: Table) -> tuple[str, str, str]:
    """How the paper averages, with the lesion share that its values imply, and how it is done here."""
    half_units = {name: table.half_unit(name) for name in table.measures}
    theirs = ". ".join([table.theirs.averaging, *share_sentences(implied_shares(table, half_units))])
    return ("averaging", theirs, _averagings(table))


def averaging_rules(table: Table) -> list[tuple[str, str]]:
    """What each averaging that the table uses means: (its name, the rule)."""
    measures = table.measures.values()
    used = dict.fromkeys(name for measure in measures for name in (measure.averaging, measure.beside) if name)
    return [(name.replace("_", " "), THRESHOLD_RULE if name == OVER_THRESHOLDS else LEVELS[name]) for name in used]


def _data(dataset: Dataset) -> str:
    cases = dataset.cases
    units = len(set(units_of(dataset).values()))
    patients = len({case.patient for case in cases} - {None})
    unknown = sum(case.patient is None for case in cases)
    sources = ", ".join(f"{count} of {source}" for source, count in Counter(case.source for case in cases).items())
    known = f"{patients} patients" if patients else ""
    if unknown:
        known += f"{' known, ' if known else ''}patient unknown for {unknown} slices"
    return f"{len(cases)} slices ({sources}); {known}; {units} units ({unit_kind(dataset)})"


def _grids(results: Results) -> str:
    """The sizes that the networks see, and the grid of the scores."""
    seen = f"resized for the networks to {_sizes(results.table, results.budget)}"
    if results.grid is None:
        return f"{seen}; scored on the slices' own grid"
    return f"{seen}; scored on {results.grid} x {results.grid}, and on the slices' own grid beside it"


def _speed(results: Results) -> str:
    """The median over the jobs of each device; published results of 0.1 have none."""
    jobs = results.jobs
    if "seconds_per_slice" not in jobs or jobs["seconds_per_slice"].isna().all():
        return "not measured"
    return "; ".join(
        f"{of_device['seconds_per_slice'].astype(float).median():.2g}, median of the jobs on {device}"
        for device, of_device in jobs.groupby("device")
    )


def _sizes(table: Table, budget: str) -> str:
    from covid_monai.catalog.bundles import bundle_folder
    from covid_monai.catalog.config import read_config

    sizes = set()
    for row in table.rows:
        if row.bundle:
            config = {**read_config(bundle_folder(row.bundle), "train"), **table.settings_of(row, budget)}
            sizes.add(" x ".join(map(str, config["image_size"])))
    return ", ".join(sorted(sizes))


def _classes(table: Table, dataset: Dataset) -> str:
    labels = _present(dataset.cases)
    names = ", ".join(f"{LABELS[label]} in {count} slices" for label, count in labels.items()) or "none"
    scored = "the mean over the lesion classes" if table.lesion_class == CLASS_MEAN else f"class {table.lesion_class}"
    return f"{scored}; in the masks: {names}"


def _averagings(table: Table) -> str:
    return ", ".join(
        f"{measure.name.replace('_', ' ')}: {measure.averaging.replace('_', ' ')}"
        + (f" ({measure.beside.replace('_', ' ')} beside it)" if measure.beside else "")
        for measure in table.measures.values()
    )


def _split(protocol: Protocol, table: Table, dataset: Dataset) -> str:
    how = {
        "paper": f"{table.folds} folds, slices at random",
        "grouped": f"{table.folds} folds, by {unit_kind(dataset)}",
        "given": "the source's own parts",
        "control-grouped": f"{table.folds} folds, by {unit_kind(dataset)}",
        "control-ungrouped": f"{table.folds} folds of the sizes of control-grouped, slices at random",
    }[protocol.split]
    if protocol.without_near_duplicates:
        how += ", without training slices that share patient, volume or group with a test slice"
    if protocol.validation is None:
        watched = "the validation part is the test part"
    else:
        watched = f"{100 * protocol.validation:g} % of the training slices are the validation part"
    kept = "of the highest validation Dice" if protocol.weights == "best" else "of the last epoch"
    return f"{how}; {watched}; weights {kept}"


def _numbers(table: Table, dataset: Dataset) -> list[str]:
    published = re.match(r"(\d+) slices", table.theirs.data)
    if published is None or int(published[1]) == len(dataset.cases):
        return []
    return [f"{len(dataset.cases)} instead of {published[1]} slices."]


def _canvases(table: Table, canvas: CanvasOfSlices, dataset: Dataset) -> list[str]:
    sentences = []
    if canvas.pasted:
        sentences.append(f"{canvas.pasted} slices are crops that were pasted back: what lay around them is air.")
    if canvas.crops and table.needs.canvas:
        sentences.append(
            f"{canvas.crops} of {len(dataset.cases)} slices are crops instead of full slices: they have less "
            "background and a larger share of lesion, so specificity and accuracy cannot be compared."
        )
    if not canvas.crops and not table.needs.canvas:
        sentences.append(
            "Full slices instead of crops: more background, so specificity and accuracy cannot be compared."
        )
    return sentences


def _intensities(dataset: Dataset) -> list[str]:
    counts = Counter(case.intensity for case in dataset.cases)
    sentences = []
    if counts["window"]:
        sentences.append(
            f"{counts['window']} slices are 8-bit pictures whose grey values are spread over a fixed window (intensity "
            '"window"); such pictures are mostly stretched slice by slice, so their HU are rough.'
        )
    if counts["anchored"]:
        sentences.append(
            f'{counts["anchored"]} slices are 8-bit, brought to HU by the peaks of air and fat (intensity "anchored").'
        )
    return sentences


def _labels(dataset: Dataset) -> list[str]:
    sentences = []
    for source, cases in cases_by_source(dataset.cases).items():
        present = _present(cases)
        # where kinds are not told, a kind is not missing
        if _LESION in present:
            sentences.append(f"{source} does not tell the kind of lesion in {present[_LESION]} slices.")
        elif missing := [LABELS[label] for label in _LABELS_OF_PAPERS if label not in present]:
            sentences.append(
                f"No {' and no '.join(missing)} in the masks of {source}: where there was any, it counts as background."
            )
    return sentences


def _not_comparable(results: Results, dataset: Dataset, canvas: CanvasOfSlices) -> dict[str, str]:
    table = results.table
    reasons = {
        each_measure.name: each_measure.not_comparable
        for each_measure in table.measures.values()
        if each_measure.not_comparable
    }
    found, needed = {case.source for case in dataset.cases}, set(table.needs.sources)
    everywhere = None
    if found != needed:
        everywhere = f"data of {', '.join(sorted(found))} instead of {', '.join(sorted(needed))}"
    elif absent := _absent_classes(table, dataset):
        everywhere = f"no {' and no '.join(absent)} in the masks, so the mean is over other classes"
    cropped = bool(canvas.crops) if table.needs.canvas else not canvas.crops
    for measure in table.measures.values():
        if everywhere:
            reasons.setdefault(measure.name, everywhere)
        elif cropped and measure.name in _BACKGROUND_MEASURES:
            reasons.setdefault(measure.name, "crops" if table.needs.canvas else "full slices instead of crops")
    return reasons


def _absent_classes(table: Table, dataset: Dataset) -> list[str]:
    """The kinds of lesion that the data set lacks, where the table's measures are means over the kinds."""
    return _absent(dataset, _LABELS_OF_PAPERS) if table.lesion_class == CLASS_MEAN else []


def _absent(dataset: Dataset, labels: Iterable[int]) -> list[str]:
    present = _present(dataset.cases)
    return [LABELS[label] for label in labels if label not in present]


def _present(cases: Iterable[Case]) -> dict[int, int]:
    """In how many slices each label over 0 is, of those that are in any."""
    counts = Counter(label for case in cases for label, pixels in case.pixels.items() if label and pixels)
    return dict(sorted(counts.items()))
