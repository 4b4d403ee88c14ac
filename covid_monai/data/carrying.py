"""Cases that go from one prepared folder into another as they are."""

import os
import shutil
from pathlib import Path

from covid_monai.data.manifest import Case
from covid_monai.errors import InputError
from covid_monai.files import replacing, sha256_of


def carry_case(case: Case, folder: Path, target: Path) -> None:
    """Bring a case's image and mask from ``folder`` into ``target``, at the same paths inside it.

    They are hard links where the file system allows it, else copies. Nothing of this package writes into a file that is
    there, so that neither folder can change the other's files.

    Raises:
        InputError: a file is missing or not as it was written, is there already, or cannot be written.
    """
    for kind, name in (("image", case.image), ("label", case.label)):
        origin, place = folder / name, target / name
        try:
            digest = sha256_of(origin)
        except OSError as error:
            raise InputError(f"cannot read {origin}: {error.strerror}; prepare {folder} again") from error
        if digest != case.sha256[kind]:
            raise InputError(f"{origin} was changed after it was written: prepare {folder} again")
        if place.exists():
            raise InputError(f"{name} of {folder} is there already, from another case: rename the one or the other")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(origin.resolve(), place)
        except OSError as error:
            raise InputError(f"cannot write {place}: {error.strerror}; choose another folder") from error


def _link_or_copy(origin: Path, place: Path) -> None:
    try:
        os.link(origin, place)
    except OSError:
        # another file system, one without hard links, or somebody else's file
        with replacing(place) as temporary:
            shutil.copyfile(origin, temporary)
