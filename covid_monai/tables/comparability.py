"""What stands at a table's head: the paper's data, canvas, classes, averaging and split, and what stood in for them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from covid_monai.data.manifest import LABELS, Case, Dataset
from covid_monai.scoring.summary import LEVELS
from covid_monai.scoring.thresholds import THRESHOLD_RULE
from covid_monai.tables.results import Results, unit_kind, units_of
from covid_monai.tables.spec import CLASS_MEAN, OVER_THRESHOLDS, Protocol, Table
from covid_monai.transforms.nifti import grid_shape, open_nifti

_BACKGROUND_MEASURES = ("specificity", "accuracy")
_LABELS_OF_PAPERS = (1, 2, 3)
_LESION = 4


@dataclass(frozen=True)
class Head:
    """What a reader has to know before the numbers.

    Attributes:
        sides: (aspect, what the paper says, what it is here).
        stood_in: sentences about what differs from the paper.
        not_comparable: why a measure (by its name) cannot be held against the paper's.
    """

    sides: tuple[tuple[str, str, str], ...]
    stood_in: tuple[str, ...]
    not_comparable: Mapping[str, str]


@dataclass(frozen=True)
class _Canvas:
    """``text`` says what the slices show; ``crops`` how many are crops, ``pasted`` how many crops are pasted back."""

    text: str
    crops: int
    pasted: int


def head_of(results: Results) -> Head:
    """Hold the data set, by its manifest and its images' headers, against what the table's paper says.

    Raises:
        InputError: an image is missing or no NIfTI file.
    """
    table, dataset = results.table, results.datasets[""]
    canvas = _canvas(dataset)
    theirs = table.theirs
    protocols = [table.protocols[name] for name in results.protocols]
    sides = (
        ("data", theirs.data, _data(dataset)),
        ("canvas", theirs.canvas, f"{canvas.text}; resized for the networks to {_sizes(table, results.budget)}"),
        ("classes", theirs.classes, _classes(table, dataset)),
        ("averaging", theirs.averaging, _averagings(table)),
        ("split", theirs.split, "; ".join(f"{one.name}: {_split(one, table, dataset)}" for one in protocols)),
    )
    stood_in = [*_numbers(table, dataset), *_canvases(table, canvas, dataset), *_intensities(dataset)]
    stood_in += [*_labels(dataset), *([results.label] if results.label else [])]
    return Head(sides, tuple(stood_in), _not_comparable(results, dataset, canvas))


def averaging_rules(table: Table) -> list[tuple[str, str]]:
    """What each averaging that the table uses means: (its name, the rule)."""
    used = dict.fromkeys(measure.averaging for measure in table.measures.values())
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
        f"{one.name.replace('_', ' ')}: {one.averaging.replace('_', ' ')}" for one in table.measures.values()
    )


def _split(protocol: Protocol, table: Table, dataset: Dataset) -> str:
    how = {
        "paper": f"{table.folds} folds, slices at random",
        "grouped": f"{table.folds} folds, by {unit_kind(dataset)}",
        "given": "the source's own parts",
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
    told = re.match(r"(\d+) slices", table.theirs.data)
    if told is None or int(told[1]) == len(dataset.cases):
        return []
    return [f"{len(dataset.cases)} instead of {told[1]} slices."]


def _canvases(table: Table, canvas: _Canvas, dataset: Dataset) -> list[str]:
    told = []
    if canvas.pasted:
        told.append(f"{canvas.pasted} slices are crops that were pasted back: what lay around them is air.")
    if canvas.crops and table.needs.canvas:
        told.append(
            f"{canvas.crops} of {len(dataset.cases)} slices are crops instead of full slices: they have less "
            "background and a larger share of lesion, so specificity and accuracy cannot be compared."
        )
    if not canvas.crops and not table.needs.canvas:
        told.append("Full slices instead of crops: more background, so specificity and accuracy cannot be compared.")
    return told


def _intensities(dataset: Dataset) -> list[str]:
    counts = Counter(case.intensity for case in dataset.cases)
    told = []
    if counts["window"]:
        told.append(
            f"{counts['window']} slices are 8-bit pictures whose grey values are spread over a fixed window (intensity "
            '"window"); such pictures are mostly stretched slice by slice, so their HU are rough.'
        )
    if counts["anchored"]:
        told.append(
            f'{counts["anchored"]} slices are 8-bit, brought to HU by the peaks of air and fat (intensity "anchored").'
        )
    return told


def _labels(dataset: Dataset) -> list[str]:
    told = []
    for source, cases in _by_source(dataset).items():
        present = _present(cases)
        # where kinds are not told, a kind is not missing
        if _LESION in present:
            told.append(f"{source} does not tell the kind of lesion in {present[_LESION]} slices.")
        elif missing := [LABELS[label] for label in _LABELS_OF_PAPERS if label not in present]:
            told.append(
                f"No {' and no '.join(missing)} in the masks of {source}: where there was any, it counts as background."
            )
    return told


def _not_comparable(results: Results, dataset: Dataset, canvas: _Canvas) -> dict[str, str]:
    table = results.table
    reasons = {one.name: one.not_comparable for one in table.measures.values() if one.not_comparable}
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
    if table.lesion_class != CLASS_MEAN:
        return []
    present = _present(dataset.cases)
    return [LABELS[label] for label in _LABELS_OF_PAPERS if label not in present]


def _canvas(dataset: Dataset) -> _Canvas:
    kinds: Counter[str] = Counter()
    crops = pasted = 0
    for source, cases in _by_source(dataset).items():
        shapes = [grid_shape(open_nifti(dataset.folder / case.image))[:2] for case in cases]
        # nobody says of these whether they are crops, but crops differ in size
        alike = len({shape for case, shape in zip(cases, shapes, strict=True) if case.canvas is None}) == 1
        for case, shape in zip(cases, shapes, strict=True):
            size = " x ".join(map(str, shape))
            if case.canvas is None:
                cut = not alike
                kinds[f"crops of differing size of {source}" if cut else f"{size}, as {source} has them"] += 1
            else:
                cut = tuple(shape) != tuple(case.canvas.shape)
                full = " x ".join(map(str, case.canvas.shape))
                kinds[f"crops of {full}" if cut else f"{full}, pasted back with air around"] += 1
                pasted += not cut
            crops += cut
    return _Canvas("; ".join(f"{count} slices: {kind}" for kind, count in kinds.items()), crops, pasted)


def _by_source(dataset: Dataset) -> dict[str, list[Case]]:
    cases: dict[str, list[Case]] = {}
    for case in dataset.cases:
        cases.setdefault(case.source, []).append(case)
    return cases


def _present(cases: Iterable[Case]) -> dict[int, int]:
    """In how many slices each label over 0 is, of those that are in any."""
    counts = Counter(label for case in cases for label, pixels in case.pixels.items() if label and pixels)
    return dict(sorted(counts.items()))
