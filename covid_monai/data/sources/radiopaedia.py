"""Radiopaedia volumes: MedSeg's part 2 as published (``rp_im``, ``rp_msk``), and whose volumes they are."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from covid_monai.data.patients import read_patients
from covid_monai.data.sources.archive import unpacked
from covid_monai.data.sources.folders import find_pairs
from covid_monai.data.sources.nifti import NiftiSlices, Pair
from covid_monai.errors import InputError

# case, study, series: radiopaedia_10_85902_1, or radiopaedia_org_covid-19-pneumonia-10_85902_1-dcm
_NAME = re.compile(r"radiopaedia_(?:org_covid-19-pneumonia-)?(\d+)_\d+_\d+(?:-dcm)?")

# slices of the nine published volumes, and the patient where the number of slices tells who it is
_PUBLISHED_DEPTHS = (39, 39, 42, 42, 45, 45, 66, 93, 418)
_PATIENT_OF_DEPTH = {
    # 10_85902_3; one of the two of 39 slices is 10_85902_1 and the other 4_85506_1, which their numbers do not tell
    418: "radiopaedia_4_or_10",
    39: "radiopaedia_4_or_10",
    # 29_86490_1 and 29_86491_1
    42: "radiopaedia_29",
    66: "radiopaedia_27",
    93: "radiopaedia_40",
}


def patient_of(volume: str) -> str | None:
    """The patient that a Radiopaedia volume's name tells, such as ``radiopaedia_10`` for both 10_85902_1 and _3."""
    found = _NAME.fullmatch(volume)
    return f"radiopaedia_{found[1]}" if found else None


class RadiopaediaVolumes(NiftiSlices):
    """Reads ``rp_im`` and ``rp_msk`` (folders or zip archives); a :class:`covid_monai.data.sources.Source`.

    The nine volumes are of seven patients. Volumes that carry their Radiopaedia name tell the patient; the
    published ones are numbered 1 to 9 and are recognised by their numbers of slices, as far as these tell
    volumes apart. Two patients that stay confused count as one, so that a split by patient cannot leak.

    Args:
        folder: holds ``rp_im`` and ``rp_msk``.
        patients: CSV with the columns ``case`` and ``patient``, which replaces what is recognised.
        lesion_slices_only: leave out slices without lesion.

    Raises:
        InputError: something is missing or broken, or images and masks do not match.
    """

    def __init__(self, folder: Path, patients: Path | None = None, lesion_slices_only: bool = False) -> None:
        found = [unpacked(folder, name) for name in ("rp_im", "rp_msk")]
        if found[0] is None or found[1] is None:
            raise InputError(
                f"{folder} lacks rp_im or rp_msk: give the folder with both, or with rp_im.zip, rp_msk.zip"
            )
        pairs = [_renamed(pair) for pair in find_pairs(found[0], found[1])]
        given = read_patients(patients) if patients else None
        if given is not None:
            given = {_volume_name(case): patient for case, patient in given.items()}
        super().__init__(
            pairs,
            {1: 1, 2: 2, 3: 3},
            name="radiopaedia_part2",
            licence="CC BY-NC-SA",
            patients=given,
            lesion_slices_only=lesion_slices_only,
        )
        self.notes: list[str] = []
        if given is None:
            names = [pair.name for pair in pairs]
            self._patients, note = recognise_patients(names, self._depths)
            self.notes += [note] if note else []


def recognise_patients(volumes: Sequence[str], depths: Sequence[int]) -> tuple[Mapping[str, str | None], str]:
    """The patient of each volume (None where not known), and a line on what is not certain about them.

    Args:
        volumes: names.
        depths: number of slices of each.
    """
    named = {volume: patient_of(volume) for volume in volumes}
    if all(named.values()):
        return named, ""
    if not any(named.values()) and tuple(sorted(depths)) == _PUBLISHED_DEPTHS:
        known = {name: _PATIENT_OF_DEPTH.get(depth, name) for name, depth in zip(volumes, depths, strict=True)}
        return known, (
            "patients are recognised by numbers of slices: the volumes of 42 are one patient; that of 418 and one of "
            "the two of 39 are another, so these three are kept together; `patients` says it exactly"
        )
    return named, (
        "two pairs of the nine volumes are of one patient each (10_85902_1 and 10_85902_3; 29_86490_1 and 29_86491_1) "
        "and the names here do not tell which: say it by `patients`, or a split by volume may leak"
    )


def _renamed(pair: Pair) -> Pair:
    return Pair(_volume_name(pair.name), pair.image, pair.mask)


def _volume_name(name: str) -> str:
    # a case has to be told from those of other data sets, and a bare number is none
    return f"radiopaedia_part2_{name}" if name.isdecimal() else name
