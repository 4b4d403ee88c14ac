import warnings
from pathlib import Path

import pytest

from tests.fuzz.readers import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_what_fuzzing_starts_from_is_read_or_refused(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    path = tmp_path / target.name
    for seed in target.seeds():
        path.write_bytes(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.try_all(path)
