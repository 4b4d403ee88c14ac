"""``covid-monai bundle show``: what a bundle is."""

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from covid_monai.catalog.describe import Description
    from covid_monai.catalog.sizes import Size


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def show(name: str, as_json: bool) -> None:
    """Show a bundle's paper, network, input, classes, losses, ablations and settings."""
    from covid_monai.catalog.describe import describe_bundle

    described = describe_bundle(name)
    click.echo(json.dumps(_content(described), indent=2, allow_nan=False) if as_json else _text(described))


def _content(described: "Description") -> dict[str, Any]:
    from covid_monai.catalog.settings import allowed
    from covid_monai.catalog.sizes import COUNTED

    network, *ablations = described.sizes
    metadata, settings = described.metadata, described.settings
    return {
        "format": "covid-monai bundle",
        "version": 1,
        "bundle": described.name,
        "bundle_version": metadata["version"],
        "name": metadata.get("name", described.name),
        "description": metadata["description"],
        "references": metadata.get("references", []),
        "terms": described.terms,
        **_size(network),
        "counted": COUNTED,
        "input": {
            "channels": _first(metadata["network_data_format"]["inputs"])["num_channels"],
            "image_size": list(network.image_size),
            "window": settings.get("window"),
            "intensities": list(described.intensity_steps),
        },
        "classes": _classes(metadata),
        "loss": described.loss,
        "losses": list(described.losses),
        "ablations": [
            {"name": ablation.label, "settings": ablation.settings, **_size(ablation)} for ablation in ablations
        ],
        "settings": settings,
        "setting_details": {
            name: {
                "meaning": schema["description"],
                "unit": schema.get("unit"),
                "allowed": allowed(schema),
                "schema": schema,
            }
            for name, schema in described.schema.items()
            if name in settings
        },
    }


def _size(size: "Size") -> dict[str, int]:
    return {
        "parameters": size.parameters,
        "operations": size.operations,
        "operations_256x256": size.common_operations,
    }


def _text(described: "Description") -> str:
    from covid_monai.catalog.sizes import COMMON_SIZE

    content = _content(described)
    shown = content["input"]
    height, width = shown["image_size"]
    lines = [f"{content['name']} (version {content['bundle_version']})", content["description"], ""]
    operations = f"{_giga(content['operations'])} for a slice of {height} x {width}"
    if (height, width) != COMMON_SIZE:
        operations += f", {_giga(content['operations_256x256'])} for one of 256 x 256"
    facts = {
        "paper": "; ".join(content["references"]) or "none named",
        "parameters": f"{content['parameters']:,}",
        "operations": f"{operations}: {content['counted']}",
        "input": f"{shown['channels']} channel, {height} x {width} pixels, HU window {shown['window']}",
        "intensities": "; ".join(shown["intensities"]) or "as they are",
        "classes": ", ".join(f"{index} {name}" for index, name in enumerate(content["classes"])) or "not named",
        "weights": f"shipped, {content['terms']}; the code is Apache-2.0" if content["terms"] else "none shipped",
        "losses": ", ".join(f"{name} (its own)" if name == content["loss"] else name for name in content["losses"]),
    }
    lines += _columns(facts)
    if content["ablations"]:
        lines += ["", "ablations of the paper, by covid-monai train --set"]
        lines += [
            f"  {line}"
            for line in _columns({ablation["name"]: _ablation(ablation) for ablation in content["ablations"]})
        ]
    lines += ["", "settings of covid-monai train --set, with the bundle's values"]
    details = content["setting_details"]
    listed = {key: _as_typed(value) for key, value in content["settings"].items() if key in details or not details}
    for key, line in zip(listed, _columns(listed), strict=True):
        lines.append(f"  {line}")
        if key in details:
            lines.append(f"      {_meaning(details[key])}")
    return "\n".join(lines)


def _ablation(entry: dict[str, Any]) -> str:
    assigned = " ".join(
        f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in entry["settings"].items()
    )
    return f"{assigned}  ({entry['parameters']:,} parameters, {_giga(entry['operations'])})"


def _meaning(detail: dict[str, Any]) -> str:
    """What a setting means, is counted in and can be: ``largest random rotation (radians; a number from 0 to 3.1)``."""
    unit = f"{detail['unit']}; " if detail["unit"] else ""
    return f"{detail['meaning']} ({unit}{detail['allowed']})"


def _as_typed(value: Any) -> str:
    """A value as --set takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def _columns(facts: dict[str, Any]) -> list[str]:
    width = max(map(len, facts))
    return [f"{heading:<{width}}  {value}" for heading, value in facts.items()]


def _giga(operations: int) -> str:
    return f"{operations / 1e9:.1f} GFLOP"


def _classes(metadata: Any) -> list[str]:
    return list(_first(metadata["network_data_format"]["outputs"]).get("channel_def", {}).values())


def _first(tensors: dict[str, Any]) -> Any:
    return next(iter(tensors.values()))
