"""Fixtures that every test folder uses."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "2")

# the same examples on every run, and ten times as many new ones among the slow tests; no machine is too slow for them
_ANY_MACHINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", max_examples=200, derandomize=True, **_ANY_MACHINE)
settings.register_profile("slow", max_examples=2000, print_blob=True, **_ANY_MACHINE)
settings.load_profile("ci")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real CT slices and volumes beside the checkout; tests that need them are skipped where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real CT data at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def torchs_algorithms_are_free_again() -> Iterator[None]:
    """A workflow that a test runs as MONAI does forbids some algorithms for the whole process."""
    yield
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture(autouse=True, scope="session")
def networks_are_computed_by_torch() -> Iterator[None]:
    """Which back end is the faster one depends on the machine; tests of back ends say what is installed themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("covid_monai.environment.openvino_version", lambda: None)
        yield


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set of twelve 64x64 slices of four patients, with a two-fold split; not to be changed."""
    from tests.tiny import write_tiny_dataset

    return write_tiny_dataset(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="session")
def tiny_run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a small A-SegNet that has learned the tiny data set; not to be changed."""
    from covid_monai.run.training import train
    from tests.tiny import LEARNING, SMALL_NETWORK

    folder = tmp_path_factory.mktemp("tiny_run") / "run"
    return train("a_segnet", tiny_dataset, folder, settings={**SMALL_NETWORK, **LEARNING}).folder
