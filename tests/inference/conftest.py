"""Fixtures of back ends: the user's cache, empty, and OpenVINO where it is installed or pretended to be."""

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from covid_monai.inference import openvino_trial


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's cache keeps what is OpenVINO's; there is nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "covid-monai" / "openvino"


@pytest.fixture
def installed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO counts as installed, where it is; the user's cache is empty."""
    if find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    monkeypatch.setattr("covid_monai.environment.openvino_version", lambda: version("openvino"))


@pytest.fixture
def pretended(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """OpenVINO counts as installed anywhere; a trial comes out as the function is told."""
    monkeypatch.setattr("covid_monai.environment.openvino_version", lambda: "2026.0.0")

    def comes_out(**trial: object) -> None:
        monkeypatch.setattr(openvino_trial, "kept_trial", lambda *_, **__: openvino_trial.Trial(**trial))

    return comes_out
