"""What finding and reading the studies of a folder costs: ``docs/studies.md``.

python -m tests.benchmarks.study_reading FOLDER
"""

import argparse
import resource
import time

from covid_monai.studies import find_studies, read_study


def main() -> None:
    """Print the processor's seconds for finding and reading each study, and the peak memory of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    start = time.process_time()
    found = find_studies(folder)
    print(f"finding {len(found.studies)} studies: {time.process_time() - start:.1f} s")
    for study in found.studies:
        start = time.process_time()
        shape = read_study(study).hu.shape
        print(f"reading {' x '.join(map(str, shape))} voxels: {time.process_time() - start:.1f} s")
    # kilobytes on Linux
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


if __name__ == "__main__":
    main()
