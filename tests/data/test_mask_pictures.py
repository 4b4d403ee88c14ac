import re

import numpy as np
import pytest
from PIL import Image

from covid_monai.data.sources.labels import map_labels, parse_label_map
from covid_monai.data.sources.mask_pictures import read_mask
from covid_monai.data.sources.pictures import read_grey
from covid_monai.errors import InputError

LESION = np.zeros((6, 8), np.uint8)
LESION[1:3, 2:5] = 1
TWO = LESION.copy()
TWO[4, 6] = 2
RED_GREEN = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)


def palette(indices: np.ndarray, *colours: int) -> Image.Image:
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette([byte for colour in colours for byte in colour.to_bytes(3, "big")])
    return picture


def saved(picture, folder, ending=".png", **settings):
    path = folder / f"m{ending}"
    picture.save(path, **settings)
    return path


def labelled(path, text):
    """A mask's labels by a label map, as an importer reads them."""
    label_map = parse_label_map(text)
    found = read_mask(path, label_map)
    return map_labels(found.labels, label_map, str(path), coloured=found.coloured)


VOC = (0x000000, 0x800000, 0x008000)


@pytest.mark.parametrize(
    ("picture", "label_map"),
    [
        (palette(TWO, *VOC), "1=1,2=2"),
        (palette(TWO, *VOC), "0x800000=1,0x008000=2"),
        (palette(2 - TWO, 0x008000, 0x800000, 0), "0x800000=1,0x008000=2"),
        (palette(TWO, 0, 0xFF0000, 0x0000FF), "0xff0000=1,0x0000ff=2"),
        (palette(TWO, 0, 0x010101, 0x020202), "1=1,2=2"),
        (palette(TWO, 0, 0x808080, 0xFFFFFF), "128=1,255=2"),
        (palette(TWO, 0, 0x808080, 0xFFFFFF), "1=1,2=2"),
        (palette(TWO, 0, 0x808080, 0xFFFFFF), "0x808080=1,0xffffff=2"),
        # a background that is shown white, as a figure's, by its colours
        (palette(TWO, 0xFFFFFF, 0xFF0000, 0x00FF00), "0xffffff=0,0xff0000=1,0x00ff00=2"),
        (Image.fromarray(RED_GREEN[TWO]), "0xff0000=1,0x00ff00=2"),
        (Image.fromarray(RED_GREEN[TWO]).convert("RGBA"), "0xff0000=1,0x00ff00=2"),
        (Image.fromarray(TWO * 100).convert("RGB"), "100=1,200=2"),
        (Image.fromarray(TWO * 100).convert("LA"), "100=1,200=2"),
        (Image.fromarray(TWO.astype(np.uint16) * 1000), "1000=1,2000=2"),
    ],
)
def test_a_mask_is_read_by_what_its_label_map_names(tmp_path, picture, label_map):
    np.testing.assert_array_equal(labelled(saved(picture, tmp_path), label_map), TWO)


@pytest.mark.parametrize("label_map", ["1=1", "255=1", "0xffffff=1"])
@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif"])
def test_one_bit_a_pixel_is_0_and_1_or_0_and_255(tmp_path, label_map, ending):
    path = saved(Image.fromarray(LESION * 255).convert("1"), tmp_path, ending)
    np.testing.assert_array_equal(labelled(path, label_map), LESION)


def quantized():
    """As Pillow's ``quantize`` makes it: entry 0 of the palette is white, the lesion."""
    return palette(1 - LESION, 0xFFFFFF, 0x000000)


