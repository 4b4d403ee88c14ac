"""One affine in mm from what a NIfTI header says of it: units, sform, qform and spacing, and whether they agree."""

import warnings
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, InputWarning
from covid_monai.transforms.grid import (
    LARGEST_SHEAR,
    Affine,
    axes_affine,
    corner_distance,
    differences,
    in_words,
    orientation_name,
    orientation_of,
    rounded_up,
    shear,
    without_shear,
)

if TYPE_CHECKING:
    import nibabel

SPACING_LIMITS = (0.01, 100.0)
"""Voxel sizes in mm that a CT can have, from micro-CT to scouts."""

FORMS_TOLERANCE = 0.1
"""How far in mm a voxel may lie from sform to qform: a quaternion near the identity is rounded by up to this."""

ASSUMED_AXES = "LAS"
"""Where axes run in a header that does not say, as nibabel and the older Analyze format have it."""

# a quaternion's vector part is at most 1 long; rounding adds a little, a wrong one more
_LONGEST_QUATERNION = 1.01
# of a quaternion's scalar part, as NIfTI's reference library has it
_LEAST_SQUARE = 1e-7
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_UNITS = {0: "mm, as no unit is said", 1: "metres", 2: "mm", 3: "microns"}
# by which a spacing may differ from another and count as the same
_ROUNDED_SPACING = 0.001


def affine_of(
    header: "nibabel.Nifti1Header",
    path: str | PathLike[str],
    *,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
) -> Affine:
    """The affine (4x4) from voxels to RAS in mm that a NIfTI header gives: its sform, else its qform.

    Args:
        header: as stored; units of metres and microns are taken into account.
        path: what messages call it.
        orientation: where the axes run, such as ``LPS``, for a header that does not say (both codes 0); None assumes
            LAS, with a warning.
        grid_tolerance: how far in mm a voxel may lie from sform to qform where both are set; None for 0.1.

    Raises:
        InputError: there is no usable affine, sform and qform disagree, voxels are of a size that no CT has, or the
            orientation is none.
    """
    factor = _unit(header, path)
    forms = {name: form for name, form in _forms(header, path).items() if form is not None}
    for form in forms.values():
        form[:3] *= factor
    if not forms:
        return _assumed(header, path, factor, orientation)
    affine = forms.get("sform", forms.get("qform"))
    assert affine is not None
    _check_spacing(affine, header, path)
    if len(forms) == 2:
        _compare_forms(forms["sform"], forms["qform"], header.get_data_shape(), path, grid_tolerance)
    elif "sform" in forms:
        _compare_pixdim(affine, header, path, factor)
    return affine


def _unit(header: "nibabel.Nifti1Header", path: str | PathLike[str]) -> float:
    code = int(header["xyzt_units"]) & 0x07
    if code not in _MILLIMETRES:
        _warn(f"{path}: the unit of its spacing (xyzt_units {code}) is not known to NIfTI; mm are assumed")
    return _MILLIMETRES.get(code, 1.0)


def _forms(header: "nibabel.Nifti1Header", path: str | PathLike[str]) -> dict[str, Affine | None]:
    """The affines whose codes say that they are set; a broken one is left out where the other is sound."""
    problems: dict[str, str] = {}
    forms: dict[str, Affine | None] = {}
    for name, read in (("sform", sform_of), ("qform", qform_of)):
        code = int(header[f"{name}_code"])
        if not 0 <= code <= 5:
            _warn(f"{path}: {name}_code {code} is not known to NIfTI; its {name} is left out")
            continue
        if code:
            forms[name] = read(header)
            if forms[name] is None:
                problems[name] = f"{name} is broken: it has axes that do not span a volume, or no numbers"
    if problems and not any(form is not None for form in forms.values()):
        raise InputError(
            f"{path} has a broken affine ({' and '.join(problems)}): its axes do not span a volume; convert it again"
        )
    for name, problem in problems.items():
        _warn(f"{path}: its {problem}; the {'qform' if name == 'sform' else 'sform'} is taken")
    return forms


def sform_of(header: "nibabel.Nifti1Header") -> Affine | None:
    """A header's sform, in its unit and whatever its code; None where its axes do not span a volume."""
    affine = np.eye(4)
    affine[:3] = [header[row] for row in ("srow_x", "srow_y", "srow_z")]
    return affine if _spans_a_volume(affine) else None


