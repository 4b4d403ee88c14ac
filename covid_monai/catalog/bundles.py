"""The bundles: those of the package by name, others by path, and their metadata."""

from pathlib import Path

from covid_monai.errors import InputError, did_you_mean

SUFFIX = "_ct_segmentation"


def bundle_names() -> list[str]:
    """The package's bundles, such as ``a_segnet_ct_segmentation``."""
    return sorted(folder.name for folder in _shelf().iterdir() if (folder / "configs" / "metadata.json").is_file())


def bundle_folder(name: str) -> Path:
    """The folder of a bundle: ``a_segnet``, ``a_segnet_ct_segmentation``, or a path to another bundle.

    Raises:
        InputError: there is no such bundle.
    """
    for candidate in (_shelf() / name, _shelf() / f"{name}{SUFFIX}", Path(name)):
        if (candidate / "configs" / "metadata.json").is_file():
            return candidate.resolve()
    known = [bundle.removesuffix(SUFFIX) for bundle in bundle_names()]
    raise InputError(
        f"no bundle {name!r}; there is {', '.join(known)}, or the path of a folder with configs/metadata.json"
        + did_you_mean(name, known)
    )


def stored_name(folder: Path) -> str:
    """What a run notes of its bundle: the name of one of the package's, else the path."""
    return folder.name if folder.parent == _shelf().resolve() else str(folder)


def _shelf() -> Path:
    import covid_monai.bundles

    return Path(next(iter(covid_monai.bundles.__path__)))
