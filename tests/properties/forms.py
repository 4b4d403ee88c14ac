"""What headers say of their place in the world: forms, codes, quaternions and units, right, rounded and wrong."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from tests.properties.draft import Draft, Verdict, with_shear
from tests.properties.grids import Grid, assumed_grid, corners_apart, right_angled

MAY, MUST = Verdict.MAY, Verdict.MUST
NAN = float("nan")


def _only_sform(draft: Draft, code: int = 1, rest: float = 0.0) -> None:
    draft.set_sform(draft.grid.affine, code)
    # what a code of 0 says is not set may be anything
    draft.header.quatern, draft.header.qoffset = [rest] * 3, [rest] * 3


def _only_qform(draft: Draft, code: int = 1, rest: float = 0.0) -> None:
    draft.set_qform(draft.grid.directions, draft.grid.affine[:3, 3], code)
    draft.header.srow = [rest] * 12


def _both(draft: Draft, sform_code: int = 1, qform_code: int = 1) -> None:
    _only_qform(draft, qform_code)
    draft.set_sform(draft.grid.affine, sform_code)


def _apart(draft: Draft, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Both forms, of which the sform is the grid and the qform was changed."""
    affine = change(draft.grid.affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    draft.set_qform(affine[:3, :3] / spacing, affine[:3, 3])
    draft.header.pixdim[1:4] = spacing.tolist()
    draft.set_sform(draft.grid.affine)
    distance = corners_apart(draft.grid.affine, affine, draft.stored.shape)
    close = distance < 0.08 and np.abs(spacing / draft.grid.spacing - 1).max() < 0.0008
    refused = Verdict.NO if close else MUST if distance > 0.12 else MAY
    draft.judge(f"sform and qform are {distance:.3g} mm apart", refused=refused, warned=MAY)


def _longer_spacing(share: float, affine: np.ndarray) -> np.ndarray:
    return affine @ np.diag([1 + share, 1, 1, 1])


def _moved(millimetres: float, affine: np.ndarray) -> np.ndarray:
    moved = affine.copy()
    moved[1, 3] += millimetres
    return moved


def _mirrored(affine: np.ndarray) -> np.ndarray:
    return affine @ np.diag([-1, 1, 1, 1])


def _exchanged(affine: np.ndarray) -> np.ndarray:
    return affine[:, [1, 0, 2, 3]]


def _broken_sform(draft: Draft, broken: str, with_qform: bool) -> None:
    affine = draft.grid.affine
    if broken == "NaN":
        affine[0, 0] = NAN
    elif broken == "infinity":
        affine[1, 3] = np.inf
    elif broken == "a column of zeros":
        affine[:3, 1] = 0
    elif broken == "two columns alike":
        affine[:3, 1] = affine[:3, 0]
    if with_qform:
        _only_qform(draft)
    draft.set_sform(affine)
    reason = f"its sform has {broken}" + (", its qform is right" if with_qform else "")
    draft.judge(reason, refused=MAY if with_qform else MUST, warned=MUST)


def _no_form(draft: Draft, rest: float = 0.0) -> None:
    draft.header.srow, draft.header.quatern = [rest] * 12, [rest] * 3
    draft.judge("both codes are 0", warned=MUST)


def _orientation_given(draft: Draft, axes: str) -> None:
    draft.header.srow = [0.0] * 12
    draft.orientation = axes
    draft.reasons.append(f"both codes are 0, orientation is {axes}")


def _no_spacing(draft: Draft, spacing: float) -> None:
    draft.header.pixdim[1:4] = [spacing] * 3
    draft.judge(f"both codes are 0 and the spacing is {spacing}", refused=MUST)


def _unknown_code(draft: Draft, sform_code: int, qform_code: int) -> None:
    _both(draft, sform_code, qform_code)
    draft.judge(f"sform_code {sform_code}, qform_code {qform_code}", refused=MAY, warned=MUST)


def _long_quaternion(draft: Draft, factor: float, with_sform: bool) -> None:
    _only_qform(draft)
    draft.header.quatern = [factor * part for part in draft.header.quatern]
    if with_sform:
        draft.set_sform(draft.grid.affine)
    reason = f"its quaternion is {factor} long" + (", its sform is right" if with_sform else "")
    if 1 <= factor <= 1.0095:
        draft.judge(reason, warned=MAY)
    else:
        draft.judge(reason, refused=Verdict.NO if with_sform else MUST, warned=MUST)


def _sheared(draft: Draft, with_qform: bool) -> None:
    affine = draft.grid.affine
    if with_qform:
        draft.set_qform(right_angled(draft.grid.directions), affine[:3, 3])
    draft.set_sform(affine)
    if abs(draft.grid.shear) > 0.2:
        draft.sheared = True
        reason = f"its axes are sheared by {draft.grid.shear} degrees" + (", its qform is not" if with_qform else "")
        draft.judge(reason, refused=MAY if with_qform else Verdict.NO, warned=MUST)


def _other_pixdim(draft: Draft, pixdim: list[float]) -> None:
    draft.set_sform(draft.grid.affine)
    draft.header.pixdim[1:4] = pixdim
    draft.judge(f"its pixdim {pixdim} is not the sform's", warned=MAY)


def _negative_pixdim(draft: Draft) -> None:
    _only_qform(draft)
    draft.header.pixdim[1:4] = [-length for length in draft.header.pixdim[1:4]]
    draft.judge("its pixdim is negative", refused=MAY, warned=MAY)


def _qfac(draft: Draft, qfac: float) -> None:
    _only_qform(draft)
    draft.header.pixdim[0] = qfac
    if qfac != 0:
        draft.judge(f"its qfac is {qfac}", refused=MAY, warned=MAY)


def _as_drawn(grid: Grid, _: tuple[int, ...]) -> Grid:
    return grid


def _assumed(axes: str) -> Callable[[Grid, tuple[int, ...]], Grid]:
    return lambda grid, shape: assumed_grid(axes, grid.spacing, shape)


def _half_turned(grid: Grid, _: tuple[int, ...]) -> Grid:
    """A half turn about z, whose quaternion (0, 0, 1) has no scalar part."""
    return replace(grid, axes=(0, 1, 2), signs=(-1, -1, 1), turn=0.0, shear=0.0)


def _half_turned_between(grid: Grid, _: tuple[int, ...]) -> Grid:
    """A half turn about an axis between y and z, whose quaternion float32 rounds."""
    return replace(grid, axes=(0, 2, 1), signs=(-1, 1, 1), turn=0.0, shear=0.0)


def _right_handed(grid: Grid, _: tuple[int, ...]) -> Grid:
    signs = (grid.signs[0], grid.signs[1], grid.signs[2] * int(np.sign(np.linalg.det(grid.directions))))
    return replace(grid, signs=signs)


def _leaning(degrees: float) -> Callable[[Grid, tuple[int, ...]], Grid]:
    return lambda grid, _: with_shear(grid, degrees)


Form = tuple[Callable[[Grid, tuple[int, ...]], Grid], Callable[[Draft], None]]

PLAIN_FORMS: dict[str, Form] = {
    "sform": (_as_drawn, _only_sform),
    "sform, code 4, NaN in the qform": (_as_drawn, partial(_only_sform, code=4, rest=NAN)),
    "sform, code 2": (_as_drawn, partial(_only_sform, code=2)),
    "qform": (_as_drawn, _only_qform),
    "qform, a half turn": (_half_turned_between, _only_qform),
    "qform, code 3, NaN in the sform": (_as_drawn, partial(_only_qform, code=3, rest=NAN)),
    "sform and qform": (_as_drawn, _both),
    "sform and qform, codes 3 and 2": (_as_drawn, partial(_both, sform_code=3, qform_code=2)),
    "LPS is given": (_assumed("LPS"), partial(_orientation_given, axes="LPS")),
    "RAS is given": (_assumed("RAS"), partial(_orientation_given, axes="RAS")),
    "PIR is given": (_assumed("PIR"), partial(_orientation_given, axes="PIR")),
    "qfac 0": (_right_handed, partial(_qfac, qfac=0.0)),
}

ODD_FORMS: dict[str, Form] = {
    "no form": (_assumed("LAS"), _no_form),
    "no form, NaN": (_assumed("LAS"), partial(_no_form, rest=NAN)),
    "qfac 7": (_right_handed, partial(_qfac, qfac=7.0)),
    "negative pixdim": (_as_drawn, _negative_pixdim),
    **{f"no form, spacing {spacing}": (_as_drawn, partial(_no_spacing, spacing=spacing)) for spacing in (0.0, NAN)},
    **{
        f"sform, pixdim {pixdim}": (_as_drawn, partial(_other_pixdim, pixdim=pixdim))
        for pixdim in ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-0.75, -0.75, -5.0], [NAN, 1.0, 1.0])
    },
    **{
        f"codes {codes}": (_as_drawn, partial(_unknown_code, sform_code=codes[0], qform_code=codes[1]))
        for codes in ((-1, 1), (99, 1), (1, 99), (1, -1), (2, 1000))
    },
    **{
        f"spacing {share:+.1%} in the qform": (_as_drawn, partial(_apart, change=partial(_longer_spacing, share)))
        for share in (1e-6, 1e-4, 0.002, -0.01, 0.05)
    },
    **{
        f"qform moved by {distance} mm": (_as_drawn, partial(_apart, change=partial(_moved, distance)))
        for distance in (0.001, 0.05, 0.5, -5.0, 100.0)
    },
    "qform mirrored": (_as_drawn, partial(_apart, change=_mirrored)),
    "qform with axes exchanged": (_as_drawn, partial(_apart, change=_exchanged)),
    **{
        f"sform with {broken}{', qform' * too}": (_as_drawn, partial(_broken_sform, broken=broken, with_qform=too))
        for broken in ("NaN", "infinity", "a column of zeros", "two columns alike")
        for too in (False, True)
    },
    **{
        f"quaternion {factor} long{', sform' * too}": (
            _half_turned,
            partial(_long_quaternion, factor=factor, with_sform=too),
        )
        for factor in (1.0000001, 1.0001, 1.009, 1.02, 1.5, NAN)
        for too in (False, True)
    },
    **{
        f"shear of {degrees} degrees{', qform' * too}": (_leaning(degrees), partial(_sheared, with_qform=too))
        for degrees in (0.01, 2.0, 15.0, -25.0)
        for too in (False, True)
    },
}