def quaternion_of(header: "nibabel.Nifti1Header") -> NDArray[np.float64] | None:
    """The vector part (b, c, d) of a header's quaternion, at most 1 long; None where it is no rotation's."""
    vector = np.array([header[f"quatern_{axis}"] for axis in "bcd"], dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length > _LONGEST_QUATERNION:
        return None
    shortened: NDArray[np.float64] = vector / max(length, 1.0)
    return shortened


def qform_of(header: "nibabel.Nifti1Header") -> Affine | None:
    """A header's qform, in its unit and whatever its code; None where its axes do not span a volume."""
    vector = quaternion_of(header)
    if vector is None:
        return None
    squared = 1.0 - float(vector @ vector)
    # of a half turn nothing but float32's rounding is left, which is no angle
    half_turn = squared < _LEAST_SQUARE
    a = 0.0 if half_turn else np.sqrt(squared)
    b, c, d = vector / np.linalg.norm(vector) if half_turn else vector
    # the rotation of the unit quaternion (a, b, c, d)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * _pixdim(header)
    # pixdim[0] is -1 where the third axis is turned round, and anything else means 1
    affine[:3, 2] *= -1.0 if header["pixdim"][0] == -1 else 1.0
    affine[:3, 3] = [header[f"qoffset_{axis}"] for axis in "xyz"]
    return affine if _spans_a_volume(affine) else None


def _pixdim(header: "nibabel.Nifti1Header") -> NDArray[np.float64]:
    return np.abs(np.asarray(header["pixdim"][1:4], dtype=np.float64))


def _spans_a_volume(affine: Affine) -> bool:
    """Whether an affine, in any unit, has three axes of different directions."""
    if not np.all(np.isfinite(affine)):
        return False
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    # of directions, as metres are small numbers
    return bool(lengths.min() > 0 and abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-3)


def _assumed(
    header: "nibabel.Nifti1Header", path: str | PathLike[str], factor: float, orientation: str | None
) -> Affine:
    spacing = _pixdim(header) * factor
    if not np.all(np.isfinite(spacing)) or spacing.min() <= 0:
        raise InputError(f"{path} has no sform, no qform and no spacing (pixdim): convert the CT again")
    axes = orientation_of(orientation) if orientation else ASSUMED_AXES
    if orientation is None:
        _warn(
            f"{path} does not say how its axes lie (sform and qform codes are 0): {axes} is assumed, which is x to the "
            "left, y to the front, z to the head; say it with `orientation`, such as LPS"
        )
    shape = (*header.get_data_shape(), 1)[:3]
    affine = axes_affine(axes, spacing, (shape[0], shape[1], shape[2]))
    _check_spacing(affine, header, path)
    return affine


def _check_spacing(affine: Affine, header: "nibabel.Nifti1Header", path: str | PathLike[str]) -> None:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() < SPACING_LIMITS[0] or spacing.max() > SPACING_LIMITS[1]:
        unit = _UNITS.get(int(header["xyzt_units"]) & 0x07, "mm")
        sizes = " x ".join(f"{length:.4g}" for length in spacing)
        raise InputError(
            f"{path} has voxels of {sizes} mm (its header's unit: {unit}); a CT has {SPACING_LIMITS[0]:g} to "
            f"{SPACING_LIMITS[1]:g} mm: set xyzt_units, or the spacing, to what is true"
        )


def _compare_forms(
    sform: Affine, qform: Affine, shape: tuple[int, ...], path: str | PathLike[str], grid_tolerance: float | None
) -> None:
    tolerance = FORMS_TOLERANCE if grid_tolerance is None else grid_tolerance
    apart = corner_distance(sform, qform, shape)
    if apart <= tolerance and (grid_tolerance is not None or _same_spacing(sform, qform)):
        return
    if orientation_name(sform) != orientation_name(qform):
        raise InputError(
            f"{path}: its sform runs to {orientation_name(sform)}, its qform to {orientation_name(qform)}, so left and "
            "right, front and back are not sure: set the wrong one's code to 0"
        )
    if (angle := shear(sform)) > LARGEST_SHEAR and corner_distance(without_shear(sform), qform, shape) <= 1:
        # a qform cannot say what a tilted gantry does
        return
    raise InputError(
        f"{path} has an sform and a qform that lie up to {apart:.3g} mm apart ({differences(sform, qform)}"
        f"{f', the sform has a shear of {angle:.1f} degrees' if angle > LARGEST_SHEAR else ''}): set the wrong one's "
        f"code to 0, or take the sform all the same with `grid_tolerance` {rounded_up(apart)}"
    )


def _same_spacing(first: Affine, second: Affine) -> bool:
    # distances are measured with it, so that on a small grid too a per cent counts
    spacings = [np.linalg.norm(affine[:3, :3], axis=0) for affine in (first, second)]
    return bool(np.abs(spacings[0] / spacings[1] - 1).max() <= _ROUNDED_SPACING)


def _compare_pixdim(affine: Affine, header: "nibabel.Nifti1Header", path: str | PathLike[str], factor: float) -> None:
    spacing, said = np.linalg.norm(affine[:3, :3], axis=0), _pixdim(header) * factor
    if np.all(said > 0) and np.abs(said / spacing - 1).max() > _ROUNDED_SPACING:
        _warn(
            f"{path}: its sform has a spacing of {in_words(spacing)} mm, pixdim says {in_words(said)}; the sform holds"
        )


def _warn(message: str) -> None:
    warnings.warn(message, InputWarning, stacklevel=3)
