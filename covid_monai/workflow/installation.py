"""Whether what this package needs is installed, in versions that it works with."""

import platform
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING

from covid_monai.errors import InputError

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

PACKAGE = "covid-monai"


@dataclass(frozen=True)
class Requirement:
    """A package that this one needs, or that an optional part of it needs.

    Attributes:
        name: of the package.
        allowed: versions, such as ``"<3,>=2.10"``; "" for any.
        installed: its version, None where it is missing.
        extra: the optional part that needs it; "" where all of the package does.
        state: ``"ok"``, ``"missing"`` or ``"outside its bounds"``.
    """

    name: str
    allowed: str
    installed: str | None
    extra: str
    state: str


def installation() -> list[Requirement]:
    """Python and every package that the metadata of this one name, the optional ones last.

    Raises:
        InputError: this package is not installed, or the one that reads requirements is not.
    """
    try:
        from packaging.requirements import Requirement as Parsed
        from packaging.specifiers import SpecifierSet
    except ImportError as error:
        raise InputError("the package packaging is missing; pip install packaging") from error
    try:
        python = SpecifierSet(metadata(PACKAGE)["Requires-Python"])
        declared = [Parsed(line) for line in requires(PACKAGE) or ()]
        extras = metadata(PACKAGE).get_all("Provides-Extra") or []
    except PackageNotFoundError as error:
        raise InputError(f"{PACKAGE} is not installed, only its files are there; pip install . in them") from error
    running = platform.python_version()
    state = "ok" if python.contains(running, prereleases=True) else "outside its bounds"
    found = [Requirement("python", str(python), running, "", state)]
    for extra in ("", *extras):
        for one in declared:
            # a requirement of all is no requirement of an extra again
            needed = one.marker is None or one.marker.evaluate({"extra": extra})
            if needed and (not extra or not (one.marker is None or one.marker.evaluate({"extra": ""}))):
                found.append(_checked(one.name, one.specifier, extra))
    return found


def pip_command(requirements: Iterable[Requirement]) -> str:
    """The command that installs these packages in versions that are allowed."""
    return shlex.join(["pip", "install", *(f"{one.name}{one.allowed}" for one in requirements)])


def _checked(name: str, allowed: "SpecifierSet", extra: str) -> Requirement:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return Requirement(name, str(allowed), None, extra, "missing")
    # a build of a version that is allowed, such as 2.13.0+cpu, is that version
    fits = allowed.contains(installed, prereleases=True)
    return Requirement(name, str(allowed), installed, extra, "ok" if fits else "outside its bounds")
