import numpy as np
import pytest

from covid_monai.data.sources.labels import count_labels, map_labels, parse_label_map
from covid_monai.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("255=4", {255: 4}),
        ("255=lesion", {255: 4}),
        ("1=ground-glass, 2=Consolidation,3=pleural effusion", {1: 1, 2: 2, 3: 3}),
        ("0xff0000=3,0x0000FF=1", {0xFF0000: 3, 0xFF: 1}),
        ("1=1,9=background", {1: 1, 9: 0}),
        ("1=lesion,-1=background", {1: 4, -1: 0}),
    ],
)
def test_label_maps_are_parsed(text, expected):
    assert parse_label_map(text) == expected


@pytest.mark.parametrize("text", ["", "1", "1=", "=1", "1=5", "1=tumour", "a=1", "--1=1", "1=1,", "1=²", "-0x1=1"])
def test_other_texts_are_no_label_maps(text):
    with pytest.raises(InputError, match="is not SOURCE=LABEL"):
        parse_label_map(text)


def test_mapping_keeps_the_number_of_pixels_per_label():
    mask = np.random.default_rng(0).choice([0, 7, 9, 255], (31, 17))
    ours = map_labels(mask, {7: 1, 9: 2, 255: 1}, "mask")
    assert ours.dtype == np.uint8
    assert count_labels(ours) == {1: np.isin(mask, (7, 255)).sum(), 2: (mask == 9).sum()}
