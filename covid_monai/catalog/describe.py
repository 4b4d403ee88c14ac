"""What a bundle is: its metadata, sizes, settings, losses and intensity steps; and whether it is as MONAI asks."""

import pydoc
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, config_files, read_config
from covid_monai.catalog.metadata import metadata_file, metadata_schema, read_metadata
from covid_monai.catalog.settings import Schema, settings_schema
from covid_monai.catalog.sizes import Size, network_sizes
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.weights import WEIGHTS_RECORD_FILE

# rooms of MONAI's transforms that leave the values of an image as they are
_VALUES_STAY = tuple(f"monai.transforms.{room}." for room in ("io", "utility", "spatial", "croppad"))


def intensity_steps(folder: Path) -> list[str]:
    """The steps of a bundle's inference chain that change an image's values: ``Name(setting=value, ...)`` each.

    Raises:
        InputError: the configuration's ``preprocessing`` is not a ``Compose`` of named transforms.
    """
    parser = build_workflow(folder, "inference", {}).parser
    chain = read_config(folder, "inference").get("preprocessing")
    if not isinstance(chain, dict) or not isinstance(chain.get("transforms"), list):
        raise InputError(f"preprocessing of {folder.name} (inference) is not a Compose with a list of transforms")
    steps = []
    for index, step in enumerate(chain["transforms"]):
        item = f"preprocessing#transforms#{index}"
        disabled = "_disabled_" in step and parser.get_parsed_content(f"{item}#_disabled_")
        if not disabled and not _component(parser, item).startswith(_VALUES_STAY):
            settings = [key for key in step if key not in ("_target_", "_disabled_", "keys")]
            values = ", ".join(f"{key}={parser.get_parsed_content(f'{item}#{key}')}" for key in settings)
            steps.append(f"{step['_target_'].rpartition('.')[2]}({values})")
    return steps


def losses(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The loss that a bundle trains with, and all that its setting ``loss`` can name.

    A loss that is chosen by its name has the names in ``LOSSES`` of its module. Any other is the bundle's only one.
    """
    target = _component(build_workflow(folder, "train", {}).parser, "loss_function")
    factory = pydoc.locate(target)
    choices = getattr(sys.modules.get(getattr(factory, "__module__", "")), "LOSSES", ())
    if choices:
        return read_config(folder, "train")["loss"], tuple(choices)
    name = target.rpartition(".")[2]
    return name, (name,)


def _component(parser: Any, item: str) -> str:
    """The full dotted name of the component at a place in a configuration; bare names are MONAI's."""
    parser.parse(reset=False)
    name: str = parser.ref_resolver.get_item(item).resolve_module_name()
    return name


REQUIRED_FILES = (
    "LICENSE",
    "configs/metadata.json",
    "configs/train.yaml",
    "configs/evaluate.yaml",
    "configs/inference.yaml",
    "configs/multi_gpu_train.yaml",
    "configs/logging.conf",
    "docs/README.md",
)


@dataclass(frozen=True)
class Description:
    """What ``bundle show`` prints.

    Attributes:
        name: the bundle's.
        metadata: its ``metadata.json``.
        sizes: of its network, then of its ablations.
        intensity_steps: what its inference chain does to an image's values.
        loss: that it trains with.
        losses: all that its setting ``loss`` can name.
        settings: of its training, with their values.
        schema: the JSON schema of each of its settings, with ``description`` and ``unit``; empty where it has none.
        terms: of use of the weights that it brings along; None where it has none.
    """

    name: str
    metadata: Mapping[str, Any]
    sizes: Sequence[Size]
    intensity_steps: Sequence[str]
    loss: str
    losses: Sequence[str]
    settings: Mapping[str, Any]
    schema: Mapping[str, Schema]
    terms: str | None

    @property
    def parameters(self) -> int:
        """How many parameters of the bundle's network are trained."""
        return self.sizes[0].parameters


DESCRIPTION_FILE = "description.json"
"""What a bundle of the package has beside its configuration: what would take seconds to compute of it."""


def describe_bundle(name: str) -> Description:
    """Describe a bundle.

    What its ``configs/description.json`` says is believed where the configuration is still the one that it was made
    of. Otherwise its network and those of its ablations are built, without values, to count their operations.

    Raises:
        InputError: there is no such bundle, or a part of its configuration is not as ours are.
    """
    import yaml

    folder = bundle_folder(name)
    computed = _stored(folder) or _computed(folder)
    (training,) = config_files(folder, "train")
    config = yaml.safe_load(Path(training).read_text(encoding="utf-8"))
    sizes = [{**size, "image_size": tuple(size["image_size"])} for size in computed["sizes"]]
    return Description(
        name=folder.name,
        metadata=read_metadata(folder),
        sizes=[Size(bundle=folder.name, **size) for size in sizes],
        intensity_steps=computed["intensity_steps"],
        loss=computed["loss"],
        losses=computed["losses"],
        settings={key: value for key, value in config.items() if _is_setting(value)},
        schema=settings_schema(folder),
        terms=_terms(folder),
    )


def _terms(folder: Path) -> str | None:
    note = folder / "models" / WEIGHTS_RECORD_FILE
    return read_json(note).get("terms") if note.is_file() else None


def store_description(folder: Path) -> None:
    """Write a bundle's ``configs/description.json``."""
    write_json(folder / "configs" / DESCRIPTION_FILE, {"of": _hashes(folder), **_computed(folder)})


def _computed(folder: Path) -> dict[str, Any]:
    loss, choices = losses(folder)
    sizes = [asdict(size) for size in network_sizes(str(folder))]
    return {
        "sizes": [{key: value for key, value in size.items() if key != "bundle"} for size in sizes],
        "intensity_steps": intensity_steps(folder),
        "loss": loss,
        "losses": list(choices),
    }


def _stored(folder: Path) -> dict[str, Any] | None:
    file = folder / "configs" / DESCRIPTION_FILE
    if not file.is_file():
        return None
    content = read_json(file)
    return content if isinstance(content, dict) and content.get("of") == _hashes(folder) else None


def _hashes(folder: Path) -> dict[str, str]:
    files = [*config_files(folder, "train"), *config_files(folder, "inference"), str(metadata_file(folder))]
    return {Path(file).name: sha256_of(file) for file in files}


def verify_bundle(name: str) -> list[str]:
    """Check a bundle as MONAI's tools would; the answer lists what is wrong, and is empty where nothing is."""
    from monai.bundle import verify_metadata, verify_net_in_out

    folder = bundle_folder(name)
    problems = [f"{file} is missing" for file in REQUIRED_FILES if not (folder / file).is_file()]
    if problems:
        return problems
    metadata = str(metadata_file(folder))
    checks = {
        "metadata": lambda: verify_metadata(meta_file=metadata, filepath=str(metadata_schema())),
        "network input and output": lambda: verify_net_in_out(
            net_id="network_def",
            meta_file=metadata,
            config_file=str(folder / "configs" / "inference.yaml"),
            n=1,
            any=1,
        ),
    }
    for what, check in checks.items():
        try:
            check()
        # whatever a foreign bundle's code raises is a finding about that bundle
        except Exception as error:
            problems.append(f"{what}: {' '.join(str(error).split())[:300]}")
    return problems


def _is_setting(value: Any) -> bool:
    if isinstance(value, str):
        return not value.startswith(("$", "@", "%"))
    if isinstance(value, list):
        return all(isinstance(item, (int, float)) or (isinstance(item, str) and _is_setting(item)) for item in value)
    return value is None or isinstance(value, (bool, int, float))
