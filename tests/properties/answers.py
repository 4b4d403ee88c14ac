"""What may come of an odd file: the right answer, with a warning where one is due, or one clear line."""

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from covid_monai.errors import InputError, collecting_warnings
from tests.properties.draft import OddFile, Verdict

Answer = TypeVar("Answer")

_UNCLEAR = (
    # what Python and nibabel say to programmers
    re.compile(r"<[\w.]+ object| at 0x|Traceback|\bnibabel\b"),
    re.compile(r"\b[A-Z]\w+(?:Error|Exception|Warning)\b"),
    re.compile(
        r"(?i)cannot work out file type|header data|data dtype|not divisible|recoder|invalid shape|buffer|broadcast"
    ),
    re.compile(r"\bNone\b|\bnp\.|dtype\(|\[\[|array\("),
)
_LONGEST = 600

CLOSE = 0.003
"""In mm: what float32 rounds of a small volume's corners."""


def outcome(
    call: Callable[[], Answer],
    odd: OddFile,
    *files: Path,
    warnings_of: Callable[[Answer], Sequence[str]],
    takes_shear: bool = False,
    may_refuse: bool = False,
) -> Answer | None:
    """The answer of ``call`` for an odd file, or None where it was refused; both are held against the file's verdicts.

    Args:
        call: reads the file.
        odd: the file.
        files: the odd one, and one beside it on the same grid; messages name one of them.
        warnings_of: those that stand in an answer; they count like those that were raised.
        takes_shear: whether a sheared grid has to be taken, with a warning; else it has to be refused.
        may_refuse: whether the answer may be missing for a reason beside the file.
    """
    refused = Verdict.MUST if odd.sheared and not takes_shear else max(odd.refused, Verdict(may_refuse))
    answer: Answer | None = None
    refusal = None
    with warnings.catch_warnings(), collecting_warnings() as messages:
        # numbers that overflow are no answer
        warnings.simplefilter("error", RuntimeWarning)
        try:
            answer = call()
        except InputError as error:
            refusal = str(error)
    if refusal is not None:
        assert refused != Verdict.NO, f"refused: {refusal}"
        check_clear_line(refusal, *files)
        return None
    assert answer is not None
    messages = [*messages, *warnings_of(answer)]
    assert refused != Verdict.MUST, f"taken, with the warnings {messages}"
    for message in messages:
        check_clear_line(message, *files)
    if odd.warned == Verdict.MUST:
        assert messages, "taken without a warning"
    elif odd.warned == Verdict.NO:
        assert not messages, messages
    return answer


def check_clear_line(message: str, *files: Path) -> None:
    """A message is one line of plain words that names one of the files."""
    assert any(file.name in message for file in files), message
    words = message
    for file in files:
        words = words.replace(str(file), "FILE")
    assert "\n" not in words, message
    assert len(words) <= _LONGEST, message
    for unclear in _UNCLEAR:
        assert not unclear.search(words), message


def write(odd: OddFile, folder: Path, stem: str) -> Path:
    """The odd file on disk, in place of the last one of this stem."""
    for old in folder.glob(f"{stem}.*"):
        old.unlink()
    path = folder / f"{stem}{odd.ending}"
    path.write_bytes(odd.content)
    return path
