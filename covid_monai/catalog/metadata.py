"""A bundle's ``metadata.json``: what MONAI asks of it, and the ablations that its paper compares."""

from pathlib import Path
from typing import Any

from covid_monai.catalog.config import check_settings, read_config
from covid_monai.catalog.literals import is_code
from covid_monai.errors import InputError
from covid_monai.files import read_json


def metadata_file(folder: Path) -> Path:
    """Where a bundle has its metadata."""
    return folder / "configs" / "metadata.json"


def metadata_schema() -> Path:
    """The file with what MONAI asks of a ``metadata.json``."""
    import covid_monai.bundles

    return Path(next(iter(covid_monai.bundles.__path__))) / "metadata_schema.json"


def read_metadata(folder: Path) -> dict[str, Any]:
    """A bundle's metadata, which have all that MONAI asks for.

    Raises:
        InputError: the file is missing, not JSON, or lacks something.
    """
    import jsonschema

    metadata: dict[str, Any] = read_json(metadata_file(folder))
    try:
        jsonschema.validate(metadata, read_json(metadata_schema()))
    except jsonschema.ValidationError as error:
        raise InputError(f"{metadata_file(folder)} is not as MONAI asks: {error.message}") from error
    return metadata


def input_channels(folder: Path) -> int:
    """How many channels a bundle's network reads."""
    inputs = read_metadata(folder)["network_data_format"]["inputs"]
    return int(next(iter(inputs.values()))["num_channels"])


def read_ablations(folder: Path) -> dict[str, dict[str, Any]]:
    """The key ``ablations`` of a bundle's metadata: the paper's name of each, and the settings that make it.

    The key is this package's own; MONAI's schema leaves room for further ones.

    Raises:
        InputError: it is something else, or a setting is code or unknown to the bundle's training.
    """
    ablations = read_metadata(folder).get("ablations", {})
    if not isinstance(ablations, dict) or not all(isinstance(settings, dict) for settings in ablations.values()):
        raise InputError(f'ablations in {metadata_file(folder)} must be like {{"name": {{"setting": value}}}}')
    for label, settings in ablations.items():
        if is_code(settings):
            raise InputError(
                f"ablation {label!r} in {metadata_file(folder)} has an expression; it takes numbers, text and lists"
            )
        where = f"{folder.name} (ablation {label!r})"
        check_settings(read_config(folder, "train"), settings, where, bundle=folder)
    return ablations
