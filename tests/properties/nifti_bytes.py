"""NIfTI-1 and NIfTI-2 files, written field by field with ``struct``: no reader has a part in what they hold."""

import gzip
import struct
from dataclasses import dataclass, field

import numpy as np

Number = float | int

# the fields of https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and .../nifti2.h, in their order
_LAYOUT = {
    1: [
        ("sizeof_hdr", "i"), ("data_type", "10s"), ("db_name", "18s"), ("extents", "i"), ("session_error", "h"),
        ("regular", "1s"), ("dim_info", "B"), ("dim", "8h"), ("intent_p", "3f"), ("intent_code", "h"),
        ("datatype", "h"), ("bitpix", "h"), ("slice_start", "h"), ("pixdim", "8f"), ("vox_offset", "f"),
        ("scl_slope", "f"), ("scl_inter", "f"), ("slice_end", "h"), ("slice_code", "B"), ("xyzt_units", "B"),
        ("cal_max", "f"), ("cal_min", "f"), ("slice_duration", "f"), ("toffset", "f"), ("glmax", "i"), ("glmin", "i"),
        ("descrip", "80s"), ("aux_file", "24s"), ("qform_code", "h"), ("sform_code", "h"), ("quatern", "3f"),
        ("qoffset", "3f"), ("srow", "12f"), ("intent_name", "16s"), ("magic", "4s"),
    ],
    2: [
        ("sizeof_hdr", "i"), ("magic", "8s"), ("datatype", "h"), ("bitpix", "h"), ("dim", "8q"), ("intent_p", "3d"),
        ("pixdim", "8d"), ("vox_offset", "q"), ("scl_slope", "d"), ("scl_inter", "d"), ("cal_max", "d"),
        ("cal_min", "d"), ("slice_duration", "d"), ("toffset", "d"), ("slice_start", "q"), ("slice_end", "q"),
        ("descrip", "80s"), ("aux_file", "24s"), ("qform_code", "i"), ("sform_code", "i"), ("quatern", "3d"),
        ("qoffset", "3d"), ("srow", "12d"), ("slice_code", "i"), ("xyzt_units", "i"), ("intent_code", "i"),
        ("intent_name", "16s"), ("dim_info", "B"), ("unused", "15s"),
    ],
}  # fmt: skip
SIZES = {1: 348, 2: 540}
MAGIC = {1: b"n+1\0", 2: b"n+2\0\r\n\x1a\n"}

DATATYPES = {
    "uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "int8": 256, "uint16": 512, "uint32": 768,
    "int64": 1024, "uint64": 1280,
}  # fmt: skip


@dataclass
class Header:
    """The fields of a header that matter here, by the names of the standard; the rest is zero."""

    dim: list[int]
    datatype: int
    bitpix: int
    pixdim: list[float]
    vox_offset: Number
    xyzt_units: int = 2
    scl_slope: float = 1.0
    scl_inter: float = 0.0
    qform_code: int = 0
    sform_code: int = 0
    quatern: list[float] = field(default_factory=lambda: [0.0] * 3)
    qoffset: list[float] = field(default_factory=lambda: [0.0] * 3)
    srow: list[float] = field(default_factory=lambda: [0.0] * 12)
    cal_max: float = 0.0
    cal_min: float = 0.0
    toffset: float = 0.0
    intent_code: int = 0
    descrip: bytes = b""
    aux_file: bytes = b""
    intent_name: bytes = b""
    magic: bytes = b""
    sizeof_hdr: int = 0

    def pack(self, version: int, order: str) -> bytes:
        """The header's bytes, in the byte order ``<`` or ``>``."""
        values = vars(self) | {
            "sizeof_hdr": self.sizeof_hdr or SIZES[version],
            "magic": self.magic or MAGIC[version],
            "regular": b"r",
        }
        if version == 2:
            values["vox_offset"] = int(self.vox_offset)
        packed = b"".join(_packed(values.get(name), order + kind) for name, kind in _LAYOUT[version])
        assert len(packed) == SIZES[version]
        return packed


def _packed(value: object, kind: str) -> bytes:
    if kind.endswith("s"):
        return struct.pack(kind, value or b"")
    several = value if isinstance(value, list) else [value or 0] * (int(kind[1:-1]) if len(kind) > 2 else 1)
    return struct.pack(kind, *several)


def extension(content: bytes, order: str, size: int | None = None) -> bytes:
    """A header extension (a comment), padded to a multiple of 16 bytes; it may say another size than it has."""
    length = -(-(len(content) + 8) // 16) * 16
    return struct.pack(order + "ii", length if size is None else size, 6) + content.ljust(length - 8, b"\0")


def nifti_bytes(
    header: Header, stored: np.ndarray, *, version: int = 1, order: str = "<", extensions: bytes = b"", gap: bytes = b""
) -> bytes:
    """A single file: header, extender, extensions, a gap, voxels with the first axis running fastest."""
    extender = b"\1\0\0\0" if extensions else b"\0\0\0\0"
    voxels = stored.astype(stored.dtype.newbyteorder(order)).tobytes(order="F")
    return header.pack(version, order) + extender + extensions + gap + voxels


def gzip_members(content: bytes, pieces: int = 1) -> bytes:
    """``content`` as a gzip file of several members, which readers have to read as one."""
    cut = -(-len(content) // pieces)
    parts = [content[start : start + cut] for start in range(0, len(content), cut)]
    return b"".join(gzip.compress(part, compresslevel=1, mtime=0) for part in parts)
