import json

import nibabel
import numpy as np
import pytest

from covid_monai.data.info import describe
from covid_monai.data.manifest import read_dataset
from covid_monai.data.sources import phantom
from covid_monai.data.sources.labels import parse_label_map
from covid_monai.data.sources.nifti import NiftiSlices, Pair
from covid_monai.data.sources.phantom import prepare_phantom
from covid_monai.data.sources.picture_index import LAYOUTS
from covid_monai.data.sources.slices import PictureSlices
from covid_monai.data.writer import prepare, write_cases
from covid_monai.errors import InputError
from covid_monai.files import sha256_of

AFFINE = np.diag([-0.7, -0.7, 5.0, 1.0])


def write_volume(folder, name: str, depth: int = 3, seed: int = 0) -> Pair:
    random = np.random.default_rng(seed)
    shape = (60, 50, depth)
    paths = [folder / part / f"{name}.nii.gz" for part in ("images", "labels")]
    arrays = random.integers(-1000, 300, shape), random.integers(0, 3, shape)
    for path, array, kind in zip(paths, arrays, (np.int16, np.uint8), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(array.astype(kind), AFFINE), path)
    return Pair(name, *paths)


def source_of(*pairs: Pair) -> NiftiSlices:
    return NiftiSlices(pairs, {1: 1, 2: 2}, "test", "CC0")


@pytest.mark.parametrize(("every", "kept"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (3, [0, 3]), (9, [0])])
def test_every_nth_slice_of_a_volume_is_kept_where_asked_for(tmp_path, every, kept):
    source = NiftiSlices([write_volume(tmp_path, "a", depth=5)], {1: 1, 2: 2}, "test", "CC0", every=every)
    assert source.count == len(kept)
    dataset = prepare(source, tmp_path / "out")
    assert [case.slice for case in dataset.cases] == kept
    whole = prepare(source_of(write_volume(tmp_path, "a", depth=5)), tmp_path / "whole")
    by_slice = {case.slice: case.sha256 for case in whole.cases}
    assert [case.sha256 for case in dataset.cases] == [by_slice[index] for index in kept]


def test_a_step_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="every is 0; give 1 for all slices"):
        NiftiSlices([write_volume(tmp_path, "a")], {1: 1, 2: 2}, "test", "CC0", every=0)


