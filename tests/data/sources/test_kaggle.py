import pickle

import numpy as np
import pytest

from covid_monai.data.sources import kaggle
from covid_monai.data.sources.kaggle import KaggleArrays, Published
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from tests.data.sources.published import SIZE, counts, phantom, total, write_kaggle


def test_both_parts_are_imported_without_changing_a_pixel_count(tmp_path):
    write_kaggle(tmp_path)
    source = KaggleArrays(tmp_path)
    items = list(source)
    assert [item.case for item in items][::5] == ["medseg_000", "radiopedia_000"]
    assert len(items) == source.count == 10
    for part in (0, 1):
        image, mask = phantom(part)
        found = items[5 * part : 5 * part + 5]
        expected = counts(mask)
        assert total(found) == {1: expected[1], 2: expected[2]}
        for index, item in enumerate(found):
            np.testing.assert_array_equal(item.image[..., 0], image[:, :, index])
            np.testing.assert_array_equal(item.label[..., 0] == 2, mask[:, :, index] == 2)
            assert (item.patient, item.volume, item.intensity, item.slice) == (None, None, "hu", index)
            assert item.pixels == counts(item.label)
            assert not item.spacing_known


def test_one_part_alone_is_enough(tmp_path):
    write_kaggle(tmp_path, ("radiopedia",))
    assert KaggleArrays(tmp_path).count == 5


def test_slices_are_turned_on_request(tmp_path):
    write_kaggle(tmp_path, ("medseg",))
    plain = next(iter(KaggleArrays(tmp_path))).label
    np.testing.assert_array_equal(next(iter(KaggleArrays(tmp_path, flip_rows=True))).label, plain[:, ::-1])
    turned = next(iter(KaggleArrays(tmp_path, transpose=True))).label
    np.testing.assert_array_equal(turned, plain.transpose(1, 0, 2))


def test_healthy_lung_and_unmarked_pixels_are_background(tmp_path):
    write_kaggle(tmp_path, ("medseg",))
    masks = np.load(tmp_path / "masks_medseg.npy")
    masks[..., 3] = 0
    np.save(tmp_path / "masks_medseg.npy", masks)
    expected = counts(phantom()[1])
    assert total(KaggleArrays(tmp_path)) == {1: expected[1], 2: expected[2]}


def test_another_size_is_noted_and_not_compared_with_the_published_checksum(tmp_path):
    write_kaggle(tmp_path, ("medseg",))
    notes = KaggleArrays(tmp_path).notes
    assert sum("its checksum is not compared" in note for note in notes) == 2


def test_the_published_size_needs_the_published_checksum(tmp_path, monkeypatch):
    write_kaggle(tmp_path, ("medseg",))
    for kind in ("images", "masks"):
        path = tmp_path / f"{kind}_medseg.npy"
        monkeypatch.setitem(kaggle.PUBLISHED, path.name, Published((5, SIZE, SIZE), sha256_of(path)))
    assert not any("checksum" in note for note in KaggleArrays(tmp_path).notes)
    images = np.load(tmp_path / "images_medseg.npy")
    images[0, 0, 0] += 1
    np.save(tmp_path / "images_medseg.npy", images)
    with pytest.raises(InputError, match=r"images_medseg\.npy is damaged or changed"):
        KaggleArrays(tmp_path)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


def test_nothing_is_unpickled(tmp_path):
    write_kaggle(tmp_path, ("medseg",))
    np.save(tmp_path / "images_medseg.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="no readable array of numbers"):
        KaggleArrays(tmp_path)
    (tmp_path / "images_medseg.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="no readable array of numbers"):
        KaggleArrays(tmp_path)


def broken(images, masks):
    several, odd, nan = masks.copy(), masks.copy(), images.copy()
    several[0, 0, 0, :2], odd[0, 0, 0, 0], nan[1, 2, 3] = 1, 0.5, np.nan
    return {
        "shape": (images[..., 0, 0], masks, "expected (slices, rows, columns, 1)"),
        "classes": (images, masks[..., :3], "masks_medseg.npy has shape"),
        "several classes": (images, several, "1 pixels have several classes"),
        "not one-hot": (images, odd, "values other than 0 and 1"),
        "NaN": (nan, masks, "NaN"),
        "HU + 1024": (images + 1024, masks, "look like HU + 1024"),
        "text": (images.astype(str), masks, "no array of real numbers"),
    }


@pytest.mark.parametrize("name", broken(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 4))))
def test_broken_arrays_are_named_and_refused(tmp_path, name):
    write_kaggle(tmp_path, ("medseg",))
    arrays = broken(*(np.load(tmp_path / f"{kind}_medseg.npy") for kind in ("images", "masks")))
    images, masks, message = arrays[name]
    np.save(tmp_path / "images_medseg.npy", images)
    np.save(tmp_path / "masks_medseg.npy", masks)
    with pytest.raises(InputError) as caught:
        list(KaggleArrays(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="has no images_medseg"):
        KaggleArrays(tmp_path)
    write_kaggle(tmp_path, ("medseg",))
    path = tmp_path / "masks_medseg.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="no readable array"):
        KaggleArrays(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        KaggleArrays(tmp_path)
