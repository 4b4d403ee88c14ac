"""The ``covid-monai`` command: every subcommand parses, calls one function of the package, and prints.

Exit status: 0 all done; 1 something the user gave cannot be used, or some of it could not (a message says what);
2 wrong usage of the command line; 130 interrupted.
"""

import io
import os
import sys

from covid_monai.cli.root import root

__all__ = ["main", "root"]


def main() -> None:
    """Run the command line; the entry point of ``covid-monai``."""
    # torch's threads spin while they wait for one another, which takes the cores from any other job of the machine and
    # then from themselves: beside one busy process a training step is three times slower. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        # a code page that lacks a character of a file's name must not end the work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(root())