def files_in(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_prepared_folder_holds_what_the_source_gave(tmp_path):
    pair = write_volume(tmp_path / "in", "v")
    dataset = prepare(source_of(pair), tmp_path / "out")
    mask = np.asarray(nibabel.load(pair.mask).dataobj)
    assert dataset == read_dataset(tmp_path / "out")
    assert dataset.labels == {0: "background", 1: "ground-glass", 2: "consolidation"}
    assert files_in(tmp_path / "out") == {"dataset.json"} | {
        f"{part}/v_s{index:03d}.nii.gz" for part in ("images", "labels") for index in range(3)
    }
    for index, case in enumerate(dataset.cases):
        label = nibabel.load(dataset.folder / case.label)
        np.testing.assert_array_equal(np.asarray(label.dataobj)[:, :, 0], mask[:, :, index])
        assert case.pixels == {1: (mask[:, :, index] == 1).sum(), 2: (mask[:, :, index] == 2).sum()}
        assert case.sha256["label"] == sha256_of(dataset.folder / case.label)
        assert nibabel.aff2axcodes(label.affine) == ("L", "P", "S")
        assert label.get_data_dtype() == np.uint8


def test_preparing_twice_gives_the_same_bytes(tmp_path):
    pair = write_volume(tmp_path / "in", "v")
    first, second = (prepare(source_of(pair), tmp_path / name).cases for name in ("a", "b"))
    assert first == second


def test_a_failing_source_leaves_nothing_behind(tmp_path):
    good, bad = write_volume(tmp_path / "in", "a"), write_volume(tmp_path / "in", "b", seed=1)
    source = source_of(good, bad)
    bad.image.write_bytes(bad.image.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"b\.nii\.gz is truncated"):
        prepare(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_input_is_replaced_or_removed(tmp_path):
    pairs = [write_volume(tmp_path / "set", name, depth=1) for name in "ab"]
    before = {path: path.read_bytes() for pair in pairs for path in (pair.image, pair.mask)}
    # the slices of one-slice volumes have the volumes' names
    with pytest.raises(InputError, match=r"would replace the input .*a\.nii\.gz"):
        prepare(source_of(*pairs), tmp_path / "set", overwrite=True)
    # a folder that is the inputs' folder by another name
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images").symlink_to(tmp_path / "set" / "images")
    with pytest.raises(InputError, match="would replace the input"):
        prepare(source_of(*pairs), tmp_path / "out", overwrite=True)
    # inputs that an older data set in the output names, and the new one does not
    prepared = prepare(source_of(*pairs), tmp_path / "prepared")
    again = [
        Pair(f"new_{case.case}", prepared.folder / case.image, prepared.folder / case.label) for case in prepared.cases
    ]
    with pytest.raises(InputError, match="would replace the input"):
        prepare(source_of(*again), tmp_path / "prepared", overwrite=True)
    assert read_dataset(tmp_path / "prepared") == prepared
    assert all((prepared.folder / case.image).is_file() for case in prepared.cases)
    assert {path: path.read_bytes() for path in before} == before


def inverted(folder):
    pair = write_volume(folder, "v")
    mask = np.zeros((60, 50, 3), np.uint8)
    mask[20:30, 20:30] = 1
    nibabel.save(nibabel.Nifti1Image(1 - mask, AFFINE), pair.mask)
    return pair, mask


def test_inverted_masks_are_told_and_the_advice_works(tmp_path):
    pair, mask = inverted(tmp_path / "in")
    dataset = prepare(NiftiSlices([pair], {1: 4}, "mine"), tmp_path / "out")
    (warning,) = dataset.warnings
    assert "mine: in 3 of 3 slices more than half of the pixels are lesion (first: v_s000)" in warning
    advice = parse_label_map(warning.rpartition("`label_map` ")[2])
    turned = prepare(NiftiSlices([pair], advice, "mine"), tmp_path / "turned")
    assert turned.warnings == ()
    assert [case.pixels for case in turned.cases] == [{4: mask[:, :, 0].sum()}] * 3
    label = nibabel.load(turned.folder / turned.cases[0].label)
    np.testing.assert_array_equal(np.asarray(label.dataobj)[:, :, 0] == 4, mask[:, :, 0] == 1)


def test_patients_that_look_alike_stand_in_the_data_set(tmp_path):
    pairs = [write_volume(tmp_path / "in", name) for name in "ab"]
    source = NiftiSlices(pairs, {1: 4, 2: 0}, "mine", patients={"a": "P1", "b": "p1"})
    assert "look alike: 'P1' and 'p1'" in prepare(source, tmp_path / "out").warnings[0]


def test_a_negative_label_is_mapped_and_recorded(tmp_path):
    pair, mask = inverted(tmp_path / "in")
    nibabel.save(nibabel.Nifti1Image(-mask.astype(np.int16), AFFINE), pair.mask)
    prepare(NiftiSlices([pair], {-1: 4}, "mine"), tmp_path / "out")
    assert read_dataset(tmp_path / "out").label_map == {-1: 4}


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        prepare(source_of(write_volume(tmp_path / "in", "v")), tmp_path / "out")
    assert files_in(tmp_path / "out") == {"notes.txt"}


def test_overwriting_replaces_the_data_set_and_leaves_other_files(tmp_path):
    out = tmp_path / "out"
    prepare(source_of(write_volume(tmp_path / "in", "old")), out)
    (out / "images" / "mine.nii.gz").write_text("mine")
    (out / "images" / "old_s000.nii.gz").write_text("edited by hand")
    prepare(source_of(write_volume(tmp_path / "in", "new", depth=1)), out, overwrite=True)
    assert files_in(out) == {
        "dataset.json",
        "images/new.nii.gz",
        "labels/new.nii.gz",
        "images/mine.nii.gz",
        "images/old_s000.nii.gz",
    }


def test_a_failing_overwrite_keeps_the_old_data_set(tmp_path):
    out = tmp_path / "out"
    prepare(source_of(write_volume(tmp_path / "in", "v")), out)
    before = {name: sha256_of(out / name) for name in files_in(out)}
    bad = write_volume(tmp_path / "in", "v", seed=1)
    source = source_of(bad)
    bad.mask.write_bytes(bad.mask.read_bytes()[:-20])
    with pytest.raises(InputError):
        prepare(source, out, overwrite=True)
    assert {name: sha256_of(out / name) for name in files_in(out)} == before


def test_an_output_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    source = source_of(write_volume(tmp_path / "in", "v"))
    with pytest.raises(InputError, match="is a file"):
        prepare(source, tmp_path / "file")
    with pytest.raises(InputError, match="cannot write"):
        prepare(source, tmp_path / "file" / "out")


def test_a_mask_changed_by_the_conversion_stops_it(tmp_path):
    class Careless(NiftiSlices):
        def __iter__(self):
            for item in super().__iter__():
                item.label[0, 0, 0] ^= 1
                yield item

    with pytest.raises(AssertionError, match="changed the mask"):
        write_cases(Careless([write_volume(tmp_path / "in", "v")], {1: 1, 2: 2}, "test"), tmp_path / "out")


def test_info_counts_what_is_there(tmp_path):
    pairs = [write_volume(tmp_path / "in", name, depth=2, seed=seed) for seed, name in enumerate("ab")]
    lines = dict(describe(prepare(source_of(*pairs), tmp_path / "out")))
    ones = sum(int((np.asarray(nibabel.load(pair.mask).dataobj) == 1).sum()) for pair in pairs)
    assert lines["cases (slices)"] == "4"
    assert lines["patients"] == lines["volumes"] == "2"
    assert lines["size (x, y)"] == "60 x 50"
    assert lines["label 1 ground-glass"].startswith(f"{ones} pixels, {ones / 12000:.2%} of all")
    assert lines["spacing known"] == "4 of 4"


def test_phantom_volumes_and_slices_are_written(tmp_path, monkeypatch):
    def fake(folder, patients, seed=0, size=256, slices=32, progress=None):
        return [write_volume(folder, f"phantom_{n + 1:02d}", slices, seed + n).image for n in range(patients)]

    monkeypatch.setattr("covid_monai.data.phantom.write_phantom", fake, raising=False)
    dataset = phantom.prepare_phantom(tmp_path / "out", patients=2, size=64, slices=3)
    assert len(dataset.cases) == 6
    assert {case.patient for case in dataset.cases} == {"phantom_01", "phantom_02"}
    assert {(case.intensity, case.spacing_known) for case in dataset.cases} == {("hu", True)}
    assert "volumes/images/phantom_01.nii.gz" in files_in(tmp_path / "out")
    # fewer patients the second time: the volumes of the first are not imported again
    again = prepare_phantom(tmp_path / "out", patients=1, size=64, slices=3, overwrite=True)
    assert {case.patient for case in again.cases} == {"phantom_01"}


def test_real_slices_keep_their_pixel_counts(shared_data, tmp_path):
    """The first slices of both collections, held against index.csv by pandas."""
    import pandas

    for name, layout, columns in (
        ("medseg_part1", "medseg-part1", {1: "ground_glass_px", 2: "consolidation_px"}),
        ("radiopaedia_part2", "radiopaedia-part2", {4: "lesion_px"}),
    ):
        table = pandas.read_csv(shared_data / name / "index.csv").head(6)
        folder = tmp_path / name
        for part in ("images", "labels"):
            (folder / part).mkdir(parents=True)
        for key in table.iloc[:, 0]:
            stem = f"{key:03d}" if isinstance(key, int) else key
            for path in (shared_data / name).glob(f"[il][ma]*/{stem}.*"):
                (folder / path.parent.name / path.name).symlink_to(path)
        table.to_csv(folder / "index.csv", index=False)
        dataset = prepare(PictureSlices(folder, LAYOUTS[layout], canvas=630), tmp_path / f"{name}-out")
        assert len(dataset.cases) == 6
        for case, (_, row) in zip(dataset.cases, table.iterrows(), strict=True):
            mask = np.asarray(nibabel.load(dataset.folder / case.label).dataobj)
            for label, column in columns.items():
                assert case.pixels.get(label, 0) == row[column] == (mask == label).sum()


def test_real_slices_lie_with_the_spine_at_the_back(shared_data):
    """Bone is brightest in the posterior half, at the midline: so y grows to posterior."""
    for name, layout in (("medseg_part1", "medseg-part1"), ("radiopaedia_part2", "radiopaedia-part2")):
        items = iter(PictureSlices(shared_data / name, LAYOUTS[layout]))
        bright = []
        for _ in range(8):
            image = next(items).image[:, :, 0]
            width, height = image.shape
            middle = image[2 * width // 5 : 3 * width // 5]
            bright.append(middle[:, 3 * height // 4 :].mean() - middle[:, : height // 4].mean())
        assert np.mean(bright) > 0


def test_the_manifest_is_written_last(tmp_path, monkeypatch):
    import os

    moved = []
    original = os.replace

    def watch(source, target):
        moved.append(str(target))
        original(source, target)

    monkeypatch.setattr("covid_monai.data.writer.os.replace", watch)
    prepare(source_of(write_volume(tmp_path / "in", "v")), tmp_path / "out")
    assert moved[-1] == str(tmp_path / "out" / "dataset.json")
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["version"] == 1


def test_a_source_without_slices_is_refused(tmp_path):
    pair = write_volume(tmp_path / "in", "v")
    nibabel.save(nibabel.Nifti1Image(np.zeros((60, 50, 3), np.uint8), AFFINE), pair.mask)
    with pytest.raises(InputError, match="gave no slices"):
        prepare(NiftiSlices([pair], {1: 1}, "test", lesion_slices_only=True), tmp_path / "out")
