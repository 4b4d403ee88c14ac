import json
import unicodedata

import nibabel
import numpy as np
import pytest

from covid_monai.data.patients import read_patients
from covid_monai.data.sources.folders import find_nifti, find_pairs
from covid_monai.data.sources.labels import parse_label_map
from covid_monai.data.sources.nifti import NiftiSlices, Pair
from covid_monai.errors import InputError, InputWarning

LPS = np.diag([-0.7, -0.8, 2.5, 1.0])
LPS[:3, 3] = [100.0, 80.0, -40.0]


def save(path, array, affine=LPS):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def volume() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    image = random.integers(-1000, 300, (6, 5, 4)).astype(np.int16)
    mask = random.integers(0, 3, (6, 5, 4)).astype(np.uint8)
    mask[:, :, 1] = 0
    return image, mask


@pytest.fixture
def pair(tmp_path):
    image, mask = volume()
    return Pair("v", save(tmp_path / "images/v.nii.gz", image), save(tmp_path / "labels/v.nii.gz", mask))


def slices_of(pair, label_map=None, **settings):
    return list(NiftiSlices([pair], label_map or {1: 1, 2: 2}, "test", **settings))


def test_a_volume_is_cut_into_axial_slices_that_keep_their_place(pair):
    image, mask = volume()
    items = slices_of(pair)
    assert [item.case for item in items] == ["v_s000", "v_s001", "v_s002", "v_s003"]
    for index, item in enumerate(items):
        np.testing.assert_array_equal(item.image[:, :, 0], image[:, :, index])
        np.testing.assert_array_equal(item.label[:, :, 0], mask[:, :, index])
        np.testing.assert_allclose(item.affine @ [2, 3, 0, 1], LPS @ [2, 3, index, 1], atol=1e-5)
        assert (item.patient, item.volume, item.slice, item.intensity) == ("v", "v", index, "hu")
        assert item.spacing_known
    assert len(items) == NiftiSlices([pair], {1: 1, 2: 2}, "test").count


@pytest.mark.parametrize("codes", ["RAS", "LPS", "ASL", "PIR", "SRP"])
def test_any_orientation_gives_the_same_slices(pair, tmp_path, codes):
    expected = slices_of(pair)
    turned = []
    for part, array in zip(("images", "labels"), volume(), strict=True):
        original = nibabel.Nifti1Image(array, LPS)
        to = nibabel.orientations.axcodes2ornt(codes)
        change = nibabel.orientations.ornt_transform(nibabel.io_orientation(LPS), to)
        turned.append(tmp_path / f"{part}-{codes}.nii.gz")
        nibabel.save(original.as_reoriented(change), turned[-1])
    source = NiftiSlices([Pair("v", *turned)], {1: 1, 2: 2}, "test")
    assert source.count == 4
    for item, wanted in zip(source, expected, strict=True):
        np.testing.assert_array_equal(item.image, wanted.image)
        np.testing.assert_array_equal(item.label, wanted.label)
        np.testing.assert_allclose(item.affine, wanted.affine, atol=1e-4)


def test_slices_without_lesion_are_left_out_on_request(pair):
    source = NiftiSlices([pair], {1: 1, 2: 2}, "test", lesion_slices_only=True)
    assert [item.slice for item in source] == [0, 2, 3]
    assert source.count is None


def test_single_slices_keep_their_name(tmp_path):
    image, mask = (array[:, :, :1] for array in volume())
    pair = Pair("one", save(tmp_path / "i.nii.gz", image), save(tmp_path / "m.nii.gz", mask))
    assert [item.case for item in slices_of(pair)] == ["one"]


def test_two_dimensional_files_are_slices(tmp_path):
    image, mask = (array[:, :, 0] for array in volume())
    pair = Pair("one", save(tmp_path / "i.nii.gz", image), save(tmp_path / "m.nii.gz", mask))
    (item,) = slices_of(pair)
    np.testing.assert_array_equal(item.image[:, :, 0], image)


