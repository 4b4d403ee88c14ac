"""Near-duplicates: what makes slices similar and what must not matter."""

from pathlib import Path

import networkx
import nibabel
import numpy as np
import pytest
from scipy.ndimage import zoom

from covid_monai.data.near_duplicates import SIZE, fingerprint, joined, similar_pairs
from tests.data.checks.patients import draw_patient


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    (pair,) = similar_pairs([fingerprint(first), fingerprint(second)], threshold=-1.1)
    return pair.similarity


def test_a_slice_is_as_similar_as_can_be_to_itself() -> None:
    image = draw_patient(0, 0)
    assert similarity(image, image) == pytest.approx(1, abs=1e-5)


def test_different_patients_are_less_similar_than_noisy_copies() -> None:
    assert similarity(draw_patient(0, 0), draw_patient(0, 1)) > 0.9
    assert similarity(draw_patient(0, 0), draw_patient(1, 0)) < 0.3


def test_a_canvas_of_air_does_not_matter() -> None:
    image = draw_patient(0, 0)
    canvas = np.full((150, 130), -1024.0)
    canvas[20:84, 40:104] = image
    np.testing.assert_allclose(fingerprint(canvas), fingerprint(image), atol=1e-3)


def test_another_window_scale_and_crop_leave_a_slice_similar() -> None:
    image = draw_patient(0, 0)
    changed = 0.8 * zoom(image, 2, order=1)[3:, 4:] - 60
    assert similarity(image, changed) > 0.8


def test_similarity_of_unshifted_pictures_is_the_correlation_of_numpy() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, SIZE, SIZE)).astype(np.float32)
    found = similar_pairs([first, second], threshold=-1.1)[0].similarity
    inside = slice(3, -3)
    shifts = [(x, y) for x in range(7) for y in range(7)]
    size = SIZE - 6
    expected = max(
        np.corrcoef(picture[inside, inside].ravel(), other[x : x + size, y : y + size].ravel())[0, 1]
        for picture, other in ((first, second), (second, first))
        for x, y in shifts
    )
    assert found == pytest.approx(expected, abs=1e-5)


def test_an_image_without_structure_is_similar_to_nothing() -> None:
    flat = np.full((40, 40), -800.0)
    assert similar_pairs([fingerprint(flat), fingerprint(flat)], threshold=0) == []


def test_the_order_of_slices_does_not_matter() -> None:
    prints = [fingerprint(draw_patient(patient, noise)) for patient in range(2) for noise in range(3)]
    forwards = {(pair.first, pair.second): pair.similarity for pair in similar_pairs(prints, 0)}
    backwards = {(5 - pair.second, 5 - pair.first): pair.similarity for pair in similar_pairs(prints[::-1], 0)}
    assert forwards.keys() == backwards.keys()
    assert forwards == pytest.approx(backwards, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_slices_have_no_pairs(count: int) -> None:
    assert similar_pairs([np.zeros((SIZE, SIZE))] * count) == []


def test_items_that_share_a_key_through_others_are_joined() -> None:
    numbers = joined([["a"], ["b", "a"], ["c"], ["b"], []])
    assert numbers[0] == numbers[1] == numbers[3]
    assert len(set(numbers)) == 3


def test_joined_agrees_with_networkx_on_random_graphs() -> None:
    generator = np.random.default_rng(1)
    keys = [set(generator.integers(0, 25, generator.integers(0, 3)).tolist()) for _ in range(30)]
    graph = networkx.Graph()
    for item, own in enumerate(keys):
        graph.add_node(item)
        graph.add_edges_from((item, f"key {key}") for key in own)
    expected = {
        frozenset(node for node in members if isinstance(node, int)) for members in networkx.connected_components(graph)
    }
    numbers = joined(keys)
    found = {frozenset(np.flatnonzero(np.array(numbers) == number).tolist()) for number in numbers}
    assert found == expected


@pytest.mark.slow
def test_neighbouring_radiopaedia_slices_are_found_and_patients_kept_apart(shared_data: Path, tmp_path: Path) -> None:
    from covid_monai.data.sources.picture_index import LAYOUTS
    from covid_monai.data.sources.slices import PictureSlices
    from covid_monai.data.writer import prepare

    source = PictureSlices(shared_data / "radiopaedia_part2", LAYOUTS["radiopaedia-part2"], None, None, "window")
    cases = prepare(source, tmp_path / "data").cases
    images = [np.asarray(nibabel.load(tmp_path / "data" / case.image).dataobj) for case in cases]
    found = {(pair.first, pair.second) for pair in similar_pairs([fingerprint(image) for image in images])}
    pairs = [(i, j) for i in range(len(cases)) for j in range(i + 1, len(cases))]
    next_to = [
        (i, j)
        for i, j in pairs
        if cases[i].volume == cases[j].volume and abs((cases[i].slice or 0) - (cases[j].slice or 0)) == 1
    ]
    strangers = [(i, j) for i, j in pairs if cases[i].patient != cases[j].patient]
    assert np.mean([pair in found for pair in next_to]) == 1
    assert sum(pair in found for pair in strangers) <= 2
