"""One prepared data set from several, such as the 100 and the 373 slices that some papers take together."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from covid_monai.data.manifest import Case, Dataset, files_of, read_dataset, write_dataset
from covid_monai.data.writer import carry_case, staged
from covid_monai.errors import InputError
from covid_monai.files import protecting


@dataclass(frozen=True)
class Merged:
    """The merged data set, and the patients' names that several sources have, taken for different patients."""

    dataset: Dataset
    told_apart: tuple[str, ...]


def merge_datasets(
    folders: Sequence[Path],
    output: Path,
    name: str | None = None,
    same_patients: bool = False,
    overwrite: bool = False,
) -> Merged:
    """Write the cases of several prepared folders as one data set.

    Files are hard-linked, or copied where that cannot be, and keep their hashes. Each case keeps its ``source``. A
    patient, volume or group whose name two sources have gets the source's name before its own, since ``p1`` of one
    hospital is not that of another.

    Args:
        folders: the prepared folders, two or more; their cases follow each other in this order.
        output: where to; new or empty, unless ``overwrite`` is set.
        name: of the data set; the names of all, joined by ``+``, if None.
        same_patients: a patient ID in two sources is one patient, as in data sets made from the same archive.
        overwrite: replace the data set that is there.

    Raises:
        InputError: a folder is no data set or its files are not as they were written, two cases have one name, a
            label has two meanings, or the output cannot be written. The output is then as it was before.
    """
    if len(folders) < 2:
        raise InputError(f"{len(folders)} data set given: merging takes at least two")
    if os.path.realpath(output) in map(os.path.realpath, folders):
        raise InputError(f"the output folder {output} is one of the data sets: give another one")
    datasets = [read_dataset(folder) for folder in folders]
    _refuse_one_name_twice(datasets)
    shared = {key: _in_several_sources(datasets, key) for key in ("patient", "volume", "group")}
    if same_patients:
        del shared["patient"]
    labels = _labels(datasets)
    inputs = [file for dataset in datasets for file in files_of(dataset)]
    with protecting(*inputs), staged(output, overwrite) as staging:
        for dataset in datasets:
            for case in dataset.cases:
                carry_case(case, dataset.folder, staging)
        write_dataset(
            Dataset(
                folder=staging,
                name=name or "+".join(dict.fromkeys(dataset.name for dataset in datasets)),
                licence=_licence(datasets),
                labels=labels,
                # what the sources' labels were is settled: the masks have ours
                label_map={label: label for label in labels if label},
                cases=tuple(_kept_apart(case, shared) for dataset in datasets for case in dataset.cases),
                warnings=tuple(warning for dataset in datasets for warning in dataset.warnings),
            )
        )
    return Merged(read_dataset(output), tuple(sorted(shared.get("patient", ()))))


def _refuse_one_name_twice(datasets: Sequence[Dataset]) -> None:
    home: dict[str, Path] = {}
    for dataset in datasets:
        for case in dataset.cases:
            if case.case in home:
                raise InputError(
                    f"case {case.case} is in {home[case.case]} and in {dataset.folder}: leave one data set out, or "
                    "rename its files and prepare it again"
                )
        home |= dict.fromkeys((case.case for case in dataset.cases), dataset.folder)


def _in_several_sources(datasets: Sequence[Dataset], key: str) -> set[str]:
    """Names of patients, volumes or groups that cases of more than one source have."""
    sources: dict[str, set[str]] = {}
    for case in (case for dataset in datasets for case in dataset.cases):
        if name := getattr(case, key):
            sources.setdefault(name, set()).add(case.source)
    return {name for name, having in sources.items() if len(having) > 1}


def _kept_apart(case: Case, shared: Mapping[str, set[str]]) -> Case:
    own = {key: getattr(case, key) for key, names in shared.items() if getattr(case, key) in names}
    changes: dict[str, Any] = {key: f"{case.source}:{name}" for key, name in own.items()}
    return replace(case, **changes)


def _labels(datasets: Sequence[Dataset]) -> dict[int, str]:
    labels: dict[int, str] = {}
    for dataset in datasets:
        for label, name in dataset.labels.items():
            if labels.setdefault(label, name) != name:
                raise InputError(
                    f"label {label} is {name} in {dataset.folder}, but {labels[label]} in a data set before it: "
                    "prepare them with the same labels"
                )
    return dict(sorted(labels.items()))


def _licence(datasets: Sequence[Dataset]) -> str:
    if len({dataset.licence for dataset in datasets}) == 1:
        return datasets[0].licence
    return "; ".join(f"{dataset.name}: {dataset.licence or 'not given'}" for dataset in datasets)