def test_8_bit_volumes_are_marked_and_mapped(pair, tmp_path):
    grey = np.random.default_rng(0).integers(1, 256, (6, 5, 4)).astype(np.float32)
    items = slices_of(Pair("v", save(tmp_path / "grey.nii.gz", grey), pair.mask))
    assert {item.intensity for item in items} == {"window"}
    assert min(item.image.min() for item in items) < -900


def test_spacing_of_one_mm_is_a_placeholder_unless_told_otherwise(tmp_path):
    image, mask = volume()
    one_millimetre = np.diag([-1.0, -1.0, 1.0, 1.0])
    pair = Pair(
        "v", save(tmp_path / "i.nii.gz", image, one_millimetre), save(tmp_path / "m.nii.gz", mask, one_millimetre)
    )
    assert not slices_of(pair)[0].spacing_known
    assert slices_of(pair, spacing_known=True)[0].spacing_known


def test_float_masks_with_integer_values_are_read(pair, tmp_path):
    _, mask = volume()
    items = slices_of(Pair("v", pair.image, save(tmp_path / "m.nii.gz", mask.astype(np.float32))))
    np.testing.assert_array_equal(np.concatenate([item.label for item in items], axis=2), mask)


def broken(name):
    image, mask = volume()
    nan = image.astype(np.float32)
    nan[1, 2, 3] = np.nan
    moved = LPS.copy()
    moved[0, 3] += 5
    return {
        "4-D": ((image[..., None].repeat(2, 3), mask), (LPS, LPS), r"i\.nii\.gz has shape \(6, 5, 4, 2\)"),
        "5-D": ((image[..., None, None].repeat(2, 4), mask), (LPS, LPS), r"has shape \(6, 5, 4, 1, 2\)"),
        "NaN": ((nan, mask), (LPS, LPS), r"i\.nii\.gz holds NaN"),
        "shape": ((image, mask[:, :, :3]), (LPS, LPS), r"m\.nii\.gz has shape \(6, 5, 3\), its image has"),
        "affine": ((image, mask), (LPS, moved), r"m\.nii\.gz lies up to 5 mm from its image"),
        "soft mask": (
            (image, mask * np.float32(0.5)),
            (LPS, LPS),
            r"m\.nii\.gz holds values such as 0\.5",
        ),
        "label": ((image, mask + np.uint8(5)), (LPS, LPS), r"m\.nii\.gz holds label 5"),
        "negative label": ((image, mask.astype(np.int16) - 1), (LPS, LPS), r"m\.nii\.gz holds label -1"),
        "unit range": ((nan * 0 + np.float32(0.5), mask), (LPS, LPS), r"i\.nii\.gz holds NaN"),
        "no HU": ((np.full_like(image, 40), mask), (LPS, LPS), "the value 40 everywhere"),
        "complex": ((image.astype(np.complex64), mask), (LPS, LPS), "real numbers are needed"),
    }[name]


@pytest.mark.parametrize(
    "name",
    ["4-D", "5-D", "NaN", "shape", "affine", "soft mask", "label", "negative label", "no HU", "complex"],
)
def test_unusable_volumes_are_named_and_refused(tmp_path, name):
    arrays, affines, message = broken(name)
    paths = [
        save(tmp_path / file, array, affine)
        for file, array, affine in zip(("i.nii.gz", "m.nii.gz"), arrays, affines, strict=True)
    ]
    with pytest.raises(InputError, match=message):
        slices_of(Pair("v", *paths))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_gzip_is_named_and_refused(tmp_path, share):
    image = np.random.default_rng(0).integers(-1000, 300, (40, 40, 4)).astype(np.int16)
    mask = np.zeros(image.shape, np.uint8)
    pair = Pair("v", save(tmp_path / "v.nii.gz", image), save(tmp_path / "m.nii.gz", mask))
    whole = pair.image.read_bytes()
    pair.image.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"v\.nii\.gz"):
        slices_of(pair)


