"""Files of a folder that hold images or masks of a kind that is not read there, which is not to pass in silence."""

import warnings
from collections.abc import Iterable
from pathlib import Path

from covid_monai.errors import InputWarning

IMAGE_ENDINGS = (
    *(".nii", ".nii.gz", ".nii.bz2", ".nii.zst", ".hdr", ".img", ".img.gz", ".mgz", ".mgh"),
    *(".nrrd", ".nhdr", ".mha", ".mhd", ".dcm", ".dicom", ".ima", ".npy", ".npz"),
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2"),
)
"""Of files that hold images or masks; what else lies in a folder, such as notes and tables, is meant to be left out."""


def warn_of_unread_files(folder: Path, read: Iterable[Path], allowed: Iterable[str]) -> None:
    """Warn of images and masks in a folder that are left out because of their kind.

    Args:
        folder: where.
        read: its files that are read.
        allowed: the endings that are.
    """
    known = {*read}
    unread = sorted(
        path.name
        for path in folder.iterdir()
        if path not in known
        and path.name.lower().endswith(IMAGE_ENDINGS)
        and not path.name.startswith(".")
        and path.is_file()
    )
    if unread:
        warnings.warn(
            f"{folder}: {len(unread)} files are of another kind and are left out (first: {unread[0]}); if they belong "
            f"to the data, convert them ({', '.join(allowed)})",
            InputWarning,
            stacklevel=3,
        )
