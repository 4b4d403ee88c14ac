"""Progress on stderr, a bar or, in a file, a line now and then; and how long the stages of something took."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 60.0
"""In a file; a bar that is drawn again and again would fill it."""

_SHOWN = ContextVar("progress_shown", default=True)


@contextmanager
def progress_shown(shown: bool) -> Iterator[None]:
    """Let the bars that are made within be drawn, or none.

    What is built from a bundle's configuration has no place for what its caller wants to see.
    """
    token = _SHOWN.set(shown)
    try:
        yield
    finally:
        _SHOWN.reset(token)


class _Lines(tqdm):
    """A bar whose every state is a line of its own."""

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """What writes a state."""
        return lambda state: print(state, file=file, flush=True)

    def moveto(self, n: int) -> None:
        """Stay; a bar that ended with an error still counts as one above, and to go there takes codes of a terminal."""

    def close(self) -> None:
        """Write the last state; tqdm's own ending is for a line that is drawn again and again."""
        if not self.disable:
            self.refresh()
            self.disable = True


def progress_bar(
    items: Iterable[Any] | None = None,
    *,
    description: str,
    unit: str,
    total: int | None = None,
    initial: int = 0,
    scaled: bool = False,
    shown: bool = True,
) -> "tqdm[Any]":
    """A bar over ``items``, or one that its ``update`` moves.

    Args:
        items: to go through.
        description: what is done.
        unit: of what is counted.
        total: how many there are, where ``items`` does not say.
        initial: how many are done already.
        scaled: count in thousands and millions of ``unit``.
        shown: whether to draw it; :func:`progress_shown` has to allow it too.
    """
    settings: dict[str, Any] = {
        "desc": description,
        "unit": unit,
        "total": total,
        "initial": initial,
        "unit_scale": scaled,
    }
    settings["disable"] = not (shown and _SHOWN.get())
    if sys.stderr.isatty():
        return tqdm(items, **settings)
    return _Lines(items, mininterval=SECONDS_BETWEEN_LINES, maxinterval=SECONDS_BETWEEN_LINES, ascii=True, **settings)


class Stopwatch:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the body as ``stage``; bodies of one stage add up."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + spent, 3)
