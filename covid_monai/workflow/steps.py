"""What a bundle's configuration says of its intensities and losses, without running it."""

import pydoc
import sys
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError
from covid_monai.workflow.build import build_workflow, read_config

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
        if not _component(parser, item).startswith(_VALUES_STAY):
            settings = [key for key in step if key not in ("_target_", "keys")]
            told = ", ".join(f"{key}={parser.get_parsed_content(f'{item}#{key}')}" for key in settings)
            steps.append(f"{step['_target_'].rpartition('.')[2]}({told})")
    return steps


def losses(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The loss that a bundle trains with, and all that its setting ``loss`` can name.

    A loss that is made by its name has the names in ``LOSSES`` of its module. Any other is the bundle's only one.
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
