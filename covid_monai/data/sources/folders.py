"""Which NIfTI files of a folder belong together, and what an nnU-Net raw data set says about its labels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_monai.data.manifest import LABELS, is_case_name, what_is_no_case_name
from covid_monai.data.sources.labels import label_by_name
from covid_monai.data.sources.nifti import Pair
from covid_monai.data.sources.unread_files import warn_of_unread_files
from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.transforms.nifti import NIFTI_ENDINGS, is_nifti, nifti_stem

_NNUNET_CHANNEL = "_0000"


@dataclass(frozen=True)
class NiftiFolder:
    """The volumes of a folder and what their labels mean."""

    pairs: Sequence[Pair]
    label_map: dict[int, int]
    name: str
    licence: str


def find_nifti(
    folder: Path, images: str | None = None, masks: str | None = None, label_map: dict[int, int] | None = None
) -> NiftiFolder:
    """Find images, masks and the meaning of the labels in a folder.

    Args:
        folder: an nnU-Net raw data set (``imagesTr``, ``labelsTr``, ``dataset.json``), or any folder.
        images: image folder or file in ``folder``; None for ``imagesTr`` or ``images``.
        masks: mask folder or file in ``folder``; None for ``labelsTr`` or ``labels``.
        label_map: source label to our label; None to take it from nnU-Net's names of labels.

    Raises:
        InputError: something is missing, does not match, or the labels' meaning is not told.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist or is no folder")
    is_nnunet = all((folder / name).exists() for name in ("imagesTr", "labelsTr", "dataset.json"))
    said = _read_nnunet(folder / "dataset.json") if is_nnunet and not images and not masks else {}
    if label_map is None:
        if not said:
            raise InputError("what do the masks' values mean? give `label_map`, such as 1=lesion or 1=1,2=2,3=3")
        label_map = _label_map_of(said["labels"], folder / "dataset.json")
    endings = ("imagesTr", "labelsTr") if said else ("images", "labels")
    pairs = find_pairs(folder / (images or endings[0]), folder / (masks or endings[1]))
    return NiftiFolder(pairs, label_map, str(said.get("name") or folder.resolve().name), str(said.get("licence", "")))


def find_pairs(images: Path, masks: Path) -> list[Pair]:
    """Pair images and masks, sorted by name: two files, or two folders whose files have the same names.

    An image's name may end in ``_0000``, as nnU-Net has it; further channels are refused.

    Raises:
        InputError: a path does not exist, a folder is empty, or a file has no counterpart.
    """
    missing = [path for path in (images, masks) if not path.exists()]
    if missing:
        raise InputError(f"{missing[0]} does not exist: name the images and masks by `images` and `masks`")
    if images.is_file() and masks.is_file():
        return [Pair(_checked(nifti_stem(images), images), images, masks)]
    found, expected = _by_name(images), _by_name(masks)
    if not set(found) & set(expected):
        found = {_without_channel(name, path): path for name, path in found.items()}
    for names, other, here, there in ((found, expected, images, masks), (expected, found, masks, images)):
        alone = sorted(set(names) - set(other))
        if alone:
            raise InputError(f"{len(alone)} files of {here} are not in {there} (first: {alone[0]})")
    return [Pair(_checked(name, found[name]), found[name], expected[name]) for name in found]


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: give two folders or two files by `images` and `masks`")
    paths = sorted(path for path in folder.iterdir() if is_nifti(path))
    if not paths:
        raise InputError(f"{folder} has no NIfTI files (.nii.gz, .nii)")
    found: dict[str, Path] = {}
    for path in paths:
        if nifti_stem(path) in found:
            raise InputError(
                f"{folder} has {found[nifti_stem(path)].name} and {path.name}, which are one name: keep one of them"
            )
        found[nifti_stem(path)] = path
    warn_of_unread_files(folder, paths, NIFTI_ENDINGS)
    return found


def _without_channel(name: str, path: Path) -> str:
    if name[-5:-4] == "_" and name[-4:].isdecimal() and not name.endswith(_NNUNET_CHANNEL):
        raise InputError(f"{path} is a second channel: one CT channel ({_NNUNET_CHANNEL}) is needed")
    return name.removesuffix(_NNUNET_CHANNEL)


def _checked(name: str, path: Path) -> str:
    if not is_case_name(name):
        raise InputError(f"{path}: {what_is_no_case_name(name)}")
    return name


def _read_nnunet(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("labels"), dict):
        raise InputError(f'{path} has no "labels": it is no nnU-Net data set; name the folders by `images` and `masks`')
    channels: Any = content.get("channel_names") or content.get("modality") or {}
    if len(channels) > 1:
        raise InputError(f"{path} has {len(channels)} channels: one CT channel is needed")
    return content


def _label_map_of(names: dict[str, Any], path: Path) -> dict[int, int]:
    """The label map that nnU-Net's names of labels give; of regions that lie in one another the smallest counts."""
    regions: list[tuple[frozenset[int], int | None]] = []
    for first, second in names.items():
        # version 2 writes {"lesion": 1} and of regions {"lesion": [1, 2]}, version 1 {"1": "lesion"}
        name, value = (second, first) if first.isdecimal() else (first, second)
        values = value if isinstance(value, list) else [value]
        if isinstance(name, list) or not all(re.fullmatch("[0-9]+", str(each)) for each in values) or not values:
            raise InputError(
                f"{path}: label {first!r} is {second!r}, which is neither a whole number nor a list of them: say what "
                "the masks' values mean by `label_map`, such as 1=lesion"
            )
        regions.append((frozenset(int(str(each)) for each in values), label_by_name(str(name))))
    label_map: dict[int, int | None] = {}
    for number in sorted({number for region, _ in regions for number in region}):
        holding = [(region, ours) for region, ours in regions if number in region]
        smallest = min(len(region) for region, _ in holding)
        meanings = {ours for region, ours in holding if len(region) == smallest}
        label_map[number] = meanings.pop() if len(meanings) == 1 else None
    known = {number: ours for number, ours in label_map.items() if ours is not None}
    if len(known) < len(label_map):
        whole = (
            f"{number}={'LABEL' if ours is None else LABELS[ours].replace(' ', '-')}"
            for number, ours in label_map.items()
            if number or ours
        )
        labels = ", ".join(f"{name!r} = {value!r}" for name, value in names.items())
        raise InputError(
            f"{path}: not all of its labels ({labels}) are ours: say what the masks' values mean by `label_map` "
            f"{','.join(whole)}, with one of {', '.join(LABELS.values())} for each LABEL"
        )
    return known
