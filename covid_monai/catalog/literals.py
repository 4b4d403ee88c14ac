"""Values as users write them: literals of YAML 1.2, and what is code instead.

PyYAML reads YAML 1.1, in which ``010`` is 8, ``1:02`` is 62, ``1e-3`` is text and ``no`` is false. Here plain scalars
are read by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from covid_monai.errors import InputError

CODE_MARKS = ("$", "@", "%")


class _CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, and without keys that stand twice."""

    # not those of the class above, which make dates, sets and bytes too
    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (None, *(f"tag:yaml.org,2002:{kind}" for kind in ("null", "str", "seq", "map")))
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys differ."""
        keys = [str(self.construct_object(key, deep=True)) for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


# nor its resolvers, which are of YAML 1.1
_CoreLoader.yaml_implicit_resolvers = {}

_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")

for _kind, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": "|".join((*_TRUE, *_FALSE)),
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}.items():
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), None)


def _boolean(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return node.value in _TRUE


def _whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    base = {"0o": 8, "0x": 16}.get(node.value[:2], 10)
    return int(node.value.removeprefix("0o").removeprefix("0x"), base)


def _real(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", node.value.lower()))


_CoreLoader.add_constructor("tag:yaml.org,2002:bool", _boolean)
_CoreLoader.add_constructor("tag:yaml.org,2002:int", _whole)
_CoreLoader.add_constructor("tag:yaml.org,2002:float", _real)


def read_yaml(text: str) -> Any:
    """The content of a YAML 1.2 text.

    Raises:
        yaml.YAMLError: it is not YAML, a key stands twice in a mapping, or a value does not belong to its kind, such
            as ``!!int x``.
    """
    try:
        content = yaml.load(text, _CoreLoader)
        # refuses what contains itself
        json.dumps(content)
        return content
    except (ValueError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from error


def parse_setting(text: str) -> tuple[str, Any]:
    """``key=value`` as a key and a literal of YAML 1.2: ``epochs=5``, ``attention=false``, ``image_size=[128, 128]``.

    Raises:
        InputError: there is no ``=``, or the value is not a literal. References and expressions would run code,
            which only files may bring.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"setting {text!r} is not of the form key=value, such as epochs=5")
    try:
        literal = read_yaml(value)
    except yaml.YAMLError as error:
        raise InputError(f"the value of setting {text!r} is not YAML; quote text that has special signs") from error
    if is_code(literal):
        raise InputError(
            f"setting {text!r} is an expression; --set takes numbers, text and lists, --config takes files"
        )
    return key, literal


def refuse_ambiguous_numbers(path: str | Path) -> None:
    """Refuse a configuration with numbers that are others in YAML 1.1, which MONAI reads, than in YAML 1.2.

    These are ``010``, which is 8 or 10, and ``1:02``, which is 62 or text.

    Raises:
        InputError: the file has such a number, is not YAML, or cannot be read.
    """
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    for node in _scalars(root):
        if node.tag.endswith((":int", ":float")) and re.fullmatch(r"[-+]?0[0-7_]+|.*:.*", node.value):
            value = yaml.safe_load(node.value)
            raise InputError(
                f"{path}, line {node.start_mark.line + 1}: {node.value} is {value} in YAML 1.1, which MONAI reads, and "
                f"{read_yaml(node.value)!r} in YAML 1.2; write {value}, or what else is meant"
            )


def _scalars(node: Any) -> Iterable[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif node is not None:
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                yield from _scalars(part)


def is_code(value: Any) -> bool:
    """Whether MONAI would evaluate a value, or make an object of it, instead of taking it as it is."""
    return any(isinstance(leaf, str) and leaf.startswith(CODE_MARKS) for leaf in _leaves(value))


def read_settings(path: str | Path) -> dict[str, Any]:
    """Overrides from a YAML 1.2 file, ``{key: value}``; values may be MONAI expressions, so the file is code.

    Raises:
        InputError: the file is missing or not a YAML mapping.
    """
    try:
        content = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read settings from {path}: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds a {type(content).__name__}; settings are lines of `key: value`")
    return {str(key): value for key, value in content.items()}


def _leaves(content: Any) -> Iterable[Any]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            # a component named on the command line would be code too
            yield "$" if key == "_target_" else key
            yield from _leaves(value)
    elif isinstance(content, list):
        for value in content:
            yield from _leaves(value)
    else:
        yield content
