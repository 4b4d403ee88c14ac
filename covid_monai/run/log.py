"""The log of a training, ``log.jsonl``, read back: a record an epoch."""

import json
import math
import os
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError


def read_log(log: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The records of ``log.jsonl``, one an epoch, in order.

    Raises:
        InputError: the file is missing, holds no epoch, or a line is no record.
    """
    path = Path(log)
    if not path.is_file():
        raise InputError(f"no training log at {path}; `covid-monai train` writes one after its first epoch")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    records = [_record(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line]
    if not records:
        raise InputError(f"{path} holds no epoch; train for at least one")
    return records


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON ({error}); restore the log or train again") from error
    if not isinstance(record, dict):
        raise InputError(f"{where} is no JSON object; restore the log or train again")
    for key in ("epoch", "loss", "learning_rate", *({"validation_dice"} & set(record))):
        value = record.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{where} has no finite number {key}; restore the log or train again")
    return dict(record)
