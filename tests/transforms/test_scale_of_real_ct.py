"""The table of ``docs/intensities.md``: ``pytest -m slow -s tests/transforms/test_scale_of_real_ct.py`` prints it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from covid_monai.transforms.anatomy import shows_air_bright
from covid_monai.transforms.intensity import WINDOW_MAP
from covid_monai.transforms.scale import HU, WINDOW, judge_scale

SLICES = 16


def volumes(folder: Path) -> Iterator[np.ndarray]:
    for path in sorted([*folder.glob("coronacases_*/ct.nii.gz"), *folder.glob("lung_masks/id???-128x128x64.nii.gz")]):
        yield np.asarray(nibabel.load(path).dataobj, dtype=np.float32)
    yield np.asarray(nibabel.load(folder / "chest_ct_dicom" / "phantom.nii.gz").dataobj, dtype=np.float32)
    sitk = pytest.importorskip("SimpleITK")
    for name in ("covid_P002", "normal_001"):
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder / "chest_dicom_series" / name)))
        yield sitk.GetArrayFromImage(reader.Execute()).T.astype(np.float32)


def ring(values: np.ndarray, padding: float) -> np.ndarray:
    x, y = (np.linspace(-1, 1, size) for size in values.shape[:2])
    outside = x[:, None] ** 2 + y[None] ** 2 > 1
    return np.where(outside[..., None], np.float32(padding), values)


def one_voxel(values: np.ndarray, padding: float) -> np.ndarray:
    values = values.copy()
    values[0, 0, 0] = padding
    return values


def middle(values: np.ndarray) -> np.ndarray:
    x, y = values.shape[:2]
    return values[x // 4 : -x // 4, y // 3 : -y // 3]


CHANGES = {
    "HU": lambda hu: hu,
    "clipped to [-1000, 400]": lambda hu: np.clip(hu, -1000, 400),
    "the middle alone": middle,
    "ring of -1024": lambda hu: ring(hu, -1024),
    "ring of -2000": lambda hu: ring(hu, -2000),
    "ring of -32768": lambda hu: ring(hu, -32768),
    "one voxel of -32768": lambda hu: one_voxel(hu, -32768),
    "HU + 1024": lambda hu: hu + 1024,
    "HU + 1024, below 0 clipped": lambda hu: np.maximum(hu + 1024, 0),
    "HU + 1024, ring of -2000": lambda hu: ring(hu + 1024, -2000),
    "HU + 1024, ring of -1024": lambda hu: ring(hu + 1024, -1024),
    "HU + 1024, one voxel of -2000": lambda hu: one_voxel(hu + 1024, -2000),
    "HU + 1000": lambda hu: hu + 1000,
    "HU + 32768": lambda hu: hu + 32768,
    "HU x 10": lambda hu: hu * 10,
    "HU x 2": lambda hu: hu * 2,
    "HU x 0.5": lambda hu: hu * 0.5,
    "HU x 0.5, ring of -2000": lambda hu: ring(hu * 0.5, -2000),
    "HU x 0.1": lambda hu: hu * 0.1,
    "HU / 1000": lambda hu: hu / 1000,
    "-HU": lambda hu: -hu,
    "3071 - HU": lambda hu: 3071 - hu,
}
OF_HU = list(CHANGES)[:7]


def verdict(values: np.ndarray) -> str:
    scale = judge_scale(values).scale
    return "accepted" if scale is HU else "warned of" if scale is None else "refused"


@pytest.mark.slow
def test_real_hu_are_never_refused_and_other_scales_never_accepted(shared_data: Path) -> None:
    whole: dict[str, Counter[str]] = {name: Counter() for name in CHANGES}
    single: dict[str, Counter[str]] = {name: Counter() for name in CHANGES}
    for hu in volumes(shared_data):
        for name, change in CHANGES.items():
            values = change(hu)
            whole[name][verdict(values)] += 1
            for index in range(0, hu.shape[2], max(1, hu.shape[2] // SLICES)):
                single[name][verdict(change(hu[:, :, index : index + 1]))] += 1
    kinds = ("accepted", "warned of", "refused")
    for name in CHANGES:
        counts = [count[kind] for count in (whole[name], single[name]) for kind in kinds]
        print(f"| {name} |", " | ".join(map(str, counts)), "|")
    for name in OF_HU:
        assert whole[name]["refused"] == single[name]["refused"] == 0, name
    for name in [*CHANGES][len(OF_HU) :]:
        assert whole[name]["accepted"] == single[name]["accepted"] == 0, name
    assert sum(count["warned of"] for count in whole.values()) <= 2


@pytest.mark.slow
def test_no_real_picture_is_called_inverted_and_most_are_when_turned_round(shared_data: Path) -> None:
    for name, least in (("medseg_part1", 60), ("radiopaedia_part2", 210)):
        pictures = [np.asarray(Image.open(path).convert("L")) for path in (shared_data / name / "images").iterdir()]
        as_hu = [WINDOW_MAP.intercept + WINDOW_MAP.slope * picture.astype(np.float32) for picture in pictures]
        found = sum(shows_air_bright(WINDOW[0] + WINDOW[1] - hu) for hu in as_hu)
        print(f"{name}: {found} of {len(pictures)} are found when turned round")
        assert not any(map(shows_air_bright, as_hu))
        assert found >= least
