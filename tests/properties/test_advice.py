"""What a refusal advises works when it is followed."""

import re
from pathlib import Path

from hypothesis import given, settings

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.transforms.nifti import read_nifti
from tests.properties.answers import CLOSE, write
from tests.properties.draft import OddFile, Verdict
from tests.properties.forms import ODD_FORMS
from tests.properties.grids import corners_apart
from tests.properties.nifti_headers import odd_files
from tests.properties.worlds import labels

APART = [name for name in ODD_FORMS if name.startswith("qform moved") or name.endswith("in the qform")]


def test_the_tolerance_that_a_refusal_names_takes_the_sform(examples: settings, tmp_path: Path) -> None:
    followed = []

    @settings(examples)
    @given(odd_files(labels(), forms=APART))
    def check(odd: OddFile) -> None:
        file, advice = write(odd, tmp_path, "odd"), None
        with collecting_warnings():
            try:
                read_nifti(file)
            except InputError as error:
                advice = re.search(r"`grid_tolerance` ([\d.]+)", str(error))
            if advice and len(odd.reasons) == 1:
                image = read_nifti(file, grid_tolerance=float(advice[1]))
                assert corners_apart(image.affine, odd.grid.affine, odd.shape) < CLOSE
                followed.append(odd)

    check()
    assert followed


def test_the_orientation_that_a_warning_asks_for_silences_it(examples: settings, tmp_path: Path) -> None:
    @settings(examples)
    @given(odd_files(labels(), forms=["no form", "no form, NaN"]))
    def check(odd: OddFile) -> None:
        if odd.refused or len(odd.reasons) > 1:
            return
        file = write(odd, tmp_path, "odd")
        with collecting_warnings() as assumed:
            image = read_nifti(file)
        (message,) = assumed
        assert "`orientation`" in message
        with collecting_warnings() as silent:
            again = read_nifti(file, orientation=re.search(r"\b(LAS|LPS|RAS)\b", message)[0])
        assert not silent
        assert odd.warned == Verdict.MUST
        assert corners_apart(image.affine, again.affine, odd.shape) < CLOSE

    check()
