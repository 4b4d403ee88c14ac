"""The ``covid-monai`` command: every subcommand parses, calls one function of the package, and prints.

Exit status: 0 all done; 1 something the user gave cannot be used, or some of it could not (a message says what);
2 wrong usage of the command line; 130 interrupted.
"""

import sys

from covid_monai.cli.root import root

__all__ = ["main", "root"]


def main() -> None:
    """Run the command line; the entry point of ``covid-monai``."""
    sys.exit(root())