def test_a_palette_whose_index_0_is_white_is_never_taken_by_its_indices(tmp_path):
    path = saved(quantized(), tmp_path)
    np.testing.assert_array_equal(labelled(path, "255=1"), LESION)
    with pytest.raises(InputError, match="its index 0, the background, is the colour 0xffffff") as caught:
        labelled(path, "1=1")
    advice = re.search(r"such as (0x\w+=lesion)", str(caught.value))[1]
    np.testing.assert_array_equal(labelled(path, advice) == 4, LESION == 1)
    # and the other advice: the indices as a grey picture
    np.testing.assert_array_equal(
        labelled(saved(Image.fromarray(np.asarray(Image.open(path))), tmp_path), "1=1"), 1 - LESION
    )


def test_without_a_label_map_readings_that_differ_are_refused(tmp_path):
    path = saved(quantized(), tmp_path)
    with pytest.raises(InputError, match=r"both could be meant.*in `labels`, such as 0xffffff=lesion"):
        read_mask(path, argument="labels")
    np.testing.assert_array_equal(read_mask(path, {0xFFFFFF: 1}).labels == 0xFFFFFF, LESION == 1)
    path = saved(palette(TWO, *VOC), tmp_path)
    np.testing.assert_array_equal(read_mask(path).labels, TWO)


def test_a_map_that_fits_both_readings_in_two_ways_is_refused(tmp_path):
    # an inverted look-up table: 255 is shown black
    path = saved(palette(LESION * 255, *(entry * 0x010101 for entry in range(255, -1, -1))), tmp_path)
    with pytest.raises(InputError, match="both could be meant"):
        labelled(path, "255=1")
    np.testing.assert_array_equal(labelled(path, "0xffffff=1"), 1 - LESION)


def test_a_transparent_index_0_is_the_background(tmp_path):
    path = saved(palette(LESION, 0xFFFFFF, 0xFF0000), tmp_path, transparency=0)
    np.testing.assert_array_equal(labelled(path, "1=1"), LESION)


def test_a_palette_that_fits_in_no_way_is_told_by_indices_and_colours(tmp_path):
    path = saved(palette(TWO, *VOC), tmp_path)
    with pytest.raises(InputError, match="the indices 0, 1, 2 and the colours 0, 0x008000, 0x800000"):
        labelled(path, "1=1")
    np.testing.assert_array_equal(labelled(path, "1=1,2=background"), LESION * (TWO < 2))


def test_colours_outside_the_map_are_named_as_colours(tmp_path):
    path = saved(Image.fromarray(RED_GREEN[TWO]), tmp_path)
    with pytest.raises(InputError, match=r"label 0x00ff00 in 1 pixels.*`label_map` 0xff0000=lesion,0x00ff00=LABEL"):
        labelled(path, "0xff0000=lesion")


def test_a_label_map_of_numbers_is_told_as_such_beside_colours(tmp_path):
    path = saved(Image.fromarray(RED_GREEN[LESION]), tmp_path)
    with pytest.raises(InputError, match=r"the label map has 0, 1: give `label_map` 1=lesion,0xff0000=LABEL "):
        labelled(path, "1=lesion")


def test_white_is_no_blue(tmp_path):
    path = saved(Image.fromarray(LESION * 255), tmp_path)
    with pytest.raises(InputError, match="label 0xffffff"):
        labelled(path, "0x0000ff=1,0x00ff00=2,0xff0000=3")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_is_refused_where_it_changed_the_mask(tmp_path, mode):
    random = np.random.default_rng(0).integers(0, 2, (40, 40)).astype(np.uint8)
    path = saved(Image.fromarray(random * 255).convert(mode), tmp_path, ".jpg", quality=60)
    with pytest.raises(InputError, match=r"is a JPEG.*threshold it \(values > 127\) and save that as PNG"):
        labelled(path, "255=1")
    thresholded = (np.asarray(Image.open(path).convert("L")) > 127) * np.uint8(255)
    np.testing.assert_array_equal(labelled(saved(Image.fromarray(thresholded), tmp_path), "255=1"), random)


