import json
import unicodedata

import nibabel
import numpy as np
import pytest
import surface_distance
import torch
from monai.metrics import DiceMetric, compute_hausdorff_distance
from PIL import Image
from sklearn import metrics

from covid_monai.errors import InputError, InputWarning
from covid_monai.scoring.folders import match_masks, score_pairs
from covid_monai.scoring.label_classes import LabelClasses, parse_label_classes
from covid_monai.scoring.markdown import markdown
from covid_monai.scoring.mask_files import read_mask_file

from .mask_folders import AFFINE, write_folder, write_itk, write_nifti, write_png
from .masks import blobs, label_map

SPACING = (0.7, 0.9, 2.5)


def score(predictions, references, classes=None, missing_as_empty=False, **settings):
    return score_pairs(
        match_masks(predictions, references, missing_as_empty=missing_as_empty), classes or LabelClasses(), **settings
    )


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_files_agree_with_scikit_learn_monai_and_surface_distance(tmp_path, seed):
    pytest.importorskip("SimpleITK")
    guess, truth = blobs((24, 22, 8), seed), blobs((24, 22, 8), seed + 50)
    turned = nibabel.as_closest_canonical(nibabel.Nifti1Image(guess.astype(np.float32), AFFINE))
    write_nifti(tmp_path / "references" / "v.nii.gz", truth.astype(np.uint8) * 255)
    write_itk(tmp_path / "predictions" / "v.nrrd", np.asarray(turned.dataobj), turned.affine)
    summary = score(tmp_path / "predictions", tmp_path / "references")
    assert summary.content["inputs"]["reordered"] == ["v"]
    volume = {name: summary.value(name, level="volume") for name in ("dice", "iou", "sensitivity", "precision")}
    assert volume["dice"] == pytest.approx(metrics.f1_score(truth.ravel(), guess.ravel()), abs=1e-6)
    assert volume["iou"] == pytest.approx(metrics.jaccard_score(truth.ravel(), guess.ravel()), abs=1e-6)
    assert volume["sensitivity"] == pytest.approx(metrics.recall_score(truth.ravel(), guess.ravel()), abs=1e-6)
    assert volume["precision"] == pytest.approx(metrics.precision_score(truth.ravel(), guess.ravel()), abs=1e-6)
    one_hot = [torch.from_numpy(mask)[None, None] for mask in (guess, truth)]
    hd95 = compute_hausdorff_distance(*one_hot, include_background=True, percentile=95, spacing=SPACING)
    assert summary.value("hd95_mm", level="volume") == pytest.approx(hd95.item(), abs=1e-5)
    distances = surface_distance.compute_surface_distances(truth, guess, SPACING)
    expected = surface_distance.compute_surface_dice_at_tolerance(distances, 2.0)
    assert summary.value("surface_dice", level="volume") == pytest.approx(expected, abs=1e-6)
    slices = DiceMetric()
    slices(*(torch.from_numpy(mask).permute(2, 0, 1)[:, None].float() for mask in (guess, truth)))
    assert summary.value("dice", level="slice") == pytest.approx(slices.aggregate().item(), abs=1e-6)


def test_classes_of_colours_in_pictures_are_scored_without_millimetres(tmp_path):
    guess, truth = label_map((9, 12), 0, 3), label_map((9, 12), 1, 3)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    write_png(tmp_path / "predictions" / "a.PNG", colours[guess])
    write_png(tmp_path / "references" / "a.png", colours[truth])
    classes = parse_label_classes("0xff0000=red,0x0000ff=blue")
    summary = score(tmp_path / "predictions", tmp_path / "references", classes)
    for label, name in ((1, "red"), (2, "blue")):
        expected = metrics.f1_score((truth == label).ravel(), (guess == label).ravel())
        assert summary.value("dice", level="pooled", lesion_class=name) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(summary.value("hd95_mm", level="slice"))
    assert summary.content["inputs"]["spacing_unknown"] == ["a"]


@pytest.mark.parametrize(("spacing", "measured"), [("auto", False), ("known", True), ("unknown", False)])
def test_a_placeholder_spacing_gives_millimetres_only_where_it_is_said_to_be_real(tmp_path, spacing, measured):
    for seed, name in enumerate(("predictions", "references")):
        write_folder(tmp_path / name, seed, cases=2, affine=np.eye(4))
    summary = score(tmp_path / "predictions", tmp_path / "references", spacing=spacing)
    assert np.isnan(summary.value("hd95_mm", level="slice")) != measured


def test_a_missing_prediction_is_refused_by_name_or_counted_as_empty(tmp_path):
    write_folder(tmp_path / "references", 0)
    write_folder(tmp_path / "predictions", 0)
    (tmp_path / "predictions" / "c3.nii.gz").unlink()
    with pytest.raises(InputError, match=r"lacks the masks of 1 of 8 references \(c3\).*`missing_as_empty=True`"):
        match_masks(tmp_path / "predictions", tmp_path / "references")
    summary = score(tmp_path / "predictions", tmp_path / "references", missing_as_empty=True)
    assert summary.value("dice", level="slice") == pytest.approx(7 / 8)
    assert summary.content["inputs"]["missing_as_empty"] == ["c3"]
    assert summary.content["levels"]["slice"]["classes"]["lesion"]["empty"]["missed"] == 1
    assert "predictions missing and counted as empty masks: 1 (c3)" in markdown(summary.content)


