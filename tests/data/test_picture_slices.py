from dataclasses import replace

import nibabel
import numpy as np
import pytest
from PIL import Image

from covid_monai.data.sources.picture_index import LAYOUTS, Layout
from covid_monai.data.sources.slices import PictureSlices
from covid_monai.errors import InputError, InputWarning

PLAIN = replace(LAYOUTS["plain"], label_map={1: 1, 2: 2})
# as displayed: 3 rows (anterior first), 5 columns (the patient's right first), one lesion pixel each
GREY = np.full((3, 5), 200, dtype=np.uint8)
GREY[0, 1] = 10
MASK = np.zeros((3, 5), dtype=np.uint8)
MASK[0, 1], MASK[2, 4] = 1, 2


@pytest.fixture
def folder(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for stem in ("a", "b"):
        Image.fromarray(GREY).save(tmp_path / "images" / f"{stem}.png")
        Image.fromarray(MASK).save(tmp_path / "labels" / f"{stem}.png")
    return tmp_path


def write_index(folder, text: str) -> None:
    (folder / "index.csv").write_text(text)


def first(folder, layout: Layout = PLAIN, **settings):
    return next(iter(PictureSlices(folder, layout, **settings)))


def test_a_displayed_picture_becomes_an_lps_array(folder):
    item = first(folder)
    assert item.image.shape == item.label.shape == (5, 3, 1)
    assert nibabel.aff2axcodes(item.affine) == ("L", "P", "S")
    # x grows to the patient's left, y to posterior
    assert item.label[1, 0, 0] == 1
    assert item.label[4, 2, 0] == 2
    assert np.argmin(item.image[:, :, 0]) == np.ravel_multi_index((1, 0), (5, 3))


@pytest.mark.parametrize(
    ("stored", "layout"),
    [
        (lambda picture: picture.T, replace(PLAIN, transpose=True)),
        (lambda picture: picture[::-1], replace(PLAIN, flip_rows=True)),
        (lambda picture: picture[::-1].T, replace(PLAIN, transpose=True, flip_rows=True)),
    ],
)
def test_turned_pictures_come_out_alike(folder, stored, layout):
    expected = first(folder)
    Image.fromarray(np.ascontiguousarray(stored(GREY))).save(folder / "images" / "a.png")
    Image.fromarray(np.ascontiguousarray(stored(MASK))).save(folder / "labels" / "a.png")
    item = first(folder, layout)
    np.testing.assert_array_equal(item.image, expected.image)
    np.testing.assert_array_equal(item.label, expected.label)


@pytest.mark.parametrize("turn", [{}, {"transpose": True}, {"flip_rows": True}, {"transpose": True, "flip_rows": True}])
def test_a_crop_returns_to_its_place_on_the_canvas(tmp_path, turn):
    random = np.random.default_rng(0)
    canvas_grey = random.integers(1, 256, (20, 20), dtype=np.uint8)
    canvas_mask = random.integers(0, 3, (20, 20), dtype=np.uint8)
    row, column, height, width = 4, 9, 11, 6
    crop = np.s_[row : row + height, column : column + width]
    for name, whole in (("images", canvas_grey), ("labels", canvas_mask)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.ascontiguousarray(whole[crop])).save(tmp_path / name / "a.png")
    write_index(tmp_path, f"name,x,y\na,{column},{row}\n")
    cropped = first(tmp_path, replace(PLAIN, grid=20, **turn))
    pasted = first(tmp_path, replace(PLAIN, grid=20, **turn), canvas=20)
    # the whole canvas, turned the same way
    (tmp_path / "index.csv").unlink()
    for name, whole in (("images", canvas_grey), ("labels", canvas_mask)):
        Image.fromarray(whole).save(tmp_path / name / "a.png")
    whole = first(tmp_path, replace(PLAIN, **turn))
    assert pasted.image.shape == (20, 20, 1)
    (x, y), (nx, ny) = pasted.canvas.offset, cropped.image.shape[:2]
    place = np.s_[x : x + nx, y : y + ny]
    for grey, other in ((pasted.image, cropped.image), (pasted.label, cropped.label)):
        np.testing.assert_array_equal(grey[place], other)
    np.testing.assert_array_equal(pasted.image[place], whole.image[place])
    np.testing.assert_array_equal(pasted.label[place], whole.label[place])
    outside = np.ones((20, 20), dtype=bool)
    outside[place] = False
    assert set(pasted.image[outside].ravel()) == {-1024}
    assert not pasted.label[outside].any()
    assert pasted.canvas == cropped.canvas
    # the crop lies where it lay, in mm
    np.testing.assert_allclose(cropped.affine @ [0, 0, 0, 1], pasted.affine @ [x, y, 0, 1])


def test_without_a_place_a_slice_is_centred(folder):
    item = first(folder, canvas=9)
    assert item.canvas.offset == (2, 3)
    assert item.label[3, 3, 0] == 1


def test_a_slice_that_does_not_fit_its_canvas_is_refused(folder):
    with pytest.raises(InputError, match="does not fit a canvas of 4"):
        first(folder, canvas=4)


def test_the_index_tells_patient_volume_slice_and_part(folder):
    write_index(folder, "name,patient,volume,slice,part\nb,p2,v2,8,test\na,p1,v1,7,train\n")
    item = first(folder, spacing=(0.5, 0.6, 3.0))
    assert (item.patient, item.volume, item.slice, item.part) == ("p1", "v1", 7, "train")
    assert item.spacing_known
    np.testing.assert_allclose(item.affine, [[-0.5, 0, 0, 0], [0, -0.6, 0, 0], [0, 0, 3, 21], [0, 0, 0, 1]])


def test_without_index_nothing_is_made_up(folder):
    item = first(folder)
    assert (item.patient, item.volume, item.slice, item.part, item.canvas) == (None,) * 5
    assert not item.spacing_known


def test_numbers_in_the_index_match_padded_file_names(tmp_path):
    for name, picture in (("images", GREY), ("labels", MASK)):
        (tmp_path / name).mkdir()
        Image.fromarray(picture).save(tmp_path / name / "007.png")
    write_index(tmp_path, "name,patient\n7,p\n")
    item = first(tmp_path)
    assert (item.case, item.patient) == ("007", "p")


def test_palette_masks_are_read_by_index(folder):
    mask = Image.fromarray(MASK, mode="P")
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    mask.save(folder / "labels" / "a.png")
    assert first(folder).pixels == {1: 1, 2: 1}


def test_coloured_masks_are_read_by_colour(folder):
    colours = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 0]], dtype=np.uint8)
    Image.fromarray(colours[MASK]).save(folder / "labels" / "a.png")
    assert first(folder, replace(PLAIN, label_map={0xFF: 1, 0xFF0000: 3})).pixels == {1: 1, 3: 1}


