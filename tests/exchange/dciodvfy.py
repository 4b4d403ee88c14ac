"""Debian's checker of DICOM objects."""

import shutil
import subprocess
from pathlib import Path

import pytest

NEEDED = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian's dicom3tools)")

KINDS = {"mask.dcm": "Segmentation", "measurements.dcm": "Comprehensive3DSR"}


def errors_in(file: Path) -> list[str]:
    """What it finds wrong in an object, once it has said which kind it takes it for."""
    told = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
    lines = (told.stdout + told.stderr).splitlines()
    assert KINDS[file.name] in lines, lines
    return [line for line in lines if line.startswith("Error")]