def test_truncated_plain_nifti_is_named_and_refused(pair, tmp_path):
    image, _ = volume()
    path = save(tmp_path / "v.nii", image)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"v\.nii is truncated"):
        slices_of(Pair("v", path, pair.mask))


def test_files_that_are_no_nifti_are_named_and_refused(pair):
    pair.mask.write_text("not an image")
    with pytest.raises(InputError, match=r"v\.nii\.gz is no NIfTI file"):
        slices_of(pair)


def test_folders_are_paired_by_name(pair, tmp_path):
    assert find_pairs(tmp_path / "images", tmp_path / "labels") == [pair]
    (tmp_path / "labels" / "v.nii.gz").rename(tmp_path / "labels" / "w.nii.gz")
    with pytest.raises(InputError, match=r"1 files of .*images are not in .*labels \(first: v\)"):
        find_pairs(tmp_path / "images", tmp_path / "labels")


def test_volumes_of_another_kind_are_told_and_left_out(pair, tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder / "w.NRRD").touch()
        (tmp_path / folder / "notes.txt").touch()
        (tmp_path / folder / "._v.nii.gz").touch()
    with pytest.warns(InputWarning, match=r"labels: 1 files are of another kind .*first: w\.NRRD.*\.nii\.gz, \.nii"):
        assert find_pairs(tmp_path / "images", tmp_path / "labels") == [pair]


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        find_pairs(tmp_path / "images", tmp_path / "labels")
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="no NIfTI files"):
        find_pairs(tmp_path / "images", tmp_path / "labels")


def test_a_file_and_a_folder_are_no_pair(pair, tmp_path):
    with pytest.raises(InputError, match=r"v\.nii\.gz is a file"):
        find_pairs(pair.image, tmp_path / "labels")


def nnunet(folder, labels, channels=("CT",)):
    image, mask = volume()
    save(folder / "imagesTr/covid_001_0000.nii.gz", image)
    save(folder / "labelsTr/covid_001.nii.gz", mask)
    names = {str(index): name for index, name in enumerate(channels)}
    content = {"channel_names": names, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "Ground-Glass Opacity": 1, "consolidation": 2},
        {"0": "background", "1": "ground glass", "2": "Consolidation"},
    ],
)
def test_an_nnunet_data_set_is_recognised_with_its_labels(tmp_path, labels):
    nnunet(tmp_path, labels)
    found = find_nifti(tmp_path)
    assert [pair.name for pair in found.pairs] == ["covid_001"]
    assert {source: ours for source, ours in found.label_map.items() if source} == {1: 1, 2: 2}


def test_nnunet_labels_of_other_meaning_need_a_label_map(tmp_path):
    nnunet(tmp_path, {"background": 0, "tumour": 1, "cyst": 2})
    with pytest.raises(InputError, match=r"'tumour' = 1, 'cyst' = 2.*`label_map` 1=LABEL,2=LABEL"):
        find_nifti(tmp_path)
    assert find_nifti(tmp_path, label_map={1: 4, 2: 4}).label_map == {1: 4, 2: 4}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"background": 0, "lesion": [1, 2]}, {0: 0, 1: 4, 2: 4}),
        ({"background": 0, "covid lesion": [1, 2], "ggo": [1], "consolidation": 2}, {0: 0, 1: 1, 2: 2}),
        ({"background": 0, "covid": [1, 2], "consolidation": [2]}, {0: 0, 1: 4, 2: 2}),
    ],
)
def test_regions_of_nnunet_mean_the_smallest_that_holds_a_value(tmp_path, labels, expected):
    nnunet(tmp_path, labels)
    assert find_nifti(tmp_path).label_map == expected


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        ({"background": 0, "whole": [1, 2, 3], "consolidation": [2]}, "1=LABEL,2=consolidation,3=LABEL"),
        ({"background": 0, "ggo": [1, 2], "consolidation": [1, 2]}, "1=LABEL,2=LABEL"),
        ({"background": 0, "lesion": 1, "ignore": 2}, "1=lesion,2=LABEL"),
    ],
)
def test_the_label_map_that_nnunet_data_need_is_told_and_works(tmp_path, labels, advice):
    nnunet(tmp_path, labels)
    with pytest.raises(InputError, match=f"`label_map` {advice}, with one of background, ground-glass"):
        find_nifti(tmp_path)
    found = find_nifti(tmp_path, label_map=parse_label_map(advice.replace("LABEL", "background")))
    assert len(found.pairs) == 1


