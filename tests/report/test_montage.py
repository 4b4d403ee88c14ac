"""Figures of masks of several tools, and the slices that they choose."""

import re

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from covid_monai.cli import root
from covid_monai.errors import InputError, InputWarning
from covid_monai.palette import FINDING_COLOURS
from covid_monai.report.compared_masks import numbered_slices, read_comparison, slices_with_most, worst_slices
from covid_monai.report.montage import DOTS_PER_INCH, draw_montage
from covid_monai.report.overlays import AGREEMENT
from tests.inference.drawn_studies import coarse_thorax, write_dicom, write_nifti

LABELS = "1=ground-glass,2=consolidation,3=effusion"


@pytest.fixture(scope="module")
def thorax():
    return coarse_thorax()


@pytest.fixture(scope="module")
def files(thorax, tmp_path_factory):
    """A CT, its reference, and masks: the same, one that is shifted, one that is empty, one with its axes flipped."""
    folder = tmp_path_factory.mktemp("tools")
    write_dicom(folder / "ct", thorax)
    found = {"ct": folder / "ct"}
    masks = {"reference": thorax.mask, "shifted": np.roll(thorax.mask, 4, axis=1), "empty": np.zeros_like(thorax.mask)}
    for name, mask in masks.items():
        found[name] = write_nifti(folder / f"{name}.nii.gz", mask, thorax.affine)
    image = nibabel.load(found["reference"])
    flipped = nibabel.as_closest_canonical(image)
    nibabel.save(flipped, folder / "flipped.nii.gz")
    return {**found, "flipped": folder / "flipped.nii.gz"}


def compared(files, *names, reference=True, **options):
    options = {"labels": LABELS, **options}
    given = files["reference"] if reference else None
    return read_comparison(files["ct"], {name: files[name] for name in names}, reference=given, **options)


def run(*arguments):
    return CliRunner().invoke(root, ["figure", *map(str, arguments)])


def has_colour(picture, colour, opacity=1.0):
    """Whether some pixel has a colour's hue as it is mixed over grey."""
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return bool((np.abs(pixels - wanted).sum(axis=2) < 30).any())


def test_masks_are_brought_to_one_order_whatever_theirs_is(files):
    comparison = compared(files, "flipped", "shifted")
    same, shifted = comparison.masks
    np.testing.assert_array_equal(same.kinds, comparison.reference.kinds)
    assert comparison.dice(same) == 1
    assert 0 < comparison.dice(shifted) < 1


def test_the_dice_of_a_slice_is_that_of_its_voxels_alone(files, thorax):
    comparison = compared(files, "shifted")
    (mask,) = comparison.masks
    k = slices_with_most(comparison, 1)[0]
    found, truth = mask.kinds[:, :, k] > 0, comparison.reference.kinds[:, :, k] > 0
    assert comparison.dice(mask, k) == pytest.approx(2 * (found & truth).sum() / (found.sum() + truth.sum()))
    clean = int(np.flatnonzero(~(comparison.reference.lesion | mask.lesion).any(axis=(0, 1)))[0])
    assert comparison.dice(mask, clean) is None


def test_the_slices_with_most_lesion_are_those_of_the_reference(files):
    comparison = compared(files, "empty")
    area = comparison.reference.lesion.sum(axis=(0, 1))
    assert slices_with_most(comparison, 1) == [int(area.argmax())]
    alone = compared(files, "shifted", "empty", reference=False)
    area = alone.masks[0].lesion.sum(axis=(0, 1))
    assert slices_with_most(alone, 1) == [int(area.argmax())]


def test_the_worst_slices_have_the_lowest_dice_and_enough_of_the_reference(files, thorax, tmp_path):
    comparison = compared(files, "shifted")
    area = comparison.reference.lesion.sum(axis=(0, 1))
    dice = {k: comparison.dice(comparison.masks[0], k) for k in np.flatnonzero(area >= 0.1 * area.max()).tolist()}
    assert worst_slices(comparison, 1) == [min(dice, key=lambda k: (dice[k], k))]
    chosen = worst_slices(comparison, 3)
    assert chosen == sorted(chosen)
    assert min(np.diff(chosen)) > 1


def test_the_worst_need_a_reference_that_is_not_empty(files):
    with pytest.raises(InputError, match="give it as `reference`"):
        worst_slices(compared(files, "shifted", reference=False), 2)
    empty = read_comparison(files["ct"], {"a": files["shifted"]}, reference=files["empty"], labels=LABELS)
    with pytest.raises(InputError, match="the reference is empty"):
        worst_slices(empty, 2)


def test_slices_are_numbered_from_one_and_those_that_are_not_there_are_refused(files):
    comparison = compared(files, "shifted")
    assert numbered_slices(comparison, [60, 1]) == [59, 0]
    for number in (0, 61):
        with pytest.raises(InputError, match="slices 1 to 60"):
            numbered_slices(comparison, [number])


def test_what_was_found_missed_and_raised_falsely_is_coloured(files, tmp_path):
    comparison = compared(files, "shifted")
    chosen = slices_with_most(comparison, 2)
    draw_montage(comparison, chosen, tmp_path / "figure.png")
    for name in ("found (true positive)", "missed (false negative)", "false alarm (false positive)"):
        assert has_colour(tmp_path / "figure.png", AGREEMENT[name]), name
    assert not has_colour(tmp_path / "figure.png", FINDING_COLOURS["consolidation"])


