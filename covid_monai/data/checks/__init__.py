"""What can be wrong with a prepared data set, found in one pass over its files."""

from os import PathLike

from covid_monai.data.checks.cases import check_case
from covid_monai.data.checks.findings import CHECKS, Finding
from covid_monai.data.checks.near_duplicates import check_duplicates
from covid_monai.data.checks.orientation import check_orientation
from covid_monai.data.checks.splits import check_patients, check_spellings, given_split, load_split
from covid_monai.data.manifest import read_dataset
from covid_monai.progress import progress_bar

__all__ = ["CHECKS", "Finding", "check_dataset"]


def check_dataset(
    folder: str | PathLike[str], split: str | PathLike[str] | None = None, progress: bool = False
) -> list[Finding]:
    """Check a prepared folder.

    Args:
        folder: a prepared folder.
        split: a split file of it; without one the source's own subsets are looked at, where it has them.
        progress: show a progress bar on stderr.

    Returns:
        What was found, errors first; an empty list where nothing was.

    Raises:
        InputError: ``dataset.json`` is missing or broken.
    """

    dataset = read_dataset(folder)
    findings: list[Finding] = []
    looks = []
    for case in progress_bar(dataset.cases, description="checking", unit="slice", shown=progress):
        found, look = check_case(dataset, case)
        findings += found
        if look is not None:
            looks.append((case, look))
    findings += check_orientation([(case, look.anatomy) for case, look in looks])
    subsets, found = load_split(dataset, split) if split is not None else (given_split(dataset), [])
    findings += found
    if subsets is not None:
        findings += check_patients(dataset.cases, subsets)
    findings += check_spellings(dataset.cases)
    findings += check_duplicates(looks, subsets)
    return sorted(findings, key=lambda finding: (finding.severity != "error", CHECKS.index(finding.check)))
