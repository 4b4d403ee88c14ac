"""Warnings of inputs are collected, others pass; errors of others are told in a line."""

import warnings

import pytest

from covid_monai.errors import InputWarning, collecting_warnings, first_line


def test_warnings_of_inputs_are_collected_once_each_in_order():
    with collecting_warnings() as messages:
        for text in ("codes are 0", "a unit is unknown", "codes are 0"):
            warnings.warn(text, InputWarning, stacklevel=1)
    assert messages == ["codes are 0", "a unit is unknown"]


def test_other_warnings_go_on():
    with pytest.warns(RuntimeWarning, match="overflow"), collecting_warnings() as messages:
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
    assert messages == []


def test_warnings_are_kept_when_the_body_raises():
    collected: list[str] = []

    def warn_and_fail():
        nonlocal collected
        with collecting_warnings() as collected:
            warnings.warn("codes are 0", InputWarning, stacklevel=1)
            raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        warn_and_fail()
    assert collected == ["codes are 0"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one\ntwo"), "one"),
        (RuntimeError("\n  indented\n"), "indented"),
        (KeyError(), "KeyError"),
        (OSError("x" * 500), "x" * 300),
    ],
)
def test_another_librarys_error_is_told_by_its_first_line(error, said):
    assert first_line(error) == said
