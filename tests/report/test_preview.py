import nibabel
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from covid_monai.errors import InputError
from covid_monai.palette import YELLOW
from covid_monai.report import preview
from covid_monai.report.preview import draw_preview, slices_with_lesion
from covid_monai.report.volumes import read_image, read_mask

LPS = np.diag([-1.0, -1.0, 2.0, 1.0])
# where a header that does not say has its origin, once its axes are said to be LPS
LPS_CENTRED = [[-1, 0, 0, 11.5], [0, -1, 0, 9.5], [0, 0, 2, -11], [0, 0, 0, 1]]


def save(path, values, affine=LPS):
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def ct(shape=(24, 20, 12)):
    values = np.full(shape, -800, np.int16)
    values[0, 0, 0] = 50
    return values


def test_a_volume_in_another_orientation_is_turned_to_lps(tmp_path):
    values = np.random.default_rng(0).integers(-1000, 200, (5, 6, 7)).astype(np.int16)
    lps = nibabel.Nifti1Image(values, np.diag([-1.0, -2.0, 3.0, 1.0]))
    turned = lps.as_reoriented(nibabel.orientations.axcodes2ornt("SAR", (("L", "R"), ("P", "A"), ("I", "S"))))
    nibabel.save(turned, tmp_path / "turned.nii.gz")
    volume = read_image(tmp_path / "turned.nii.gz")
    canonical = nibabel.as_closest_canonical(turned)
    np.testing.assert_array_equal(volume.values, np.asarray(canonical.dataobj)[::-1, ::-1])
    assert volume.spacing == (
        canonical.header.get_zooms()[0],
        canonical.header.get_zooms()[1],
        canonical.header.get_zooms()[2],
    )


def test_8_bit_values_are_spread_over_the_lung_window(tmp_path):
    volume = read_image(save(tmp_path / "grey.nii.gz", np.arange(256, dtype=np.uint8).reshape(16, 16, 1)))
    assert volume.values.min() == -1024
    assert volume.values.max() == 600


@pytest.mark.parametrize("value", [-1, 0.5, 300])
def test_a_mask_of_other_values_is_refused(tmp_path, value):
    with pytest.raises(InputError, match="not integers 0 to 255"):
        read_mask(save(tmp_path / "mask.nii.gz", np.full((4, 4, 1), value, np.float32)))


def test_slices_with_most_lesion_are_chosen_apart_from_each_other():
    lesion = np.zeros((10, 10, 40), bool)
    lesion[:2, :2, 5:35] = True
    lesion[:, :, 20] = True
    chosen = slices_with_lesion(lesion, 4)
    assert 20 in chosen
    assert len(chosen) == 4
    assert np.diff(chosen).min() >= 4
    assert lesion[:, :, chosen].any(axis=(0, 1)).all()


def test_without_lesion_slices_are_spread_over_the_volume():
    assert slices_with_lesion(np.zeros((4, 4, 11), bool), 3) == [2, 5, 8]
    assert slices_with_lesion(np.zeros((4, 4, 1), bool), 6) == [0]


@pytest.mark.parametrize(
    ("shape", "classes"),
    [
        ((1, 200, 12), 0),
        ((200, 1, 12), 0),
        ((2, 200, 1), 0),
        ((200, 2, 3), 0),
        ((24, 20, 12), 2),
        ((24, 20, 12), 0),
        ((24, 20, 2), 1),
        ((24, 20, 1), 1),
    ],
)
def test_volumes_and_slices_make_a_picture(tmp_path, shape, classes):
    mask = np.zeros(shape, np.uint8)
    for value in range(1, classes + 1):
        mask[4 * value : 4 * value + 3, 5:9] = value
    image, labels = save(tmp_path / "ct.nii.gz", ct(shape)), save(tmp_path / "mask.nii.gz", mask)
    draw_preview(image, labels, tmp_path / "preview.png")
    with Image.open(tmp_path / "preview.png") as picture:
        colours = np.asarray(picture.convert("RGB")).astype(int)
    assert bool((colours.max(axis=-1) - colours.min(axis=-1) > 40).any()) == (classes > 0)


