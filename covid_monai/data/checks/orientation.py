"""Slices and volumes that lie otherwise than their affines say, by the vote of what their slices show.

One slice can deceive, many of one volume or source hardly do. It stays evidence: what is found is a note. Left and
right are not told: the left lung is the smaller one only where lesions leave it so.
"""

from collections.abc import Sequence
from math import log

from covid_monai.data.checks.findings import Finding, note
from covid_monai.data.manifest import Case
from covid_monai.transforms.anatomy import Anatomy

Seen = list[tuple[Case, Anatomy]]

# votes that decide, and the share of them that has to agree
_FEWEST_VOTES = 3
_MAJORITY = 0.75
# in 1000 HU; weaker evidence for the side of the spine is no vote
_CLEAR_SPINE = 0.05
# slices with both lungs in which head and foot are told, and by which ratio lungs have to taper
_FEWEST_SLICES = 6
_LEAST_TAPER = 0.08


def check_orientation(slices: Sequence[tuple[Case, Anatomy | None]]) -> list[Finding]:
    """Look for quarter turns, front and back swapped, and head and foot swapped in volumes.

    The slices of a volume vote together; those of no known volume, and volumes of too few votes, vote with all such
    slices of their source. Slices without anatomy have no vote.
    """
    volumes: dict[tuple[str, str | None], Seen] = {}
    for case, anatomy in slices:
        if anatomy is not None:
            volumes.setdefault((case.source, case.volume), []).append((case, anatomy))
    groups: dict[tuple[str, str | None], Seen] = {}
    for (source, volume), seen in volumes.items():
        alone = volume is not None and len(seen) >= _FEWEST_VOTES
        groups.setdefault((source, volume if alone else None), []).extend(seen)
    findings = []
    for (source, volume), seen in groups.items():
        name = f"volume {volume}" if volume is not None else f"single slices of {source}"
        found = _turned(name, seen) or _swapped(name, seen)
        if found is None and volume is not None:
            found = _upside_down(name, seen)
        findings += [found] if found is not None else []
    return findings


def _turned(name: str, seen: Seen) -> Finding | None:
    cases = [case.case for case, anatomy in seen if anatomy.turned]
    if not _decided(len(cases), len(seen)):
        return None
    message = "the lungs lie one behind the other: the slices look turned by a quarter (or rows and columns swapped)"
    return note("orientation", f"{name}, {len(cases)} of {len(seen)} slices with both lungs: {message}", *cases)


def _swapped(name: str, seen: Seen) -> Finding | None:
    clear = [(case, anatomy) for case, anatomy in seen if abs(anatomy.spine_behind) > _CLEAR_SPINE]
    cases = [case.case for case, anatomy in clear if anatomy.spine_behind < 0]
    if not _decided(len(cases), len(clear)):
        return None
    message = "the spine stands before the lungs: front and back look swapped"
    return note("orientation", f"{name}, {len(cases)} of {len(clear)} slices that show a spine: {message}", *cases)


def _upside_down(name: str, seen: Seen) -> Finding | None:
    ordered = sorted((pair for pair in seen if not pair[1].turned), key=lambda pair: pair[0].slice or 0)
    if len(ordered) < _FEWEST_SLICES:
        return None
    # lungs taper to the head, and low in the chest the heart and the domes of the diaphragm part them
    foot, head = ordered[: len(ordered) // 4 + 1], ordered[-(len(ordered) // 4 + 1) :]
    tapers = [_mean(foot, measure) / _mean(head, measure) for measure in ("width", "spread")]
    if any(log(taper) > -_LEAST_TAPER for taper in tapers):
        return None
    message = "the lungs taper towards the foot: head and foot look swapped"
    cases = [case.case for case, _ in ordered]
    return note("orientation", f"{name}, {len(ordered)} slices with both lungs: {message}", *cases)


def _decided(votes: int, voters: int) -> bool:
    return votes >= _FEWEST_VOTES and votes >= _MAJORITY * voters


def _mean(seen: Seen, measure: str) -> float:
    return sum(float(getattr(anatomy, measure)) for _, anatomy in seen) / len(seen)
