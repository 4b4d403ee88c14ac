import gzip

import numpy as np
import pytest

from covid_monai.measurements import measure
from covid_monai.measurements.geometry import SliceGeometry
from covid_monai.studies import Study
from covid_monai.study_page.labels import FINDINGS, packed, painted
from covid_monai.study_page.profile import profile_of
from covid_monai.study_page.projection import projection_of, zones_of
from covid_monai.transforms.grid import to_lps
from tests.inference.drawn_studies import coarse_thorax

CLASSES = {1: "ground_glass", 2: "consolidation", 3: "effusion"}


def study_of(thorax, **changes):
    extents = SliceGeometry(thorax.hu.shape, thorax.affine, None).extents
    given = {"placeholder_spacing": False, "format": "nifti", **changes}
    return Study(thorax.hu, thorax.affine, extents, np.zeros((thorax.hu.shape[2], 3)), **given)


@pytest.fixture(scope="module")
def thorax():
    return coarse_thorax()


@pytest.fixture(scope="module")
def document(thorax):
    return measure(thorax.hu, thorax.affine, thorax.mask, thorax.lungs, classes=CLASSES).to_dict()


@pytest.fixture(scope="module")
def labels(thorax, document):
    lungs = np.where(thorax.lungs.airways, 0, thorax.lungs.labels).astype(np.uint8)
    return painted(study_of(thorax), thorax.mask, lungs, classes=CLASSES, settings=document["settings"])


def test_what_is_painted_as_counted_has_the_volumes_that_were_measured(thorax, labels, document):
    voxel_ml = abs(np.linalg.det(thorax.affine[:3, :3])) / 1000
    both = document["lungs"]["both"]
    for finding in ("ground_glass", "consolidation"):
        assert labels.of(finding).sum() * voxel_ml == pytest.approx(both[f"{finding}_ml"], rel=1e-4)
    assert labels.of("not_counted").sum() * voxel_ml == pytest.approx(document["lesions"]["outside_ml"], rel=1e-4)
    assert labels.of("effusion").sum() * voxel_ml == pytest.approx(document["effusion_ml"], rel=1e-4)


def test_the_areas_of_the_profile_add_up_to_the_lesion_that_was_measured(thorax, labels, document):
    profile = profile_of(labels, study_of(thorax), document["planes_mm"])
    slice_mm = abs(thorax.affine[2, 2])
    lesion_ml = sum(sum(profile.areas[name]) for name in ("ground_glass", "consolidation")) * slice_mm / 10
    assert profile.unit == "cm²"
    assert lesion_ml == pytest.approx(document["lungs"]["both"]["lesion_ml"], rel=1e-3)
    areas = np.sum([profile.areas[name] for name in ("ground_glass", "consolidation")], axis=0)
    assert profile.largest == int(areas.argmax())


def test_without_a_spacing_the_profile_counts_pixels(thorax, labels, document):
    profile = profile_of(labels, study_of(thorax, placeholder_spacing=True), {"carina": None, "veins": None})
    assert profile.unit == "pixels"
    assert profile.planes == {}
    assert sum(profile.areas["consolidation"]) == labels.of("consolidation").sum()


def test_lesion_without_kinds_is_painted_as_one(thorax, document):
    mask = (thorax.mask == 1).astype(np.uint8)
    lungs = thorax.lungs.labels
    found = painted(study_of(thorax), mask, lungs, classes={1: "lesion"}, settings=document["settings"])
    assert not found.divided
    assert found.of("lesion").any()
    assert not found.of("ground_glass").any()


def test_labels_go_with_the_slices_when_axes_run_otherwise(thorax, labels, document):
    flipped, affine = thorax.hu[::-1, :, ::-1], thorax.affine @ np.diag([-1, 1, -1, 1])
    affine[:3, 3] += thorax.affine[:3, :3] @ [thorax.hu.shape[0] - 1, 0, thorax.hu.shape[2] - 1]
    study = Study(
        flipped,
        affine,
        SliceGeometry(flipped.shape, affine, None).extents,
        np.zeros((flipped.shape[2], 3)),
        False,
        "nifti",
    )
    lungs = np.where(thorax.lungs.airways, 0, thorax.lungs.labels).astype(np.uint8)[::-1, :, ::-1]
    again = painted(study, thorax.mask[::-1, :, ::-1], lungs, classes=CLASSES, settings=document["settings"])
    np.testing.assert_array_equal(again.codes, labels.codes)
    first, second = (
        profile_of(found, of, document["planes_mm"]) for found, of in ((labels, study_of(thorax)), (again, study))
    )
    assert first == second


def test_packed_labels_run_along_x_first_then_y_then_slices(labels):
    columns, rows, slices = labels.codes.shape
    whole = np.frombuffer(gzip.decompress(packed(labels.codes, labels.codes.shape)), np.uint8)
    np.testing.assert_array_equal(whole.reshape(slices, rows, columns), labels.codes.transpose(2, 1, 0))
    half = gzip.decompress(packed(labels.codes, (columns // 2, rows // 2, slices)))
    assert len(half) == columns // 2 * (rows // 2) * slices


def test_zone_planes_of_the_projection_lie_where_the_lungs_were_parted(thorax, labels, document):
    profile = profile_of(labels, study_of(thorax), document["planes_mm"])
    projection = projection_of(labels, (4.0, 4.0, 4.0), profile.planes)
    assert projection is not None
    assert 0 < projection.edges["carina"] < projection.edges["veins"] < 100
    lungs, _ = to_lps(thorax.lungs.labels > 0, thorax.affine)
    held = np.flatnonzero(lungs.any(axis=(0, 1)))
    # a margin of one voxel on each side
    high, low = held[-1] + 2, held[0] - 1
    expected = 100 * (high - 0.5 - profile.planes["carina"]) / (high - low)
    assert projection.edges["carina"] == pytest.approx(expected)
    zones = {(zone.side, zone.level): zone for zone in zones_of(document, projection.edges)}
    assert zones["left", "upper"].percent == document["zones"]["left"]["upper"]["infected_percent"]
    assert zones["right", "upper"].place < zones["right", "middle"].place < zones["right", "lower"].place


def test_without_lungs_there_is_no_projection(thorax, document):
    nothing = np.zeros(thorax.hu.shape, np.uint8)
    found = painted(study_of(thorax), thorax.mask, nothing, classes=CLASSES, settings=document["settings"])
    assert projection_of(found, (4.0, 4.0, 4.0), {}) is None
    assert found.of("not_counted").any()
    assert len(FINDINGS) < 8
