"""The fields of a table's YAML, read one by one with errors that say where and what is wrong."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from covid_monai.errors import InputError, did_you_mean

OLD_NAMES = {"strict": "grouped", "arm": "variant", "without_look_alikes": "without_near_duplicates"}
"""Keys and values of release 0.1 and what they are called now; they are read until the next minor release."""


class Section:
    """A mapping of a YAML file, and where it stands.

    Args:
        content: what the file has there.
        where: the file and the place in it, as the errors say it.
        allowed: the only keys that it may have; any where None.

    Raises:
        InputError: ``content`` is no mapping with text as keys, or has a key that is not allowed.
    """

    def __init__(self, content: Any, where: str, allowed: Sequence[str] | None = None) -> None:
        if not isinstance(content, Mapping):
            raise InputError(f"{where} is {_as_found(content)}; it must be lines of `key: value`")
        self.where = where
        self.content: dict[str, Any] = {}
        for written, value in content.items():
            if not isinstance(written, str):
                raise InputError(f"{where} has the key {written!r}, which is not text; put it in quotes")
            key = _present_name(written, allowed, where)
            if allowed is not None and key not in allowed:
                raise InputError(
                    f"{where} has no key {key!r}{did_you_mean(key, list(allowed))}; its keys: {', '.join(allowed)}"
                )
            self.content[key] = value

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def text(self, key: str) -> str:
        """The text of ``key``, not empty."""
        value = self._required(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, value, "text")
        return value

    def number(self, key: str) -> float:
        """The number of ``key``."""
        value = self._required(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(key, value, "a number")
        return float(value)

    def whole(self, key: str) -> int:
        """The whole number of ``key``, at least 1."""
        value = self._required(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._wrong(key, value, "a whole number of at least 1")
        return value

    def boolean(self, key: str) -> bool:
        """The truth value of ``key``."""
        value = self._required(key)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """The text of ``key``, one of ``allowed``."""
        value = self._required(key)
        if isinstance(value, str):
            value = _present_name(value, allowed, f"{self.where}, {key}")
        if value not in allowed:
            near = did_you_mean(value, list(allowed)) if isinstance(value, str) else ""
            raise self._wrong(key, value, f"one of {', '.join(allowed)}{near}")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts of ``key``, at least one."""
        value = self._required(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, value, "a list of texts")
        return tuple(value)

    def section(self, key: str, allowed: Sequence[str] | None = None) -> "Section":
        """The mapping of ``key``."""
        return Section(self._required(key), f"{self.where}, {key}", allowed)

    def sections(self, key: str) -> list[tuple[int, Any]]:
        """The entries of the list of ``key``, numbered from 1."""
        value = self._required(key)
        if not isinstance(value, list):
            raise self._wrong(key, value, "a list")
        return list(enumerate(value, start=1))

    def _required(self, key: str) -> Any:
        if key not in self.content:
            raise InputError(f"{self.where}: the key {key!r} is missing")
        return self.content[key]

    def _wrong(self, key: str, value: Any, allowed: str) -> InputError:
        return InputError(f"{self.where}: {key} is {_as_found(value)}; it must be {allowed}")


def _present_name(name: str, allowed: Sequence[str] | None, where: str) -> str:
    new = OLD_NAMES.get(name, name)
    if allowed is None or name in allowed or new not in allowed:
        return name
    warnings.warn(f"{where}: {name} is now called {new}; the old name goes with the next release", stacklevel=2)
    return new


def _as_found(value: Any) -> str:
    return "empty" if value is None else repr(value)
