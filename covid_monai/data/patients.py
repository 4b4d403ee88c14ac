"""Patient IDs: read from a table, and compared as a reader would compare them."""

import re
import unicodedata
import warnings
from collections.abc import Iterable
from pathlib import Path

from covid_monai.csv_files import read_csv
from covid_monai.errors import InputError, InputWarning

_NAMED = 3

# Cyrillic and Greek letters, small ones as after casefolding, whose small or capital form has the shape of a Latin one
_LATIN_SHAPES = str.maketrans("авекмнорстухіѕјαβεζηικμνορτυχ", "abekmhopctyxisjabezhikmnoptyx")


def read_patients(path: Path) -> dict[str, str]:
    """Read a CSV with the columns ``case``, of a volume or mask, and ``patient`` (:mod:`covid_monai.csv_files`).

    Raises:
        InputError: the file cannot be read, lacks a column or a value, or names a case twice.
    """
    patients: dict[str, str] = {}
    for row in read_csv(path, needed=("case", "patient")).rows:
        case, patient = row.fields["case"], row.fields["patient"]
        if not case or not patient:
            lacking = "patient" if case else "case"
            raise InputError(
                f"{path}, line {row.line}: the {lacking} is empty; every case needs one patient (columns case,patient)"
            )
        if case in patients:
            raise InputError(f"{path}, line {row.line}: case {case!r} is named twice; every case needs one patient")
        patients[case] = patient
    return patients


def similar_patients(patients: Iterable[str | None]) -> list[list[str]]:
    """IDs that a reader or a spreadsheet could take for one, each such set sorted.

    They differ only in letter case, blanks, invisible characters, letters of another script with a Latin shape, the
    kind of dash, leading zeros, or the ``.0`` of a number that was stored as a float.
    """
    spellings: dict[str, set[str]] = {}
    for patient in patients:
        if patient:
            spellings.setdefault(_key(patient), set()).add(patient)
    return [sorted(names) for _, names in sorted(spellings.items()) if len(names) > 1]


def similar_in_words(similar: list[list[str]]) -> str:
    """What :func:`similar_patients` found, and what it may lead to."""
    listed = "; ".join(" and ".join(map(repr, names)) for names in similar[:_NAMED])
    more = f"; {len(similar) - _NAMED} more" if len(similar) > _NAMED else ""
    return (
        f"patient IDs look alike: {listed}{more}; they are taken for different patients, so that one patient could "
        "come to lie in training and test; if they are one, spell them alike and prepare again"
    )


def warn_of_similar_patients(patients: Iterable[str | None], where: str) -> None:
    """Warn of patient IDs that :func:`similar_patients` finds.

    Args:
        patients: IDs, each any number of times; None where one is not known.
        where: what they are of, for the warning.
    """
    if similar := similar_patients(patients):
        warnings.warn(f"{where}: {similar_in_words(similar)}", InputWarning, stacklevel=3)


def _key(patient: str) -> str:
    visible = (sign for sign in unicodedata.normalize("NFKC", patient).casefold() if unicodedata.category(sign) != "Cf")
    key = "".join("".join(visible).translate(_LATIN_SHAPES).split())
    key = "".join("-" if sign == "_" or unicodedata.category(sign) == "Pd" else sign for sign in key)
    key = re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"-+", "-", key))
    return re.sub(r"(?<=\d)\.0+$", "", key)