def test_the_head_is_up_and_the_right_side_left_in_the_coronal_view(tmp_path):
    """A bright block at the patient's upper right is in the coronal panel's upper left."""
    values = np.full((40, 4, 40), -800, np.int16)
    mask = np.zeros(values.shape, np.uint8)
    values[:20, :, 20:] = 400
    mask[18:22, 1, 18:22] = 1
    draw_preview(
        save(tmp_path / "ct.nii.gz", values, np.diag([-1.0, -1.0, 1.0, 1.0])),
        save(tmp_path / "mask.nii.gz", mask, np.diag([-1.0, -1.0, 1.0, 1.0])),
        tmp_path / "preview.png",
    )
    with Image.open(tmp_path / "preview.png") as picture:
        grey = np.asarray(picture.convert("L")).astype(int)
    dark = np.abs(grey - 93) < 12
    rows = np.flatnonzero(dark.sum(axis=1) > 50)
    # the lowest dark rows belong to the coronal panel: dark from side to side; above them only its right half
    bottom = rows.max()
    columns = np.flatnonzero(dark[bottom - 5])
    left, right = columns.min(), columns.max()
    middle = (left + right) // 2
    above = bottom - int(0.75 * (right - left))
    assert dark[above, middle + 10 : right - 5].mean() > 0.9
    assert dark[above, left + 5 : middle - 10].mean() < 0.1


def test_a_mask_on_another_grid_is_refused(tmp_path):
    image = save(tmp_path / "ct.nii.gz", ct())
    mask = save(tmp_path / "mask.nii.gz", np.zeros((24, 20, 11), np.uint8))
    with pytest.raises(InputError, match="24 x 20 x 12"):
        draw_preview(image, mask, tmp_path / "preview.png")


def test_a_mask_of_the_same_shape_elsewhere_is_refused(tmp_path):
    image = save(tmp_path / "ct.nii.gz", ct())
    mask = save(tmp_path / "mask.nii.gz", np.zeros((24, 20, 12), np.uint8), LPS @ np.diag([-1, 1, 1, 1]))
    with pytest.raises(InputError, match="mm from"):
        draw_preview(image, mask, tmp_path / "preview.png")


@pytest.mark.parametrize("shape", [(1, 512, 12), (512, 1, 12), (1, 512, 1), (512, 1, 1), (3, 700, 2)])
def test_a_slice_of_few_pixels_in_one_direction_makes_a_picture_of_bounded_size(tmp_path, shape):
    draw_preview(
        save(tmp_path / "ct.nii.gz", ct(shape)),
        save(tmp_path / "mask.nii.gz", np.zeros(shape, np.uint8)),
        tmp_path / "preview.png",
    )
    with Image.open(tmp_path / "preview.png") as picture:
        assert max(picture.size) < 4000


def test_the_names_of_classes_and_the_reading_of_the_ct_come_from_the_record_beside_the_mask(tmp_path, monkeypatch):
    import json

    from covid_monai.report import preview

    image = nibabel.Nifti1Image(ct(), LPS)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "ct.nii.gz")
    mask = np.zeros(ct().shape, np.uint8)
    mask[5:9, 5:9] = 2
    save(tmp_path / "mask.nii.gz", mask, np.array(LPS_CENTRED))
    record = {
        "format": "covid-monai mask",
        "classes": {"0": "background", "1": "ground-glass", "2": "consolidation"},
        "settings": {"intensity": "hu", "orientation": "LPS"},
    }
    (tmp_path / "mask.json").write_text(json.dumps(record))
    names = []
    monkeypatch.setattr(preview, "_add_legend", lambda figure, labels, truth, class_names: names.append(class_names))
    draw_preview(tmp_path / "ct.nii.gz", tmp_path / "mask.nii.gz", tmp_path / "preview.png")
    assert names == [["background", "ground-glass", "consolidation"]]


def test_a_reference_is_outlined_counts_for_the_slices_and_is_scored(tmp_path, monkeypatch):
    titles, painted = [], []
    monkeypatch.setattr(Figure, "suptitle", lambda _, text, **kwargs: titles.append(text))
    monkeypatch.setattr(preview, "outline_mask", lambda axes, mask, colour: painted.append((colour, int(mask.sum()))))
    predicted, drawn = np.zeros((2, 24, 20, 12), np.uint8)
    predicted[4:8, 4:8, 2] = 1
    drawn[4:8, 4:6, 2] = 4
    drawn[:2, :3, 9] = 4
    image, mask = save(tmp_path / "ct.nii.gz", ct()), save(tmp_path / "mask.nii.gz", predicted)
    draw_preview(image, mask, tmp_path / "p.png", reference=save(tmp_path / "reference.nii.gz", drawn))
    assert titles == ["ct.nii.gz: lesion predicted in 1 of 12 slices, drawn in 2 of 12, Dice 0.533"]
    assert (YELLOW, 8) in painted
    assert (YELLOW, 6) in painted
    with pytest.raises(InputError, match=r"other\.nii\.gz 24 x 20 x 11 voxels; give a mask on the image's grid"):
        draw_preview(image, mask, tmp_path / "p.png", reference=save(tmp_path / "other.nii.gz", drawn[:, :, 1:]))
