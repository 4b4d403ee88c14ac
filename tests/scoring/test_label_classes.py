import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.scoring.label_classes import LabelClasses, parse_label_classes


@pytest.mark.parametrize(
    ("text", "names", "classes"),
    [
        ("1=ground-glass,2=consolidation", ("background", "ground-glass", "consolidation"), {1: 1, 2: 2}),
        ("1,2,3=lesion", ("background", "lesion"), {1: 1, 2: 1, 3: 1}),
        ("3=background, 255 = a, 1,2=b", ("background", "a", "b"), {3: 0, 255: 1, 1: 2, 2: 2}),
        ("0xff0000=lesion", ("background", "lesion"), {0xFF0000: 1}),
    ],
)
def test_classes_are_read_from_text(text, names, classes):
    parsed = parse_label_classes(text)
    assert (parsed.names, dict(parsed.classes)) == (names, classes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not LABEL=CLASS"),
        ("lesion", "is not LABEL=CLASS"),
        ("1=", "is not LABEL=CLASS"),
        ("--1=lesion", "is not LABEL=CLASS"),
        ("1,2", "2 has no class"),
        ("1=a,2", "2 has no class"),
        ("1=a,1=b", "1 has two classes"),
        ("1=background", "at least one class"),
        ("0=lesion", "the label 0"),
    ],
)
def test_other_text_is_refused_with_an_example(text, message):
    with pytest.raises(InputError, match=message):
        parse_label_classes(text)


def test_labels_become_their_classes_indices():
    labels = np.array([[0, 7, 3], [255, 3, 0]])
    mapped = parse_label_classes("3,255=a,7=background,9=b").apply(labels, "file")
    assert mapped.tolist() == [[0, 0, 1], [1, 1, 0]]


def test_a_label_without_class_is_named_with_its_file_and_number():
    with pytest.raises(InputError, match=r"m\.png holds the label 3 in 2 voxels.*add 3=CLASS, or 3=background"):
        parse_label_classes("1=a").apply(np.array([0, 1, 3, 3]), "m.png")


def test_without_classes_every_label_over_0_is_lesion_unless_there_are_too_many():
    assert LabelClasses().apply(np.array([0, 1, 255]), "file").tolist() == [0, 1, 1]
    with pytest.raises(InputError, match="256 different values"):
        LabelClasses().apply(np.arange(256), "file")
