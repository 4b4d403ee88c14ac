"""How files keep their voxels: types, scales, dimensions, offsets, compression, and what damages them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.properties.draft import DAMAGES, Draft, Verdict
from tests.properties.nifti_bytes import DATATYPES, extension

MAY, MUST = Verdict.MAY, Verdict.MUST
NAN, INFINITY = float("nan"), float("inf")
Step = Callable[[Draft], None]

# slope and intercept; a slope of 0 says that there is no scale, whatever the intercept
_SCALES = (
    (1.0, 0.0), (0.0, 0.0), (0.0, 7.0), (0.0, NAN), (2.0, 0.0), (-1.0, 0.0), (0.5, 0.0), (1 / 255, 0.0), (8.0, -1024.0),
    (8.0, 0.0), (1.0, -1024.0), (-1.0, 1016.0), (-8.0, 1016.0),
)  # fmt: skip


def encodings(world: np.ndarray) -> list[tuple[str, float, float]]:
    """The types and scales (dtype, slope, intercept) that can hold a volume's values."""
    return [
        (dtype, slope, intercept)
        for dtype in DATATYPES
        for slope, intercept in _SCALES
        if _holds(encode(world, dtype, slope, intercept), world, slope, intercept)
    ]


def encode(world: np.ndarray, dtype: str, slope: float, intercept: float) -> np.ndarray | None:
    """The stored numbers of a volume; None where they do not fit the type."""
    numbers = (world - intercept) / slope if slope else world.astype(np.float64)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        numbers = np.rint(numbers)
        if numbers.min() < limits.min or numbers.max() > limits.max:
            return None
    return numbers.astype(dtype)


def _holds(stored: np.ndarray | None, world: np.ndarray, slope: float, intercept: float) -> bool:
    if stored is None:
        return False
    scale = float(np.float32(slope)), float(np.float32(intercept))
    read = stored * scale[0] + scale[1] if slope else stored
    return bool(np.abs(read - world).max() < 1e-3)


def _field(draft: Draft, name: str, value: float, refused: Verdict) -> None:
    setattr(draft.header, name, value)
    draft.judge(f"{name} is {value}", refused=refused, warned=MAY)


def _scale(draft: Draft, slope: float, intercept: float) -> None:
    draft.header.scl_slope, draft.header.scl_inter = slope, intercept
    draft.judge(f"slope {slope}, intercept {intercept}", refused=MUST)


