"""How many files are drawn: a few on every run of the tests, ten times as many among the slow ones."""

import pytest
from hypothesis import settings


@pytest.fixture(params=["ci", pytest.param("slow", marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def examples(request: pytest.FixtureRequest) -> settings:
    """The settings of a property test."""
    return settings.get_profile(request.param)
