"""What is read from NIfTI files that tools and users left odd, and what is said of those that cannot be read."""

import gzip
import struct
import warnings

import nibabel
import numpy as np
import pytest

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.transforms.grid import orientation_name
from covid_monai.transforms.nifti import open_nifti, read_nifti

VALUES = np.arange(-1000, -1000 + 6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)
LPS = np.diag([-0.7, -0.7, 2.0, 1.0])


def nifti(path, affine=LPS, *, values=VALUES, qform=None, sform_code=1, qform_code=0, **fields):
    """A NIfTI-1 file with the header's fields set as they are given."""
    image = nibabel.Nifti1Image(values, affine)
    image.set_sform(affine, sform_code)
    image.set_qform(affine if qform is None else qform, qform_code, strip_shears=True)
    for name, value in fields.items():
        image.header[name] = value
    image.to_filename(path)
    return path


def patched(path, offset, form, *values):
    """The file with bytes of its header replaced."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, offset, *values)
    path.write_bytes(data)
    return path


def read(path, **options):
    with collecting_warnings() as messages:
        image = read_nifti(path, **options)
    return np.asanyarray(image.dataobj), image.affine, messages


@pytest.mark.parametrize("unit", [0, 1, 2, 3])
def test_the_affine_is_in_mm_whatever_the_unit_of_the_header(tmp_path, unit):
    factor = {0: 1, 1: 1e-3, 2: 1, 3: 1e3}[unit]
    scaled = LPS.copy()
    scaled[:3] *= factor
    values, affine, messages = read(nifti(tmp_path / "ct.nii", scaled, xyzt_units=unit | 8))
    np.testing.assert_allclose(affine, LPS, rtol=1e-6)
    np.testing.assert_array_equal(values, VALUES)
    assert messages == []


def test_an_unknown_unit_is_taken_as_mm_and_warned_of(tmp_path):
    _, affine, messages = read(nifti(tmp_path / "ct.nii", xyzt_units=5))
    np.testing.assert_allclose(affine, LPS, rtol=1e-6)
    assert "xyzt_units 5" in messages[0]


@pytest.mark.parametrize(("unit", "factor"), [(1, 1), (3, 1), (2, 1e-3), (0, 1e-3)])
def test_voxels_that_no_ct_has_are_refused_with_the_unit(tmp_path, unit, factor):
    scaled = LPS.copy()
    scaled[:3] *= factor
    with pytest.raises(InputError, match=r"ct\.nii has voxels of .* mm .*unit.*: set xyzt_units"):
        read(nifti(tmp_path / "ct.nii", scaled, xyzt_units=unit))


def test_axes_of_a_header_that_does_not_say_are_assumed_with_a_warning_that_names_the_way_out(tmp_path):
    path = nifti(tmp_path / "ct.nii", sform_code=0, qform_code=0)
    _, affine, messages = read(path)
    assert orientation_name(affine) == "LAS"
    assert "sform and qform codes are 0" in messages[0]
    assert "`orientation`" in messages[0]
    _, affine, messages = read(path, orientation="lps")
    assert orientation_name(affine) == "LPS"
    np.testing.assert_allclose(np.linalg.norm(affine[:3, :3], axis=0), (0.7, 0.7, 2), rtol=1e-6)
    assert messages == []


@pytest.mark.parametrize("axes", ["LPS", "RAS", "AIL", "SRP"])
def test_any_order_of_axes_can_be_said(tmp_path, axes):
    _, affine, _ = read(nifti(tmp_path / "ct.nii", sform_code=0), orientation=axes)
    assert orientation_name(affine) == axes


@pytest.mark.parametrize("axes", ["LPP", "XYZ", "LP", "LPSI", "LRS", ""])
def test_an_orientation_that_is_none_is_refused_with_examples(tmp_path, axes):
    from covid_monai.transforms.grid import orientation_of

    with pytest.raises(InputError, match="such as LPS"):
        orientation_of(axes)


def test_sform_and_qform_that_turn_the_patient_round_are_refused_with_both_orientations(tmp_path):
    path = nifti(tmp_path / "ct.nii", qform=np.diag([0.7, -0.7, -2.0, 1.0]), qform_code=1)
    with pytest.raises(InputError, match="sform runs to LPS, its qform to RPI"):
        read(path)


def test_a_spacing_rounded_in_one_form_is_told_with_the_tolerance_that_accepts_it(tmp_path):
    wide = np.zeros((400, 5, 4), dtype=np.int16)
    rounded = np.diag([-0.705, -0.7, 2.0, 1.0])
    path = nifti(tmp_path / "ct.nii", values=wide, qform=rounded, qform_code=1)
    with pytest.raises(InputError, match=r"up to 1.99 mm apart \(spacing .*`grid_tolerance` 2") as refusal:
        read(path)
    tolerance = float(str(refusal.value).rpartition(" ")[2])
    _, affine, _ = read(path, grid_tolerance=tolerance)
    np.testing.assert_allclose(affine, LPS, rtol=1e-6)


def test_a_rounded_spacing_is_told_on_a_small_grid_too(tmp_path):
    path = nifti(tmp_path / "ct.nii", qform=np.diag([-0.705, -0.7, 2.0, 1.0]), qform_code=1)
    with pytest.raises(InputError, match=r"spacing 0.7 0.7 2 against 0.705 0.7 2 mm.*`grid_tolerance`") as refusal:
        read(path)
    read(path, grid_tolerance=float(str(refusal.value).rpartition(" ")[2]))


def test_forms_that_differ_by_rounding_alone_are_one(tmp_path):
    oblique = np.eye(4)
    oblique[:3, :3] = [[-0.6928, 0.0991, 0.0], [-0.0991, -0.6928, 0.0], [0.0, 0.0, 2.0]]
    oblique[:3, 3] = 180.123, 170.456, -900.789
    _, affine, messages = read(nifti(tmp_path / "ct.nii", oblique, qform_code=1))
    np.testing.assert_allclose(affine, oblique, rtol=1e-5, atol=1e-5)
    assert messages == []


def sheared(degrees=15):
    affine = LPS.copy()
    affine[1, 2] = np.tan(np.deg2rad(degrees)) * 2.0
    return affine


@pytest.mark.parametrize("qform_code", [0, 1])
def test_a_shear_is_named_with_its_angle_and_taken_only_where_that_is_harmless(tmp_path, qform_code):
    path = nifti(tmp_path / "ct.nii", sheared(), qform_code=qform_code)
    with pytest.raises(InputError, match=r"shear of 15\.0 degrees.*resample"):
        read(path)
    _, affine, messages = read(path, allow_shear=True)
    np.testing.assert_allclose(affine, sheared(), rtol=1e-6)
    assert "shear of 15.0 degrees" in messages[0]


def quaternion(path, *vector):
    return patched(path, 256, "<3f", *vector)


@pytest.mark.parametrize("sform_code", [0, 1])
def test_a_quaternion_slightly_too_long_is_the_rotation_that_was_meant(tmp_path, sform_code):
    path = nifti(tmp_path / "ct.nii", sform_code=sform_code, qform_code=1)
    _, affine, messages = read(quaternion(path, 0, 0, 1.0003))
    np.testing.assert_allclose(affine, LPS, rtol=1e-6)
    assert messages == []


def test_a_quaternion_of_no_rotation_gives_way_to_the_sform_or_is_refused(tmp_path):
    path = quaternion(nifti(tmp_path / "both.nii", qform_code=1), 0, 0, 1.5)
    _, affine, messages = read(path)
    np.testing.assert_allclose(affine, LPS, rtol=1e-6)
    assert "qform is broken" in messages[0]
    with pytest.raises(InputError, match="broken affine"):
        read(quaternion(nifti(tmp_path / "alone.nii", sform_code=0, qform_code=1), 0, 0, 1.5))


def test_a_pixdim_that_contradicts_the_sform_is_warned_of(tmp_path):
    _, affine, messages = read(nifti(tmp_path / "ct.nii", pixdim=[1, 0.7, 0.7, 5, 0, 0, 0, 0]))
    np.testing.assert_allclose(affine, LPS, rtol=1e-6)
    assert "2 mm, pixdim says 0.7 0.7 5" in messages[0]


def test_content_tells_compressed_files_whatever_their_names(tmp_path):
    plain = nifti(tmp_path / "ct.nii").read_bytes()
    (tmp_path / "plain.nii.gz").write_bytes(plain)
    (tmp_path / "compressed.nii").write_bytes(gzip.compress(plain))
    (tmp_path / "members.nii.gz").write_bytes(gzip.compress(plain[:400]) + gzip.compress(plain[400:]))
    for name in ("plain.nii.gz", "compressed.nii", "members.nii.gz"):
        np.testing.assert_array_equal(read(tmp_path / name)[0], VALUES)


def damaged_gzip(path, change):
    compressed = bytearray(gzip.compress(nifti(path.with_name("plain.nii")).read_bytes()))
    path.write_bytes(change(compressed))
    return path


def flipped(at):
    def change(data):
        data[at] ^= 0x01
        return data

    return change


@pytest.mark.parametrize(
    "change",
    [flipped(-8), flipped(-1), lambda data: data[:-1], lambda data: data[:-9], lambda data: data + b"\x1f\x8bx"],
    ids=["checksum", "length", "cut trailer", "cut data", "garbage member"],
)
def test_a_gzip_stream_is_read_to_its_end_and_checksum(tmp_path, change):
    with pytest.raises(InputError, match=r"ct\.nii\.gz is (truncated or damaged|a damaged gzip file)"):
        read(damaged_gzip(tmp_path / "ct.nii.gz", change))


@pytest.mark.parametrize("offset", [0, 348, 351, 352.5, float("nan"), -16])
def test_voxels_cannot_begin_in_the_header(tmp_path, offset):
    with pytest.raises(InputError, match=r"vox_offset is .* set it to 352"):
        read(patched(nifti(tmp_path / "ct.nii"), 108, "<f", offset))


def test_what_a_refused_vox_offset_is_advised_to_be_works(tmp_path):
    path = patched(nifti(tmp_path / "ct.nii"), 108, "<f", 0)
    np.testing.assert_array_equal(read(patched(path, 108, "<f", 352))[0], VALUES)


def test_bytes_after_the_last_voxel_are_warned_of(tmp_path):
    path = nifti(tmp_path / "ct.nii")
    path.write_bytes(path.read_bytes() + bytes(32))
    values, _, messages = read(path)
    np.testing.assert_array_equal(values, VALUES)
    assert "32 bytes after its last voxel" in messages[0]


@pytest.mark.parametrize(("slope", "inter"), [(1, float("nan")), (float("nan"), 0), (1, float("inf"))])
def test_a_rescaling_by_no_number_is_named_with_its_field(tmp_path, slope, inter):
    path = patched(nifti(tmp_path / "ct.nii"), 112, "<2f", slope, inter)
    with pytest.raises(InputError, match=r"scl_(slope|inter) is (nan|inf).* set scl_slope to 1"):
        read(path)
    np.testing.assert_array_equal(read(patched(path, 112, "<2f", 1, 0))[0], VALUES)


@pytest.mark.parametrize(("slope", "inter", "expected"), [(0, 7, VALUES), (2, -24, VALUES * 2.0 - 24)])
def test_values_are_rescaled_as_the_header_says(tmp_path, slope, inter, expected):
    path = patched(nifti(tmp_path / "ct.nii"), 112, "<2f", slope, inter)
    np.testing.assert_array_equal(read(path)[0], expected)


@pytest.mark.parametrize("kind", ["<", ">"])
@pytest.mark.parametrize("image", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_both_byte_orders_of_both_versions_are_read(tmp_path, kind, image):
    header = image.header_class(endianness=kind)
    stored = image(VALUES.astype(f"{kind}i2"), LPS, header)
    stored.to_filename(tmp_path / "ct.nii.gz")
    values, affine, _ = read(tmp_path / "ct.nii.gz")
    np.testing.assert_array_equal(values, VALUES)
    np.testing.assert_allclose(affine, LPS, rtol=1e-6)


def analyze(path):
    nibabel.AnalyzeImage(VALUES, np.eye(4)).to_filename(path.with_suffix(".img"))
    path.write_bytes(path.with_suffix(".hdr").read_bytes())


def cut(path, end):
    path.write_bytes(nifti(path.with_name("whole.nii")).read_bytes()[:end])


OTHER_FILES = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "zeros": (lambda path: path.write_bytes(bytes(1000)), "nothing but zeros"),
    "DICOM": (lambda path: path.write_bytes(bytes(128) + b"DICM" + bytes(400)), "is a DICOM file.*dcm2niix"),
    "PNG": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(400)), "is a PNG picture"),
    "ZIP": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(400)), "is a ZIP archive.*unpack"),
    "HTML": (lambda path: path.write_text("<!DOCTYPE html><title>404</title>"), "web page.*download it again"),
    "LFS": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
    "text": (lambda path: path.write_text("not an image"), "is no NIfTI file"),
    "Analyze": (analyze, "Analyze 7.5"),
    "cut header": (lambda path: cut(path, 346), "cut off within its header"),
    "cut voxels": (lambda path: cut(path, -1), "239 of 240 bytes"),
    "half a gzip header": (lambda path: path.write_bytes(b"\x1f\x8b"), "damaged gzip file"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_a_file_that_is_no_nifti_is_told_as_what_it_is(tmp_path, kind):
    write, reason = OTHER_FILES[kind]
    write(tmp_path / "ct.nii")
    with pytest.raises(InputError, match=reason):
        read(tmp_path / "ct.nii")


@pytest.mark.parametrize(
    ("offset", "form", "numbers", "reason"),
    [
        (40, "<8h", (3, 0, 5, 4, 1, 1, 1, 1), "axis of no length"),
        (40, "<8h", (3, -6, 5, 4, 1, 1, 1, 1), "axis of no length"),
        (40, "<8h", (0, 6, 5, 4, 1, 1, 1, 1), "dim.0. is 0"),
        (40, "<8h", (4, 6, 5, 2, 2, 1, 1, 1), "save one volume a file"),
        (40, "<8h", (1, 120, 1, 1, 1, 1, 1, 1), "3 axes"),
        (70, "<h", (999,), "datatype 999 is none"),
        (70, "<h", (0,), "values of no type"),
        (70, "<2h", (32, 64), "holds complex numbers"),
        (70, "<2h", (128, 24), "holds colours"),
        (72, "<h", (8,), "16 bits a voxel, bitpix says 8"),
    ],
)
def test_fields_of_a_header_that_cannot_be_right_are_named(tmp_path, offset, form, numbers, reason):
    with pytest.raises(InputError, match=reason):
        read(patched(nifti(tmp_path / "ct.nii"), offset, form, *numbers))


def test_opening_reads_no_voxels_and_parts_are_read_when_asked_for(tmp_path):
    path = nifti(tmp_path / "ct.nii")
    path.write_bytes(path.read_bytes()[:352])
    image = open_nifti(path)
    assert image.shape == VALUES.shape
    with pytest.raises(InputError, match="0 of 240 bytes"):
        np.asanyarray(image.dataobj[:, :, 1])
    nifti(path)
    np.testing.assert_array_equal(image.dataobj[:, :, 1], VALUES[:, :, 1])


def test_a_sound_file_gives_no_warning_of_any_kind(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_nifti(nifti(tmp_path / "ct.nii.gz", qform_code=1, xyzt_units=2))


def half_turn(path, shape=(512, 300, 512)):
    """A header whose quaternion is a half turn, which float32 cannot hold to the last digit."""
    affine = np.eye(4)
    axis = np.array([0.6, 0.8, 0.0])
    affine[:3, :3] = (2 * np.outer(axis, axis) - np.eye(3)) * 0.7
    image = nibabel.Nifti1Image(np.zeros(shape, np.uint8), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.to_filename(path)
    return affine


def test_a_half_turn_is_not_turned_further_by_the_rounding_of_its_quaternion(tmp_path):
    affine = half_turn(tmp_path / "ct.nii.gz")
    assert open_nifti(tmp_path / "ct.nii.gz").shape == (512, 300, 512)
    image = nibabel.load(tmp_path / "ct.nii.gz")
    image.set_sform(None, 0)
    nibabel.save(image, tmp_path / "qform.nii.gz")
    corner = np.array([511, 299, 511, 1])
    np.testing.assert_allclose(open_nifti(tmp_path / "qform.nii.gz").affine @ corner, affine @ corner, atol=0.01)


@pytest.mark.parametrize("offset", [1e30, float(np.finfo(np.float32).max)])
def test_voxels_beyond_every_file_are_told_as_truncated(tmp_path, offset):
    with pytest.raises(InputError, match="truncated or damaged"):
        read(patched(nifti(tmp_path / "ct.nii"), 108, "<f", offset))
