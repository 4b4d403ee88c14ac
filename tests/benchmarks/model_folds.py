"""The five joint folds by which the shipped model was judged.

    python -m tests.benchmarks.model_folds DATA SPLIT

DATA holds all its training data. Every fold leaves out a fifth of each source, whole patients and groups: of the
coronacases one, of part 2 one or two patients, of part 1 a fifth of its groups. The validation subset, which decides
nothing where the last weights are kept, is the smallest groups of part 1 in the training subset.
"""

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from covid_monai.data.manifest import read_dataset
from covid_monai.data.splits import Fold, Split, dataset_hash, split_dataset, write_split

FOLDS, VALIDATED = 5, 10


def main(data: Path, output: Path) -> None:
    """Write the split."""
    dataset = read_dataset(data)
    sources = sorted({case.source for case in dataset.cases})
    of_sources = [
        split_dataset(
            replace(dataset, cases=tuple(case for case in dataset.cases if case.source == source)),
            "grouped",
            folds=FOLDS,
            validation_fraction=0.0,
        )
        for source in sources
    ]
    groups = defaultdict(set)
    for case in dataset.cases:
        if case.patient is None:
            groups[case.group].add(case.case)
    folds = []
    for index in range(FOLDS):
        train = {case for split in of_sources for case in split.folds[index].train}
        test = {case for split in of_sources for case in split.folds[index].test}
        singles = sorted(case for group in groups.values() if len(group) == 1 for case in group)
        validation = [case for case in singles if case in train][:VALIDATED]
        folds.append(Fold(tuple(sorted(train - {*validation})), tuple(validation), tuple(sorted(test))))
    write_split(output, Split("grouped", "folds", 0, dataset_hash(dataset), tuple(folds)))
    patients = {case.case: case.patient for case in dataset.cases}
    for index, fold in enumerate(folds):
        left_out = sorted({str(patients[case]) for case in fold.test} - {"None"})
        print(f"fold {index}: {len(fold.train)} trained on, {len(fold.test)} left out: {', '.join(left_out)}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