def test_surplus_predictions_are_listed_and_change_no_score(tmp_path):
    write_folder(tmp_path / "references", 0, cases=3)
    write_folder(tmp_path / "predictions", 0, cases=5)
    summary = score(tmp_path / "predictions", tmp_path / "references")
    assert summary.content["inputs"]["surplus"] == ["c3", "c4"]
    assert summary.content["cases"] == 3
    assert "predictions without reference, not scored: 2 (c3, c4)" in markdown(summary.content)


def test_names_match_whatever_their_case_and_ending(tmp_path):
    write_nifti(tmp_path / "references" / "Case_1.nii.gz", label_map((4, 4, 2), 0, 2))
    write_nifti(tmp_path / "predictions" / "case_1.NII", label_map((4, 4, 2), 0, 2))
    assert score(tmp_path / "predictions", tmp_path / "references").value("dice", level="pooled") == 1


def test_names_match_however_their_accents_are_stored(tmp_path):
    for folder, form in (("references", "NFC"), ("predictions", "NFD")):
        name = unicodedata.normalize(form, "Müller.nii.gz")
        write_nifti(tmp_path / folder / name, label_map((4, 4, 2), 0, 2))
    summary = score(tmp_path / "predictions", tmp_path / "references", patients={"M\u00fcller": "A"})
    assert summary.value("dice", level="pooled") == 1


def test_patients_that_look_alike_stand_in_the_result(tmp_path):
    write_folder(tmp_path / "references", 0, cases=2)
    summary = score(tmp_path / "references", tmp_path / "references", patients={"c0": "A", "c1": "a"})
    assert "look alike: 'A' and 'a'" in summary.content["inputs"]["warnings"][0]


@pytest.mark.parametrize("other", ["A.nii.gz", "a.nii", "a.png"])
def test_two_files_of_one_name_are_refused(tmp_path, other):
    write_folder(tmp_path / "references", 0, cases=1)
    (tmp_path / "predictions").mkdir()
    for name in ("a.nii.gz", other):
        (tmp_path / "predictions" / name).touch()
    with pytest.raises(InputError, match="which are one name"):
        match_masks(tmp_path / "predictions", tmp_path / "references")


def test_two_files_are_scored_whatever_their_names(tmp_path):
    first = write_nifti(tmp_path / "x.nii.gz", label_map((4, 4, 2), 0, 2))
    second = write_nifti(tmp_path / "y.nii", label_map((4, 4, 2), 0, 2))
    summary = score(first, second)
    assert summary.value("dice", level="volume") == 1
    assert summary.rows["case"].iloc[0] == "y"


def test_patients_are_what_the_intervals_draw(tmp_path):
    for seed, name in enumerate(("predictions", "references")):
        write_folder(tmp_path / name, seed)
    patients = {f"c{case}": f"p{case // 2}" for case in range(8)}
    summary = score(tmp_path / "predictions", tmp_path / "references", patients=patients)
    assert (summary.content["levels"]["pooled"]["unit"], summary.content["patients"]) == ("patient", 4)
    del patients["c5"]
    with pytest.raises(InputError, match=r"lacks 1 cases \(c5\)"):
        score(tmp_path / "predictions", tmp_path / "references", patients=patients)


def test_the_inputs_are_told_in_json_and_are_json(tmp_path):
    write_folder(tmp_path / "references", 0, cases=1)
    summary = score(tmp_path / "references", tmp_path / "references")
    assert json.loads(json.dumps(summary.content))["inputs"]["labels"] == {"every label over 0": "lesion"}