def _unit(draft: Draft, code: int, factor: float, time: int = 0) -> None:
    draft.header.xyzt_units = code | time
    draft.in_unit(factor)


def _unknown_unit(draft: Draft, code: int) -> None:
    draft.header.xyzt_units = code
    draft.judge(f"its unit is {code}", refused=MAY, warned=MUST)


def _wrong_unit(draft: Draft, code: int) -> None:
    draft.header.xyzt_units = code
    draft.judge(f"its spacing is in mm, its unit says {code}", refused=MUST)


PLAIN_UNITS: dict[str, Callable[[Draft], None]] = {
    "mm": partial(_unit, code=2, factor=1.0),
    "no unit": partial(_unit, code=0, factor=1.0),
    "metres": partial(_unit, code=1, factor=1000.0),
    "microns": partial(_unit, code=3, factor=0.001),
    "mm and seconds": partial(_unit, code=2, factor=1.0, time=8),
    "metres and rad/s": partial(_unit, code=1, factor=1000.0, time=48),
    "no unit and Hz": partial(_unit, code=0, factor=1.0, time=32),
}
ODD_UNITS: dict[str, Callable[[Draft], None]] = {
    **{f"unit {code}": partial(_unknown_unit, code=code) for code in (4, 5, 7, 15)},
    **{f"mm called {code}": partial(_wrong_unit, code=code) for code in (1, 3)},
}
