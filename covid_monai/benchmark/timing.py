"""Seconds of a call: repeated after a warm-up, with their median and spread."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from covid_monai.environment import synchronise

SECONDS_OF_A_ROUND = 0.2
"""A round repeats a call that is shorter, so that neither the clock nor a single interruption counts for much."""

MOST_CALLS = 1000

FEWEST_ROUNDS, SECONDS_OF_ALL = 3, 60.0
"""After these seconds no round begins any more, once there are as many as give a median and a spread."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, from several rounds.

    Attributes:
        median: of the rounds.
        least: of the rounds.
        most: of the rounds.
        rounds: how many there were after the warm-up.
        calls: in each of them; a round's seconds are divided by it.
    """

    median: float
    least: float
    most: float
    rounds: int
    calls: int = 1

    @classmethod
    def of(cls, seconds: list[float], calls: int = 1) -> "Timing":
        """The timing whose rounds took ``seconds`` a call."""
        return cls(statistics.median(seconds), min(seconds), max(seconds), len(seconds), calls)


def time_calls(compute: Callable[[], object], *, rounds: int, device: torch.device) -> Timing:
    """Time ``compute``, after a call that does not count.

    That one chooses algorithms, compiles kernels and takes memory from the system. The second tells how many calls make
    a round of at least ``SECONDS_OF_A_ROUND``; where one does, it is the first round.

    Args:
        compute: what is timed.
        rounds: how many there are, at least 1; fewer where they take longer than ``SECONDS_OF_ALL``.
        device: that it computes on, which is waited for at both ends of a round.
    """
    _seconds(compute, 1, device)
    trial = _seconds(compute, 1, device)
    calls = min(MOST_CALLS, max(1, round(SECONDS_OF_A_ROUND / max(trial, 1e-9))))
    found = [trial] if calls == 1 else []
    while len(found) < min(rounds, FEWEST_ROUNDS) or (len(found) < rounds and calls * sum(found) < SECONDS_OF_ALL):
        found.append(_seconds(compute, calls, device) / calls)
    return Timing.of(found, calls)


def _seconds(compute: Callable[[], object], calls: int, device: torch.device) -> float:
    synchronise(device)
    start = time.perf_counter()
    for _ in range(calls):
        compute()
    synchronise(device)
    return time.perf_counter() - start
