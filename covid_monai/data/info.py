"""What a prepared data set holds, in numbers."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from covid_monai.data.manifest import Case, Dataset
from covid_monai.errors import InputError


def describe(dataset: Dataset) -> list[tuple[str, str]]:
    """Describe a data set as (heading, value) lines. Reads the images' headers for their sizes.

    Raises:
        InputError: a file is missing or is no NIfTI file.
    """
    cases = dataset.cases
    shapes = [_shape(dataset, case) for case in cases]
    total = sum(width * height for width, height in shapes)
    lines = [
        ("name", dataset.name),
        ("licence", dataset.licence or "not given"),
        ("cases (slices)", str(len(cases))),
        ("volumes", _groups(cases, "volume")),
        ("patients", _groups(cases, "patient")),
        ("subsets given", _counts(case.part or "none" for case in cases)),
        ("intensity", _counts(case.intensity for case in cases)),
        ("size (x, y)", _sizes(shapes)),
        ("canvas", _canvases(cases, shapes)),
        ("spacing known", f"{sum(case.spacing_known for case in cases)} of {len(cases)}"),
    ]
    for label, name in dataset.labels.items():
        if label:
            lines.append((f"label {label} {name}", _share(cases, label, total)))
    lines.append(("without lesion", f"{sum(not case.pixels for case in cases)} of {len(cases)} cases"))
    return lines


def _share(cases: Iterable[Case], label: int, total: int) -> str:
    counts = [case.pixels.get(label, 0) for case in cases]
    present = sum(count > 0 for count in counts)
    return f"{sum(counts)} pixels, {sum(counts) / max(total, 1):.2%} of all, in {present} cases"


def _groups(cases: Iterable[Case], key: str) -> str:
    values = [getattr(case, key) for case in cases]
    unknown = values.count(None)
    known = len(set(values) - {None})
    return f"{known}" + (f" ({unknown} cases of unknown {key})" if unknown else "")


def _counts(values: Iterable[str]) -> str:
    return ", ".join(f"{value} {count}" for value, count in sorted(Counter(values).items()))


def _sizes(shapes: list[tuple[int, int]]) -> str:
    if not shapes:
        return "no cases"
    (least_x, most_x), (least_y, most_y) = ((min(axis), max(axis)) for axis in zip(*shapes, strict=True))
    if (least_x, least_y) == (most_x, most_y):
        return f"{least_x} x {least_y}"
    return f"{least_x} to {most_x} x {least_y} to {most_y}"


def _canvases(cases: Iterable[Case], shapes: list[tuple[int, int]]) -> str:
    kinds: Counter[str] = Counter()
    for case, shape in zip(cases, shapes, strict=True):
        if case.canvas is None:
            kinds["none"] += 1
            continue
        size = " x ".join(map(str, case.canvas.shape))
        kinds[f"{size} ({'pasted' if shape == case.canvas.shape else 'cropped from it'})"] += 1
    return _counts(kinds.elements())


def _shape(dataset: Dataset, case: Case) -> tuple[int, int]:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    path = dataset.folder / case.image
    try:
        shape: tuple[Any, ...] = nibabel.load(path).shape
    except (OSError, EOFError, ImageFileError) as error:
        raise InputError(f"{path} is missing or damaged: prepare the data again") from error
    return int(shape[0]), int(shape[1])