@pytest.mark.parametrize("value", [{"a": 1}, None, 1.5, [], [1, "x"], [[1]], True])
def test_labels_of_nnunet_that_are_no_numbers_are_told_in_one_line(tmp_path, value):
    nnunet(tmp_path, {"background": 0, "lesion": value})
    with pytest.raises(InputError, match=r"label 'lesion' is .* neither a whole number nor a list"):
        find_nifti(tmp_path)


def test_names_that_stand_for_no_case_are_told_by_their_letters(tmp_path):
    for folder, form, array in zip(("images", "labels"), ("NFC", "NFD"), volume(), strict=True):
        save(tmp_path / folder / unicodedata.normalize(form, "Müller 1.nii.gz"), array)
    with pytest.raises(InputError, match=r"its name holds 'ü '.*rename image and mask alike"):
        find_pairs(tmp_path / "images", tmp_path / "labels")


def test_nnunet_data_of_several_channels_are_refused(tmp_path):
    nnunet(tmp_path, {"background": 0, "lesion": 1}, channels=("CT", "PET"))
    with pytest.raises(InputError, match="has 2 channels"):
        find_nifti(tmp_path)


def test_labels_of_unknown_meaning_are_refused(pair, tmp_path):
    with pytest.raises(InputError, match="give `label_map`"):
        find_nifti(tmp_path)


def test_patients_come_from_a_table(pair, tmp_path):
    (tmp_path / "patients.csv").write_text("case,patient\nv,anna\n")
    patients = read_patients(tmp_path / "patients.csv")
    assert slices_of(pair, patients=patients)[0].patient == "anna"


@pytest.mark.parametrize("table", [{"v.nii.gz": "anna"}, {"v": "anna", "w": "anna"}, {}])
def test_a_table_that_misses_or_misspells_a_volume_is_refused_as_it_would_leak(pair, table):
    with pytest.raises(InputError, match="patients' list and the volumes differ"):
        slices_of(pair, patients=table)


def test_endings_are_known_in_any_letter_case(pair, tmp_path):
    for name, ending in (("images", "NII.GZ"), ("labels", "Nii.Gz")):
        (tmp_path / name / "v.nii.gz").rename(tmp_path / name / f"CT1.{ending}")
        save(tmp_path / name / "ct2.nii.gz", volume()[name == "labels"])
    found = find_pairs(tmp_path / "images", tmp_path / "labels")
    assert [each.name for each in found] == ["CT1", "ct2"]
    assert len(list(NiftiSlices(found, {1: 1, 2: 2}, "test"))) == 8


def test_one_name_in_two_spellings_of_its_ending_is_refused(pair, tmp_path):
    save(tmp_path / "images" / "w.nii", volume()[0]).rename(tmp_path / "images" / "v.NII")
    with pytest.raises(InputError, match=r"has v.NII and v.nii.gz, which are one name"):
        find_pairs(tmp_path / "images", tmp_path / "labels")


def test_a_trailing_axis_of_length_one_is_nothing(pair, tmp_path):
    image, _ = volume()
    long = Pair("v", save(tmp_path / "long.nii.gz", image[..., None]), pair.mask)
    np.testing.assert_array_equal(slices_of(long)[2].image, slices_of(pair)[2].image)
