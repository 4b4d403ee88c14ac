"""NIfTI files whose headers are drawn at random, each with the right answer, which no reader had a part in.

A file is drawn as a grid, a way of storing values, and a choice of each kind of oddity; most choices are plain, so
that about every second file has to be taken.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from tests.properties.draft import Draft, OddFile, Verdict
from tests.properties.forms import ODD_FORMS, ODD_UNITS, PLAIN_FORMS, PLAIN_UNITS
from tests.properties.grids import ORIENTATIONS, Grid
from tests.properties.layouts import (
    ODD_DIMENSIONS,
    ODD_FILES,
    ODD_KINDS,
    ODD_OFFSETS,
    ODD_STORAGE,
    PLAIN,
    PLAIN_DIMENSIONS,
    PLAIN_FILES,
    PLAIN_OFFSETS,
    PLAIN_TEXTS,
    encode,
    encodings,
)

_SPACINGS = (0.75, 1.5, 0.5, 5.0, 2.0)
_TURNS = (0.0, 0.0, 5.0, -20.0, 30.0)
_TURN_AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.6, 0.0, 0.8))
_LIKELIHOOD = {"form": 3, "unit": 8, "storage": 10, "dimensions": 12, "offset": 8, "file": 10, "kind": 30}
"""One file of so many has an odd choice of this kind."""


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Grids of right angles: 48 orientations, straight or turned."""
    axes, signs = draw(st.sampled_from(ORIENTATIONS))
    spacing = draw(st.tuples(*[st.sampled_from(_SPACINGS)] * 3))
    origin = draw(st.tuples(*[st.sampled_from((0.0, -151.25, 87.5))] * 3))
    turn, turn_axis = draw(st.sampled_from(_TURNS)), draw(st.sampled_from(_TURN_AXES))
    return Grid(axes=axes, signs=signs, spacing=spacing, origin=origin, turn=turn, turn_axis=turn_axis)


def odd_files(
    world: np.ndarray, *, orientation: bool = False, forms: Sequence[str] | None = None
) -> st.SearchStrategy[OddFile]:
    """Files of a volume in LPS order, on grids of their own.

    Args:
        world: (X, Y, Z); its values are those that a reader has to find.
        orientation: whether the reader can be told how axes lie that a header does not say.
        forms: those to draw from; None for all.
    """
    held = encodings(world)
    plain_forms = {name: form for name, form in PLAIN_FORMS.items() if orientation or not name.endswith("is given")}
    odd_forms = ODD_FORMS
    if forms is not None:
        plain_forms = odd_forms = {name: ODD_FORMS[name] for name in forms}

    @st.composite
    def draw_file(draw: st.DrawFn) -> OddFile:
        def chosen(kind: str, plain: Mapping[str, object], odd: Mapping[str, object]) -> str:
            # hypothesis shrinks to the least number
            is_odd = draw(st.integers(1, _LIKELIHOOD[kind])) == _LIKELIHOOD[kind]
            return draw(st.sampled_from(sorted(odd) if is_odd else list(plain)))

        version, order = draw(st.sampled_from((1, 1, 2))), draw(st.sampled_from("<>"))
        dtype, slope, intercept = draw(st.sampled_from(held))
        form = chosen("form", plain_forms, odd_forms)
        grid_for, write_form = {**PLAIN_FORMS, **ODD_FORMS}[form]
        drawn = draw(grids())
        grid = grid_for(drawn, drawn.stored(world).shape)
        if grid.axes != drawn.axes:
            grid = grid_for(drawn, grid.stored(world).shape)
        stored = encode(grid.stored(world), dtype, slope, intercept)
        assert stored is not None
        draft = Draft.plain(version, order, grid, stored, slope, intercept)
        write_form(draft)
        steps: list[tuple[str, Mapping[str, Callable[[Draft], None]], Mapping[str, Callable[[Draft], None]]]] = [
            ("unit", PLAIN_UNITS, ODD_UNITS),
            ("storage", {PLAIN: _nothing}, ODD_STORAGE),
            ("dimensions", PLAIN_DIMENSIONS, ODD_DIMENSIONS),
            ("offset", PLAIN_OFFSETS, ODD_OFFSETS),
            ("kind", {PLAIN: _nothing}, ODD_KINDS),
        ]
        choices = [f"NIfTI-{version}", order, dtype, f"slope {slope:.4g}", f"intercept {intercept}", form]
        for kind, plain, odd in steps:
            name = chosen(kind, plain, odd)
            {**plain, **odd}[name](draft)
            choices.append(name)
        text, file = draw(st.sampled_from(list(PLAIN_TEXTS))), draw(st.sampled_from(list(PLAIN_FILES)))
        PLAIN_TEXTS[text](draft)
        PLAIN_FILES[file](draft)
        content = draft.content()
        damage = chosen("file", {PLAIN: _nothing}, ODD_FILES)
        if damage != PLAIN:
            change, needs_gzip, refused = ODD_FILES[damage]
            if draft.members or not needs_gzip:
                content = change(content)
                draft.judge(f"damaged: {damage}", refused=refused, warned=Verdict.MAY)
        return OddFile(
            choices=(*choices, text, file),
            ending=draft.ending,
            content=content,
            grid=grid,
            shape=grid.stored(world).shape,
            refused=draft.refused,
            warned=draft.warned,
            sheared=draft.sheared,
            orientation=draft.orientation,
            reasons=tuple(draft.reasons),
        )

    return draw_file()


def _nothing(draft: Draft) -> None:
    """What is plain."""
