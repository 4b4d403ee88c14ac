"""What a check reports."""

from dataclasses import dataclass

CHECKS = ("file", "hash", "geometry", "orientation", "intensity", "mask", "duplicate", "near-duplicate", "split")
"""The families of checks, in the order in which they are told."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    An ``error`` makes the data unfit for what they are meant for; a ``note`` is true of sound data too or is
    evidence only, but has to be known. ``cases`` are the names of the cases it is about, all of the data set where it
    is empty.
    """

    check: str
    severity: str
    cases: tuple[str, ...]
    message: str


def error(check: str, message: str, *cases: str) -> Finding:
    """A finding that makes the data unfit."""
    return Finding(check, "error", cases, message)


def note(check: str, message: str, *cases: str) -> Finding:
    """A finding that has to be known."""
    return Finding(check, "note", cases, message)