def test_grey_pictures_saved_as_rgb_are_read(folder):
    expected = first(folder).image
    Image.fromarray(np.repeat(GREY[..., None], 3, axis=2)).save(folder / "images" / "a.png")
    np.testing.assert_array_equal(first(folder).image, expected)


def test_images_masks_and_index_have_to_match(folder):
    write_index(folder, "name\na\nb\nc\n")
    with pytest.raises(InputError, match=r"1 of the index are not in .*images \(first: c\)"):
        PictureSlices(folder, PLAIN)
    (folder / "index.csv").unlink()
    (folder / "labels" / "b.png").unlink()
    with pytest.raises(InputError, match=r"1 of .*images are not in .*labels \(first: b\)"):
        PictureSlices(folder, PLAIN)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", "no column 'name'"),
        ("file\na\nb\n", "no column 'name'"),
        ("name\na\na\nb\n", "line 3: 'a' is named twice"),
        ("name,slice\na,first\nb,2\n", "slice is 'first'"),
        ("name,part\na,exam\nb,test\n", "part is 'exam'"),
        ("name,height\na,4\nb,3\n", "the index says height 4, found are 3"),
    ],
)
def test_a_broken_index_is_refused(folder, index, message):
    write_index(folder, index)
    with pytest.raises(InputError, match=message):
        first(folder)


def test_the_index_is_read_with_semicolons_blanks_and_other_letter_case(folder):
    write_index(folder, "Name; Patient ;SLICE\na; p1 ;7\nb;p2;8\n")
    item = first(folder)
    assert (item.patient, item.slice) == ("p1", 7)


def test_an_index_is_found_in_any_letter_case_and_another_table_is_told(folder):
    (folder / "Index.CSV").write_text("name,patient\na,p1\nb,p2\n")
    assert first(folder).patient == "p1"
    (folder / "Index.CSV").rename(folder / "mine.csv")
    with pytest.warns(InputWarning, match=r"mine\.csv is not used, .*give `index` mine\.csv"):
        assert first(folder).patient is None
    assert first(folder, replace(PLAIN, index="mine.csv")).patient == "p1"


def test_a_column_that_is_spelled_almost_right_is_told(folder):
    write_index(folder, "name,patients\na,p1\nb,p2\n")
    with pytest.warns(InputWarning, match=r"column 'patients' is not used \(did you mean 'patient'\?\)"):
        assert first(folder).patient is None


def test_a_known_layout_needs_all_its_columns(folder):
    write_index(folder, "name,volume,slice\na,v,1\nb,v,2\n")
    with pytest.raises(InputError, match="no column 'patient'"):
        PictureSlices(folder, LAYOUTS["radiopaedia-part2"])


def test_pixel_counts_of_the_index_are_checked(folder):
    write_index(folder, "name,count\na,2\nb,1\n")
    layout = replace(PLAIN, columns={"name": "name"}, pixel_columns={1: "count"})
    with pytest.raises(InputError, match="the index says pixels 1 2, found are 1"):
        first(folder, layout)


def test_truncated_pictures_are_named_and_refused(folder):
    path = folder / "images" / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"a\.png is not a readable picture"):
        first(folder)


def test_sizes_that_differ_are_refused(folder):
    Image.fromarray(MASK[:2]).save(folder / "labels" / "a.png")
    with pytest.raises(InputError, match=r"a\.png is 5 x 2 pixels, its image is 5 x 3"):
        first(folder)


def test_coloured_images_are_refused(folder):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)).save(
        folder / "images" / "a.png"
    )
    with pytest.raises(InputError, match="is not a grey picture"):
        first(folder)


def test_labels_outside_the_map_are_named_with_the_remedy(folder):
    with pytest.raises(InputError, match=r"label 2 in 1 pixels.*give `label_map` 1=lesion,2=LABEL"):
        first(folder, replace(PLAIN, label_map={1: 4}))


def test_masks_of_unknown_meaning_are_refused(folder):
    with pytest.raises(InputError, match="give `label_map`"):
        PictureSlices(folder, LAYOUTS["plain"])


def test_pictures_are_never_taken_for_hu(folder):
    with pytest.raises(InputError, match="hold no HU"):
        PictureSlices(folder, PLAIN, intensity="hu")


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        PictureSlices(tmp_path, PLAIN)
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="has no pictures"):
        PictureSlices(tmp_path, PLAIN)
