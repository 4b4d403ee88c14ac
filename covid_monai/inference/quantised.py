"""A network in int8 beside the weights that it was made from: an OpenVINO IR, quantised once and shipped."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_monai.catalog.config import read_config
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of
from covid_monai.inference.mask_record import as_json
from covid_monai.run.trained import Trained

NETWORK_FILE = "model_int8.xml"
"""The network in the models folder of a bundle; its weights are the ``.bin`` of the same name."""

RECORD_FILE = "model_int8.json"
"""Which weights and settings the network was made from, how, its SHA-256 and terms of use."""

INSTEAD = "give `precision` float32 or bfloat16"


@dataclass(frozen=True)
class Quantised:
    """A network in int8 that was made from the weights and settings that it is asked for with.

    Attributes:
        file: the ``.xml``, with the ``.bin`` beside it.
        sha256: of both.
        image_size: height and width of the images that it takes.
    """

    file: Path
    sha256: tuple[str, str]
    image_size: tuple[int, int]


def find_quantised(trained: Sequence[Trained], settings: Mapping[str, Any], *, mirrored: bool) -> Quantised:
    """The network in int8 of weights, which lies beside them.

    Args:
        trained: the weights.
        settings: overrides of the bundle's inference configuration, over those of the run.
        mirrored: whether mirrored slices are averaged over.

    Raises:
        InputError: there is none, it was made from other weights or settings, it is damaged, or logits are averaged.
    """
    if mirrored or len(trained) > 1:
        raise InputError(f"int8 is of one network; logits that are averaged (`mirrored`, several runs): {INSTEAD}")
    (run,) = trained
    note, network = run.weights.with_name(RECORD_FILE), run.weights.with_name(NETWORK_FILE)
    if not note.is_file():
        raise InputError(
            f"{run.weights} have no network in int8 beside them; the model of the package (`run` shipped) has one, for "
            f"others {INSTEAD}"
        )
    record = read_json(note)
    try:
        of, made, hashes = record["weights_sha256"], record["settings"], tuple(map(str, record["sha256"].values()))
        height, width = map(int, made["image_size"])
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{note} is damaged ({error}); copy it again, or {INSTEAD}") from error
    if of != run.sha256:
        raise InputError(f"{network} was made from other weights than {run.weights}; {INSTEAD}")
    asked = network_settings(run.bundle, {**run.settings, **settings})
    if differing := sorted(key for key in {*asked, *made} if asked.get(key) != made.get(key)):
        raise InputError(f"{network} was made with other {', '.join(differing)} than are asked for; {INSTEAD}")
    files = (network, network.with_suffix(".bin"))
    if not all(map(Path.is_file, files)) or tuple(map(sha256_of, files)) != hashes:
        raise InputError(f"{network} with its .bin is not what {note.name} notes: copy them again, or {INSTEAD}")
    return Quantised(network, (hashes[0], hashes[1]), (height, width))


def network_settings(bundle: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a bundle's network and the size of its images depend on: ``network_def`` and the settings that it names."""
    config = {**read_config(bundle, "inference"), **settings}
    names = {"image_size", "network_def", *re.findall(r"@(\w+)", str(config["network_def"]))}
    # network_def#heads is a part of network_def
    return as_json({key: value for key, value in config.items() if re.split("#|::", key)[0] in names})
