import zipfile
from collections import defaultdict

import numpy as np
import pytest

from covid_monai.data.sources.radiopaedia import RadiopaediaVolumes, patient_of, recognise_patients
from covid_monai.errors import InputError
from tests.data.sources.published import counts, phantom, save, total, write_radiopaedia

NUMBERS = [f"radiopaedia_part2_{number}" for number in range(1, 10)]


def patients(items) -> dict[str, str | None]:
    return {item.volume: item.patient for item in items}


@pytest.mark.parametrize(
    ("volume", "patient"),
    [
        ("radiopaedia_10_85902_1", "radiopaedia_10"),
        ("radiopaedia_10_85902_3", "radiopaedia_10"),
        ("radiopaedia_org_covid-19-pneumonia-29_86490_1-dcm", "radiopaedia_29"),
        ("radiopaedia_29_86491_1", "radiopaedia_29"),
        ("coronacases_001", None),
        ("radiopaedia_part2_1", None),
        ("1", None),
    ],
)
def test_radiopaedia_names_tell_the_patient(volume, patient):
    assert patient_of(volume) == patient


def test_numbered_volumes_are_imported_without_changing_a_pixel_count(tmp_path):
    write_radiopaedia(tmp_path)
    source = RadiopaediaVolumes(tmp_path)
    items = list(source)
    assert len(items) == source.count == 36
    assert {item.volume for item in items} == set(NUMBERS)
    assert items[1].case == "radiopaedia_part2_1_s001"
    expected: dict[int, int] = defaultdict(int)
    for seed in range(9):
        for label, count in counts(phantom(seed % 3)[1][..., :4]).items():
            expected[label] += count
    assert total(items) == expected
    assert items[0].intensity == "hu"
    assert items[0].spacing_known


def test_unknown_patients_are_said_in_one_line(tmp_path):
    write_radiopaedia(tmp_path)
    source = RadiopaediaVolumes(tmp_path)
    assert set(patients(source).values()) == {None}
    (note,) = source.notes
    assert "10_85902_1 and 10_85902_3; 29_86490_1 and 29_86491_1" in note
    assert "`patients`" in note


def test_named_volumes_tell_their_patients(tmp_path):
    names = ("radiopaedia_10_85902_1", "radiopaedia_10_85902_3", "radiopaedia_29_86490_1")
    write_radiopaedia(tmp_path, names, (4, 4, 4))
    source = RadiopaediaVolumes(tmp_path)
    assert patients(source) == dict(zip(names, ["radiopaedia_10"] * 2 + ["radiopaedia_29"], strict=True))
    assert source.notes == []


def test_a_list_of_patients_replaces_what_is_recognised(tmp_path):
    write_radiopaedia(tmp_path)
    lines = [f"{number},p{number // 2}" for number in range(1, 10)]
    (tmp_path / "patients.csv").write_text("case,patient\n" + "\n".join(lines) + "\n")
    source = RadiopaediaVolumes(tmp_path, tmp_path / "patients.csv")
    assert patients(source) == {name: f"p{number // 2}" for number, name in enumerate(NUMBERS, start=1)}
    assert source.notes == []
    (tmp_path / "patients.csv").write_text("case,patient\n1,p1\n")
    with pytest.raises(InputError, match="differ in radiopaedia_part2_2"):
        RadiopaediaVolumes(tmp_path, tmp_path / "patients.csv")


def test_the_published_numbers_of_slices_keep_possible_twins_together():
    depths = [45, 39, 418, 39, 66, 42, 42, 45, 93]
    found, note = recognise_patients(NUMBERS, depths)
    groups = defaultdict(set)
    for name, depth in zip(NUMBERS, depths, strict=True):
        groups[found[name]].add((name, depth))
    assert sorted(sorted(depth for _, depth in group) for group in groups.values()) == [
        [39, 39, 418],
        [42, 42],
        [45],
        [45],
        [66],
        [93],
    ]
    assert "kept together" in note
    # another set of nine volumes is not taken for the published one
    assert set(recognise_patients(NUMBERS, [*depths[:8], 94])[0].values()) == {None}


def test_slices_without_lesion_are_left_out_on_request(tmp_path):
    write_radiopaedia(tmp_path, ("1",), (3,))
    image, mask = phantom()
    alone = np.where(np.arange(5) == 1, mask, 0).astype(np.uint8)
    save(tmp_path / "rp_im/1.nii.gz", image)
    save(tmp_path / "rp_msk/1.nii.gz", alone)
    assert [item.slice for item in RadiopaediaVolumes(tmp_path, lesion_slices_only=True)] == [1]


def test_zip_archives_are_read_as_they_are_downloaded(tmp_path):
    write_radiopaedia(tmp_path / "plain")
    expected = list(RadiopaediaVolumes(tmp_path / "plain"))
    (tmp_path / "zipped").mkdir()
    for name, prefix in (("rp_im", "rp_im/"), ("rp_msk", "")):
        with zipfile.ZipFile(tmp_path / f"zipped/{name}.zip", "w") as archive:
            for path in sorted((tmp_path / "plain" / name).iterdir()):
                archive.write(path, prefix + path.name)
    for ours, theirs in zip(RadiopaediaVolumes(tmp_path / "zipped"), expected, strict=True):
        assert ours.case == theirs.case
        np.testing.assert_array_equal(ours.image, theirs.image)
        np.testing.assert_array_equal(ours.label, theirs.label)


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="lacks rp_im or rp_msk"):
        RadiopaediaVolumes(tmp_path)
