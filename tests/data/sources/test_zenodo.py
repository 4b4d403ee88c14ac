import shutil
import zipfile

import numpy as np
import pytest

from covid_monai.data.sources.zenodo import ZenodoVolumes
from covid_monai.errors import InputError
from tests.data.sources.published import RAS, ZENODO_NAMES, phantom, save, total, write_zenodo


@pytest.fixture
def record(tmp_path):
    write_zenodo(tmp_path)
    return tmp_path


def infected() -> dict[int, int]:
    return {4: sum(int((phantom(seed % 3)[1] > 0).sum()) for seed in range(len(ZENODO_NAMES)))}


def test_all_volumes_come_out_upright_with_their_pixel_counts(record):
    source = ZenodoVolumes(record)
    items = list(source)
    assert len(items) == source.count == 20
    assert total(items) == infected()
    for seed, name in enumerate(ZENODO_NAMES):
        image, mask = phantom(seed % 3)
        found = [item for item in items if item.volume == name]
        np.testing.assert_array_equal(np.concatenate([item.label for item in found], 2) == 4, mask > 0)
        values = np.concatenate([item.image for item in found], 2)
        if name.startswith("coronacases"):
            np.testing.assert_array_equal(values, image)
        else:
            # half a grey step of 1500 / 255 HU, and half a unit of rounding
            np.testing.assert_allclose(values, np.clip(image, -1250, 250), atol=1500 / 255 / 2 + 0.5)


def test_8_bit_volumes_are_mapped_back_by_their_own_window(record):
    items = [item for item in ZenodoVolumes(record) if item.volume.startswith("radiopaedia")]
    assert {item.intensity for item in items} == {"window"}
    grey = np.rint((np.clip(phantom(1)[0], -1250, 250) + 1250) / 1500 * 255)
    expected = np.rint(-1250 + grey * 1500 / 255)
    np.testing.assert_array_equal(np.concatenate([item.image for item in items[:5]], 2), expected)


def test_patients_are_told_by_the_names(record):
    assert {item.volume: item.patient for item in ZenodoVolumes(record)} == {
        "coronacases_001": "coronacases_001",
        "radiopaedia_10_85902_1": "radiopaedia_10",
        "radiopaedia_10_85902_3": "radiopaedia_10",
        "radiopaedia_4_85506_1": "radiopaedia_4",
    }


def test_the_turn_of_radiopaedia_volumes_can_be_left_out(record):
    turned, plain = ZenodoVolumes(record), ZenodoVolumes(record, flip_radiopaedia=False)
    for flipped, other in zip(turned, plain, strict=True):
        flip = flipped.volume.startswith("radiopaedia")
        np.testing.assert_array_equal(flipped.label, other.label[:, ::-1] if flip else other.label)
        np.testing.assert_array_equal(flipped.image, other.image[:, ::-1] if flip else other.image)


def test_masks_of_lung_and_infection_give_the_same_lesions(record):
    expected = [item.label for item in ZenodoVolumes(record)]
    shutil.rmtree(record / "Infection_Mask")
    for ours, theirs in zip(ZenodoVolumes(record), expected, strict=True):
        np.testing.assert_array_equal(ours.label, theirs)


def test_zip_archives_are_read_as_they_are_downloaded(record):
    expected = list(ZenodoVolumes(record))
    for name in ("COVID-19-CT-Seg_20cases", "Infection_Mask"):
        with zipfile.ZipFile(record / f"{name}.zip", "w") as archive:
            for path in sorted((record / name).iterdir()):
                archive.write(path, path.name)
        shutil.rmtree(record / name)
    for ours, theirs in zip(ZenodoVolumes(record), expected, strict=True):
        np.testing.assert_array_equal(ours.image, theirs.image)


def test_slices_without_lesion_are_left_out_on_request(record):
    whole = [item.case for item in ZenodoVolumes(record) if item.pixels]
    source = ZenodoVolumes(record, lesion_slices_only=True)
    assert [item.case for item in source] == whole
    assert source.count is None


def test_a_scale_that_the_name_does_not_promise_is_refused(record):
    image, _ = phantom()
    grey = record / "COVID-19-CT-Seg_20cases/radiopaedia_4_85506_1.nii.gz"
    save(grey, image, RAS)
    with pytest.raises(InputError, match=r"radiopaedia_4_85506_1.*8-bit") as caught:
        list(ZenodoVolumes(record))
    # `data prepare zenodo` has no such option itself
    assert "`data prepare nifti` and `predict` have --intensity hu" in str(caught.value)
    save(record / "COVID-19-CT-Seg_20cases/coronacases_001.nii.gz", np.clip(image // 8 + 128, 0, 255), RAS)
    with pytest.raises(InputError, match="coronacases_001 is 8-bit"):
        list(ZenodoVolumes(record))


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="covid-monai data download zenodo"):
        ZenodoVolumes(tmp_path)
