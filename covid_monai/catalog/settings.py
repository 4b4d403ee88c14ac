"""What a bundle's settings may be: type, unit and range of each, and how they fit together.

The facts are JSON schemas. A bundle names its settings in ``configs/settings_schema.json``; what bundles have in common
stands once, in the package, and is referred to. A bundle without such a file, as of release 0.1, is not checked here.
"""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from covid_monai.catalog.literals import is_code
from covid_monai.errors import InputError
from covid_monai.files import read_json

FILE_NAME = "settings_schema.json"
SHARED = "urn:covid-monai:settings#/$defs/"
"""What a reference to a setting that bundles have in common begins with."""

Schema = Mapping[str, Any]


def settings_schema(bundle: Path) -> dict[str, Schema]:
    """The JSON schema of each setting of a bundle, references resolved; empty where the bundle has none.

    ``description`` says what a setting means, and ``unit`` what it is counted in, where it has a unit.

    Raises:
        InputError: the bundle's file is damaged, or refers to what this release does not have.
    """
    file = bundle / "configs" / FILE_NAME
    if not file.is_file():
        return {}
    content = read_json(file)
    schema: dict[str, Schema] = {}
    try:
        for name, own in content["properties"].items():
            reference = own.get("$ref")
            shared = _shared()[reference.removeprefix(SHARED)] if reference is not None else {}
            schema[name] = {**shared, **{key: value for key, value in own.items() if key != "$ref"}}
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} is no schema of settings: {error!r}; its `properties` name settings, and `$ref` those of "
            f"{_shared_file()}"
        ) from error
    return schema


def check_values(bundle: Path, config: Mapping[str, Any], settings: Mapping[str, Any], *, training: bool) -> None:
    """Refuse values that a bundle's settings cannot have, alone or together, before anything is built of them.

    Expressions are not looked into.

    Args:
        bundle: the bundle's folder.
        config: the bundle's configuration without ``settings``.
        settings: values in place of its own; keys may lead inwards, such as ``network_def#out_channels``.
        training: whether these are settings of a training; else those of predicting and scoring alone are looked at.

    Raises:
        InputError: a value is refused; the message has the setting, the value and what is allowed.
    """
    merged = _merged(config, settings)
    schema = settings_schema(bundle)
    if not training:
        used = _names_used_by_prediction(bundle)
        schema = {name: rule for name, rule in schema.items() if name in used}
    known = {name: merged[name] for name in schema if name in merged and not is_code(_as_list(merged[name]))}
    for name, value in known.items():
        if not _is_valid(value, schema[name]):
            raise InputError(f"{name} is {_shown(value)}; it must be {allowed(schema[name])}{_example(config, name)}")
    _check_window(known)
    _check_inner(config, merged)
    _check_depth(known, "image_size" if training else "roi_size")
    if training and schema:
        _check_validation(known, merged.get("additional_metrics"))
        for first, second in (("alpha", "beta"), ("false_positive_weight", "false_negative_weight")):
            if known.get("loss") in ("tversky", "focal_tversky") and known.get(first) == known.get(second) == 0:
                raise InputError(
                    f"{first} and {second} are both 0, so the {known['loss']} loss is 0; set one of them above 0"
                )