def wrong(kind, path):
    """A file that is no usable mask."""
    good = label_map((6, 6, 3), 0, 2)
    values = {
        "probabilities": good * np.linspace(0.1, 0.9, 3),
        "scaled": good * 0.37,
        "NaN": np.where(good, np.nan, 0.0),
        "too large": good * 1e12,
        "4-D": np.stack([good, good], axis=-1),
        "complex": good.astype(np.complex64),
    }
    if kind in values:
        return write_nifti(path / "m.nii.gz", values[kind])
    if kind == "colours in nrrd":
        sitk = pytest.importorskip("SimpleITK")
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 3, 3, 2), np.uint8), isVector=True), path / "m.nrrd")
        return path / "m.nrrd"
    ending = kind.rpartition(" ")[2]
    if kind.startswith("truncated"):
        if ending == ".nrrd":
            pytest.importorskip("SimpleITK")
        makers = {".nii.gz": write_nifti, ".nrrd": write_itk}
        noise = label_map((60, 60, 3), 0, 256)
        file = path / f"m{ending}"
        makers[ending](file, noise) if ending in makers else write_png(file, noise[..., 0])
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        return file
    file = path / f"m{ending}"
    file.write_bytes(b"")
    return file


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("probabilities", "values such as 0.[159].*threshold them"),
        ("scaled", r"values such as 0.37 .*save \(values > 0\) as uint8"),
        ("NaN", "NaN"),
        ("too large", "no labels"),
        ("4-D", "has shape"),
        ("complex", "complex numbers"),
        ("colours in nrrd", "2 values a voxel"),
        ("truncated .nii.gz", "truncated or damaged"),
        ("truncated .nrrd", "damaged or cut off"),
        ("truncated .png", "not a readable picture"),
        ("empty .nii.gz", "is empty"),
        ("empty .nrrd", "empty, damaged"),
        ("empty .mha", "empty, damaged"),
        ("empty .png", "not a readable picture"),
        ("other .txt", "no mask that can be read"),
    ],
)
def test_what_is_no_mask_is_refused_by_its_file(tmp_path, kind, message, capfd):
    if kind.endswith((".nrrd", ".mha")):
        pytest.importorskip("SimpleITK")
    file = wrong(kind, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        read_mask_file(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_float_mask_of_whole_numbers_is_a_mask(tmp_path):
    labels = label_map((4, 4, 2), 0, 3)
    found = read_mask_file(write_nifti(tmp_path / "m.nii.gz", labels.astype(np.float64)))
    np.testing.assert_array_equal(found.labels, labels)


@pytest.mark.parametrize(
    ("labels", "given", "advice"),
    [
        ([0, -1, -1], None, "-1,1=lesion"),
        ([0, 1, -1], None, "1=lesion,-1=background"),
        ([0, 1, 2, -1], None, "1,2=lesion,-1=background"),
        ([0, 1, -1], "1=lesion", "1=lesion,-1=background"),
    ],
)
def test_negative_labels_are_refused_with_classes_that_work(tmp_path, labels, given, advice):
    path = write_nifti(tmp_path / "m.nii.gz", np.array(labels, np.int16).reshape(-1, 1, 1))
    classes = parse_label_classes(given) if given else LabelClasses()
    with pytest.raises(InputError, match=r"the label -1 in \d voxels.*nobody labelled") as caught:
        score(path, path, classes)
    assert (advice if given is None else "add -1=CLASS, or -1=background") in str(caught.value)
    assert score(path, path, parse_label_classes(advice)).value("dice", level="pooled") == 1


def test_colours_without_a_class_are_named_as_colours(tmp_path):
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
    path = write_png(tmp_path / "a.png", colours[label_map((4, 6), 0, 3)])
    with pytest.raises(InputError, match=r"label 0x00ff00 in .* 0, 0xff0000; add 0x00ff00=CLASS"):
        score(path, path, parse_label_classes("0xff0000=lesion"))
    for labels in ("0xff0000,0x00ff00=lesion", "0xff0000=lesion,0x00ff00=background"):
        assert score(path, path, parse_label_classes(labels)).value("dice", level="pooled") == 1


def test_a_palette_is_scored_by_the_colours_that_labels_name(tmp_path):
    mask = blobs((12, 10), 0).astype(np.uint8) * 255
    grey = write_png(tmp_path / "grey.png", mask)
    Image.fromarray(mask).convert("RGB").quantize(2).save(tmp_path / "palette.png")
    with pytest.raises(InputError, match=r"both could be meant.*in `labels`, such as 0xffffff=lesion"):
        score(tmp_path / "palette.png", grey)
    for labels in ("0xffffff=lesion", "255=lesion"):
        assert score(tmp_path / "palette.png", grey, parse_label_classes(labels)).value("dice", level="pooled") == 1


def test_jpegs_are_no_masks(tmp_path):
    Image.fromarray(label_map((8, 8), 0, 2) * 255).save(tmp_path / "m.jpg")
    with pytest.raises(InputError, match=r"m\.jpg is no mask.*JPEG changes a mask's values; export it as PNG"):
        score(tmp_path / "m.jpg", tmp_path / "m.jpg")
    with pytest.raises(InputError, match=r"has no masks.*JPEG changes"):
        match_masks(tmp_path, tmp_path)
    write_png(tmp_path / "other.png", label_map((8, 8), 0, 2))
    with pytest.warns(InputWarning, match=r"1 files are of another kind and are left out \(first: m\.jpg\)"):
        assert list(match_masks(tmp_path, tmp_path).files) == ["other"]


def test_what_cannot_be_matched_is_told(tmp_path):
    references = write_folder(tmp_path / "references", 0, cases=2)
    (tmp_path / "empty").mkdir()
    other = write_nifti(tmp_path / "other" / "z.nii.gz", label_map((3, 3, 1), 0, 2))
    for predictions, message in (
        (tmp_path / "none", "does not exist"),
        (tmp_path / "empty", "has no masks"),
        (other, "two folders or two files"),
        (other.parent, "no mask named like one of"),
    ):
        with pytest.raises(InputError, match=message):
            match_masks(predictions, references, missing_as_empty=True)