def test_without_a_reference_the_classes_are_coloured(files, tmp_path):
    comparison = compared(files, "shifted", reference=False)
    draw_montage(comparison, slices_with_most(comparison, 6), tmp_path / "figure.png")
    assert has_colour(tmp_path / "figure.png", FINDING_COLOURS["consolidation"])
    assert not has_colour(tmp_path / "figure.png", AGREEMENT["found (true positive)"])


def test_kinds_count_only_where_both_masks_tell_them_apart(files, tmp_path, thorax):
    turned = np.where(thorax.mask == 1, 2, thorax.mask).astype(np.uint8)
    write_nifti(tmp_path / "turned.nii.gz", turned, thorax.affine)
    write_nifti(tmp_path / "one.nii.gz", (thorax.mask > 0).astype(np.uint8), thorax.affine)
    another = AGREEMENT["found as another class"]
    for name, expected in (("turned", True), ("one", False)):
        comparison = read_comparison(
            files["ct"], {name: tmp_path / f"{name}.nii.gz"}, reference=files["reference"], labels=LABELS
        )
        if name == "one":
            # its values are those of a mask without kinds
            comparison.masks[0].kinds[comparison.masks[0].kinds > 0] = 4
        draw_montage(comparison, slices_with_most(comparison, 4), tmp_path / f"{name}.png")
        assert has_colour(tmp_path / f"{name}.png", another) is expected


@pytest.mark.parametrize("masks", [("shifted",), ("shifted", "empty", "flipped")])
@pytest.mark.parametrize("reference", [True, False])
def test_a_figure_is_as_wide_as_is_asked_for_at_most(files, tmp_path, masks, reference):
    comparison = compared(files, *masks, reference=reference)
    draw_montage(comparison, [30], tmp_path / "figure.png", width_mm=120)
    width, _ = Image.open(tmp_path / "figure.png").size
    assert width <= round(120 / 25.4 * DOTS_PER_INCH)


def test_all_endings_give_the_same_bytes_again_and_hold_text_as_text(files, tmp_path):
    comparison = compared(files, "shifted")
    for ending in ("png", "svg", "pdf"):
        for name in ("one", "two"):
            draw_montage(comparison, [25, 30], tmp_path / f"{name}.{ending}")
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    shown = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", text))
    assert "Lung window: centre \N{MINUS SIGN}600 HU, width 1500 HU" in shown
    assert "slice 26" in shown
    assert f"Dice {comparison.dice(comparison.masks[0], 25):.2f}" in shown
    assert "mm, one scale in all panels" in shown
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")


def test_a_study_without_spacing_has_no_scale(files, tmp_path):
    comparison = compared(files, "shifted", spacing_known=False)
    assert comparison.spacing is None
    draw_montage(comparison, [25], tmp_path / "figure.svg")
    assert "no scale, as the spacing is unknown" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_too_many_columns_and_rows_are_refused(files, tmp_path):
    comparison = compared(files, "shifted", "empty")
    with pytest.raises(InputError, match=r"4 columns do not fit into 45 mm; give `width_mm` of \d+ or more"):
        draw_montage(comparison, [30], tmp_path / "figure.png", width_mm=45)
    with pytest.raises(InputError, match="choose fewer of them"):
        draw_montage(comparison, [30] * 60, tmp_path / "figure.png")
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_masks_and_tells_of_the_slices(files, tmp_path):
    out = tmp_path / "figure.svg"
    done = run(
        files["ct"], f"Tool A={files['shifted']}", files["empty"], "-o", out, "--reference", files["reference"],
        "--labels", LABELS, "--slices", "26,31", "--window", "-1000,200",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out}: slices 26, 31 of 60, from the feet\n"
    shown = out.read_text(encoding="utf-8")
    assert "Tool A" in shown
    assert ">empty" in shown
    assert "Window: centre \N{MINUS SIGN}400 HU, width 1200 HU" in shown


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["{shifted}", "-o", "{out}.jpg"], "give one that ends in .png, .svg, .pdf"),
        (["lost.nii.gz", "-o", "{out}.png"], "lost.nii.gz is not a file"),
        (["a={shifted}", "a={empty}", "-o", "{out}.png"], "two masks are named 'a'"),
        (["=x", "-o", "{out}.png"], "names no mask; give NAME=FILE or FILE"),
        (["{shifted}", "-o", "{out}.png", "--choose", "worst"], "give it as --reference"),
        (["{shifted}", "-o", "{out}.png", "--colours", "agreement"], "give it as --reference"),
        (["{shifted}", "-o", "{out}.png", "--slices", "99"], "--slices has 99; the study has slices 1 to 60"),
        (["{shifted}", "-o", "{shifted}"], "give one that ends in .png"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line(files, tmp_path, arguments, error):
    named = {**files, "out": tmp_path / "figure"}
    done = run(files["ct"], *(each.format(**named) for each in arguments), "--labels", LABELS)
    assert done.exit_code == 1
    assert error in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "value"), [("--slices", "1,b"), ("--window", "brain"), ("--window", "200,-100")])
def test_an_option_of_another_kind_is_wrong_usage(files, tmp_path, option, value):
    done = run(files["ct"], files["shifted"], "-o", tmp_path / "figure.png", option, value)
    assert done.exit_code == 2
    assert "give" in done.stderr


def test_a_mask_that_does_not_say_its_classes_is_warned_of(files, tmp_path, thorax):
    plain = write_nifti(tmp_path / "plain.nii.gz", (thorax.mask > 0).astype(np.uint8), thorax.affine)
    with pytest.warns(InputWarning, match="taken as 1=lesion"):
        comparison = read_comparison(files["ct"], {"plain": plain})
    assert not comparison.masks[0].divided