def _merged(config: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with ``settings``; keys that lead inwards stand beside it and change its lists."""
    merged = {**config, **{key.replace("::", "#"): value for key, value in settings.items()}}
    for key, value in settings.items():
        name, _, index = key.replace("::", "#").partition("#")
        if isinstance(merged.get(name), list) and index.isdigit():
            items = merged[name]
            merged[name] = [*items[: int(index)], value, *items[int(index) + 1 :]]
    return merged


def allowed(schema: Schema, plural: bool = False) -> str:
    """What a schema allows, in words: ``a whole number of at least 1``, ``a list of 2 numbers``."""
    if "enum" in schema:
        values = [_plain(value) for value in schema["enum"]]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    kinds = schema.get("type", "any")
    if isinstance(kinds, list):
        others = [allowed({**schema, "type": kind}) for kind in kinds if kind != "null"]
        return " or ".join([*others, *(["null"] if "null" in kinds else [])])
    if kinds == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        count = f"{least} " if least == most else f"{least} to {most} " if most < math.inf else ""
        count = f"{least} or more " if not count and least else count
        return f"a list of {count}{'different ' if schema.get('uniqueItems') else ''}{allowed(schema['items'], True)}"
    one, many = {
        "boolean": ("true or false", "true or false"),
        "integer": ("a whole number", "whole numbers"),
        "number": ("a number", "numbers"),
        "string": ("text", "texts"),
    }.get(kinds, ("a value", "values"))
    return f"{many if plural else one}{_range(schema)}"


def _range(schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema and "exclusiveMaximum" not in schema:
        return f" from {_number(schema['minimum'])} to {_number(schema['maximum'])}"
    words = {
        "exclusiveMinimum": "above",
        "minimum": "of at least",
        "exclusiveMaximum": "below",
        "maximum": "at most",
    }
    bounds = [f"{word} {_number(schema[key])}" for key, word in words.items() if key in schema]
    if "exclusiveMaximum" in schema and "maximum" in schema:
        bounds.pop()
    return f" {' and '.join(bounds)}" if bounds else ""


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _is_valid(value: Any, schema: Schema) -> bool:
    valid: bool = _validator_class()(schema).is_valid(value)
    return valid


@cache
def _validator_class() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    # Python's numbers: 32.0 is no whole one, and neither inf nor nan is one at all
    kinds = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: _is_number(value),
            "array": lambda _, value: isinstance(value, (list, tuple)),
        }
    )
    return extend(Draft202012Validator, type_checker=kinds)


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _check_window(known: Mapping[str, Any]) -> None:
    if "window" in known:
        lower, upper = known["window"]
        if not lower < upper:
            raise InputError(
                f"window is {_shown(known['window'])}; its lower end must be below its upper one, such as [-1024, 600]"
            )


def _check_inner(config: Mapping[str, Any], merged: Mapping[str, Any]) -> None:
    """Refuse a network whose output does not fit the classes, or whose input does not fit the images."""
    outputs, names = merged.get("network_def#out_channels"), merged.get("class_names")
    if outputs is not None and isinstance(names, (list, tuple)) and not is_code(outputs) and outputs != len(names):
        raise InputError(
            f"network_def#out_channels is {_shown(outputs)}, but class_names has {len(names)} names; leave it away and "
            "set class_names, lesion_labels and lesion_classes, from which it follows"
        )
    own = config.get("network_def")
    for key in ("in_channels", "spatial_dims"):
        expected = own.get(key) if isinstance(own, Mapping) else None
        value = merged.get(f"network_def#{key}", expected)
        if expected is not None and value != expected and not is_code(value):
            raise InputError(f"network_def#{key} is {_shown(value)}, but the images need {expected}; leave it away")


def _check_depth(known: Mapping[str, Any], size: str) -> None:
    if size in known and "channels" in known:
        levels = len(known["channels"])
        if min(known[size]) < 2**levels:
            raise InputError(
                f"{size} is {_shown(known[size])}; with the {levels} levels of channels each side must be "
                f"at least {2**levels} (2 to the power of {levels})"
            )


def _check_validation(known: Mapping[str, Any], additional: Any) -> None:
    interval, epochs, patience = (known.get(name) for name in ("validation_interval", "epochs", "patience"))
    metric = known.get("patience_metric", "")
    if interval is not None and epochs is not None and interval > epochs and known.get("weights_kept") == "best":
        raise InputError(
            f"validation_interval is {interval} and epochs is {epochs}, so no epoch would be validated and none be the "
            "best; set validation_interval to at most epochs, or weights_kept to last"
        )
    metrics = ["validation_dice", "loss", *(additional if isinstance(additional, Mapping) else ())]
    for name in ("patience_metric", "weights_metric"):
        if known.get(name, metrics[0]) not in metrics:
            raise InputError(f"{name} is {_shown(known[name])}; it must be one of {', '.join(metrics)}")
    if patience is not None and interval is not None and metric != "loss" and patience < interval:
        raise InputError(
            f"patience is {patience} and validation_interval is {interval}, so training would stop before the second "
            f"validation; set patience to at least {interval}, or to null"
        )


def _names_used_by_prediction(bundle: Path) -> set[str]:
    import yaml

    files = [bundle / "configs" / name for name in ("inference.yaml", "evaluate.yaml")]
    return {key for file in files if file.is_file() for key in yaml.safe_load(file.read_text(encoding="utf-8"))}


def _example(config: Mapping[str, Any], name: str) -> str:
    default = config.get(name)
    return f", such as {_shown(default)}" if _is_number(default) or (isinstance(default, list) and default) else ""


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else f"{text[:100]}..."


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shared_file() -> Path:
    import covid_monai.bundles

    return Path(next(iter(covid_monai.bundles.__path__))) / FILE_NAME


@cache
def _shared() -> Mapping[str, Schema]:
    content: Mapping[str, Schema] = read_json(_shared_file())["$defs"]
    return content