def test_transparent_pixels_are_refused(tmp_path):
    colours = np.dstack([RED_GREEN[TWO], (TWO > 0) * np.uint8(255)])
    path = saved(Image.fromarray(colours, "RGBA"), tmp_path)
    with pytest.raises(InputError, match=r"has 41 transparent pixels of 48.*flatten it on black"):
        labelled(path, "0xff0000=1,0x00ff00=2")
    flat = Image.alpha_composite(Image.new("RGBA", (8, 6), (0, 0, 0, 255)), Image.open(path))
    np.testing.assert_array_equal(labelled(saved(flat.convert("RGB"), tmp_path), "0xff0000=1,0x00ff00=2"), TWO)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_and_masks_are_turned_as_their_exif_data_say(tmp_path, ending, orientation):
    grey = np.zeros((16, 24), np.uint8)
    grey[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(grey), tmp_path, ending, exif=exif)
    # TIFF and EXIF: where the stored first row and first column are shown
    shown = {
        1: grey,
        2: grey[:, ::-1],
        3: grey[::-1, ::-1],
        4: grey[::-1],
        5: grey.T,
        6: grey.T[:, ::-1],
        7: grey.T[::-1, ::-1],
        8: grey.T[::-1],
    }[orientation]
    np.testing.assert_array_equal(read_grey(path) > 127, shown > 127)
    if ending != ".jpg":
        np.testing.assert_array_equal(read_mask(path, {255: 1}).labels, shown)


@pytest.mark.parametrize(("ending", "read"), [(".tif", read_grey), (".tif", read_mask), (".png", read_mask)])
def test_pages_are_counted_and_refused(tmp_path, ending, read):
    pages = [Image.fromarray(LESION * value) for value in (50, 100, 150)]
    path = saved(pages[0], tmp_path, ending, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="has 3 pages: save each page as a picture of its own"):
        read(path)


@pytest.mark.parametrize(("mode", "ending"), [("CMYK", ".tif"), ("LAB", ".tif"), ("CMYK", ".jpg")])
def test_pictures_of_print_are_refused(tmp_path, mode, ending):
    path = saved(Image.new(mode, (8, 6)), tmp_path, ending)
    for read in (read_grey, read_mask):
        with pytest.raises(InputError, match=f"is a {mode} picture: save it as grey or RGB"):
            read(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_a_grey_image_is_read_whatever_its_mode(tmp_path, mode):
    grey = LESION * np.uint8(255)
    picture = Image.fromarray(grey.astype(np.uint16)) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    found = read_grey(saved(picture, tmp_path))
    np.testing.assert_array_equal(found > 0, LESION > 0)


def test_an_image_with_transparent_pixels_or_colours_is_refused(tmp_path):
    colours = np.dstack([RED_GREEN[TWO], np.full(TWO.shape, 255, np.uint8)])
    with pytest.raises(InputError, match="7 of 48 pixels have a colour"):
        read_grey(saved(Image.fromarray(colours, "RGBA"), tmp_path))
    colours[..., 3] = 254
    with pytest.raises(InputError, match="transparent pixels"):
        read_grey(saved(Image.fromarray(colours, "RGBA"), tmp_path))


def test_pictures_that_cannot_be_read_are_told_why(tmp_path):
    path = tmp_path / "m.png"
    whole = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)), tmp_path).read_bytes()
    tiff = saved(Image.fromarray(LESION), tmp_path, ".tif").read_bytes()
    # the tag of the compression, whose number is none
    at = tiff.index(b"\x03\x01\x03\x00\x01\x00\x00\x00") + 8
    for content, reason in (
        (b"", "it is empty"),
        (b"case,patient", "no kind that is known"),
        (whole[:-500], "truncated or damaged"),
        (tiff[:at] + b"\x99\x99" + tiff[at + 2 :], "truncated or damaged|no kind that is known"),
    ):
        path.write_bytes(content)
        for read in (read_grey, read_mask):
            with pytest.raises(InputError, match=rf"m\.png is not a readable picture \(.*({reason})"):
                read(path)