def _other_type(draft: Draft, code: int, bits: int) -> None:
    draft.header.datatype, draft.header.bitpix = code, bits
    draft.stored = np.repeat(draft.stored.astype(np.uint8), max(bits // 8, 1), axis=0)
    draft.judge(f"datatype {code}", refused=MUST)


def _voxel(draft: Draft, value: float) -> None:
    draft.stored = draft.stored.astype(np.float32)
    draft.stored[(0,) * draft.stored.ndim] = value
    draft.header.datatype, draft.header.bitpix = DATATYPES["float32"], 32
    draft.judge(f"a voxel is {value}", refused=MUST)


PLAIN = "plain"

ODD_STORAGE: dict[str, Step] = {
    **{f"bitpix {bits}": partial(_field, name="bitpix", value=bits, refused=MAY) for bits in (0, 1, 24, -8)},
    **{f"slope {slope}": partial(_scale, slope=slope, intercept=0.0) for slope in (NAN, INFINITY)},
    **{f"intercept {value}": partial(_scale, slope=1.0, intercept=value) for value in (NAN, -INFINITY)},
    **{
        f"datatype {code}": partial(_other_type, code=code, bits=bits)
        for code, bits in ((0, 0), (1, 1), (32, 64), (128, 24), (255, 8), (999, 8), (1792, 128), (2304, 32), (-4, 16))
    },
    **{f"a voxel {value}": partial(_voxel, value=value) for value in (NAN, INFINITY, -INFINITY)},
}


def _trailing_ones(draft: Draft, count: int) -> None:
    draft.header.dim[0] = count


def _unused(draft: Draft, length: int) -> None:
    draft.header.dim[draft.header.dim[0] + 1 :] = [length] * (7 - draft.header.dim[0])


def _slice_of_two(draft: Draft, length: int) -> None:
    """A slice as two dimensions, where the last axis is the one of length one."""
    if draft.stored.shape[2] == 1:
        draft.header.dim[0], draft.header.dim[3] = 2, length


def _dimensions(draft: Draft, count: int) -> None:
    draft.header.dim[0] = count
    draft.judge(f"dim[0] is {count}", refused=MUST)


def _length(draft: Draft, axis: int, length: int) -> None:
    draft.header.dim[axis] = length
    draft.judge(f"dim[{axis}] is {length}", refused=MUST)


def _no_time(draft: Draft) -> None:
    draft.header.dim[0], draft.header.dim[4] = 4, 0
    draft.judge("dim[4] is 0", refused=MAY, warned=MAY)


def _several(draft: Draft, axis: int) -> None:
    draft.header.dim[0], draft.header.dim[axis] = axis, 2
    draft.stored = np.concatenate([draft.stored, draft.stored], axis=2)
    draft.judge(f"dim[{axis}] is 2", refused=MUST)


PLAIN_DIMENSIONS: dict[str, Step] = {
    **{f"{count} dimensions": partial(_trailing_ones, count=count) for count in (3, 4, 5, 7)},
    **{f"unused dimensions {length}": partial(_unused, length=length) for length in (0, -1, 300)},
    **{f"a slice of two, dim[3] {length}": partial(_slice_of_two, length=length) for length in (1, 0, 300)},
}
ODD_DIMENSIONS: dict[str, Step] = {
    **{f"dim[0] {count}": partial(_dimensions, count=count) for count in (0, 1, 8, -1, 300)},
    **{f"dim[{axis}] {length}": partial(_length, axis=axis, length=length) for axis in (1, 3) for length in (0, -3)},
    **{f"dim[{axis}] 32767": partial(_length, axis=axis, length=32767) for axis in (1, 2, 3)},
    **{f"two along {axis}": partial(_several, axis=axis) for axis in (4, 5, 7)},
    "no time": _no_time,
}


def _extended(draft: Draft, contents: tuple[bytes, ...]) -> None:
    draft.extensions = b"".join(extension(content, draft.order) for content in contents)
    draft.header.vox_offset = draft.start


def _gap(draft: Draft, size: int) -> None:
    draft.gap = bytes(size)
    draft.header.vox_offset = draft.start


def _offset(draft: Draft, by: float) -> None:
    """Voxels that are said to begin earlier or later than they do."""
    draft.header.vox_offset = draft.start + by
    draft.judge(f"vox_offset is {draft.header.vox_offset:g}", refused=MUST)


def _offset_at(draft: Draft, value: float) -> None:
    # NIfTI-2 keeps it as an integer
    if draft.version == 2:
        value = int(min(value, 2.0**62)) if np.isfinite(value) else -1
    draft.header.vox_offset = value
    draft.judge(f"vox_offset is {value:g}", refused=MUST)


def _fraction(draft: Draft) -> None:
    if draft.version == 1:
        draft.header.vox_offset = draft.start + 0.5
        draft.judge("vox_offset is fractional", refused=MAY, warned=MAY)


def _wrong_extension(draft: Draft, size: int) -> None:
    draft.extensions = extension(b"", draft.order, size)
    draft.header.vox_offset = draft.start
    draft.judge(f"an extension says that it has {size} bytes", refused=MAY, warned=MAY)


def _trailing(draft: Draft, content: bytes) -> None:
    draft.trailing = content
    draft.judge(f"{len(content)} bytes follow the last voxel", warned=MUST)


PLAIN_OFFSETS: dict[str, Step] = {
    PLAIN: lambda draft: None,
    "an extension": partial(_extended, contents=(b"<meta>\xff\xfe patient</meta>",)),
    "two extensions": partial(_extended, contents=(b"one", bytes(range(256)))),
    "16 bytes between": partial(_gap, size=16),
    "5 bytes between": partial(_gap, size=5),
}
ODD_OFFSETS: dict[str, Step] = {
    **{f"offset {by:+}": partial(_offset, by=by) for by in (-4, -1, 1, 16, 10**6)},
    **{f"offset {value}": partial(_offset_at, value=value) for value in (0, -352, 4, 1e9, 1e30, NAN, INFINITY)},
    "offset with a fraction": _fraction,
    **{f"an extension of {size}": partial(_wrong_extension, size=size) for size in (0, -16, 7, 2**31 - 1)},
    **{f"{len(content)} bytes more": partial(_trailing, content=content) for content in (b"\0", b"\7" * 352)},
}


def _stored_as(draft: Draft, ending: str, members: int) -> None:
    draft.ending, draft.members = ending, members


PLAIN_FILES: dict[str, Step] = {
    ".nii": partial(_stored_as, ending=".nii", members=0),
    ".nii.gz": partial(_stored_as, ending=".nii.gz", members=1),
    "gzip called .nii": partial(_stored_as, ending=".nii", members=1),
    "plain called .nii.gz": partial(_stored_as, ending=".nii.gz", members=0),
    "three members": partial(_stored_as, ending=".nii.gz", members=3),
    ".NII.GZ": partial(_stored_as, ending=".NII.GZ", members=1),
}


# damage, whether it needs a gzip file, and whether it has to be refused
ODD_FILES: dict[str, tuple[Callable[[bytes], bytes], bool, Verdict]] = {
    **{name: (damage, number < 4, MUST) for number, (name, damage) in enumerate(DAMAGES.items())},
    "zeros after the gzip": (lambda content: content + bytes(64), True, MAY),
    "text after the gzip": (lambda content: content + b"end of file\n", True, MAY),
}


def _kind(draft: Draft, name: str, value: int | bytes, refused: Verdict) -> None:
    setattr(draft.header, name, value)
    draft.judge(f"{name} is {value!r}", refused=refused, warned=MAY)


ODD_KINDS: dict[str, Step] = {
    **{
        f"magic {magic!r}": partial(_kind, name="magic", value=magic, refused=MUST)
        for magic in (b"ni1\0", b"ni2\0", b"\0\0\0\0", b"N+1\0")
    },
    **{f"header size {size}": partial(_kind, name="sizeof_hdr", value=size, refused=MAY) for size in (1, 352, -348)},
}


def _texts(draft: Draft, text: bytes) -> None:
    draft.header.descrip, draft.header.aux_file, draft.header.intent_name = text * 80, text * 24, text * 16


def _calibration(draft: Draft, least: float, most: float) -> None:
    draft.header.cal_min, draft.header.cal_max, draft.header.toffset = least, most, most


def _intent(draft: Draft, code: int) -> None:
    draft.header.intent_code = code


PLAIN_TEXTS: dict[str, Step] = {
    PLAIN: lambda draft: None,
    "a name": partial(_texts, text=b"DOE^JANE"),
    "bytes of no text": partial(_texts, text=b"\xff\xfe\x00\x80\xc3"),
    "calibration": partial(_calibration, least=-1000.0, most=400.0),
    "calibration NaN": partial(_calibration, least=NAN, most=INFINITY),
    **{f"intent {code}": partial(_intent, code=code) for code in (1002, 2003, -7)},
}
