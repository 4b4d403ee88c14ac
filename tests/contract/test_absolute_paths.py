"""A bundle works wherever it is copied to: no value of its configuration is a path of one machine."""

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
import yaml

from covid_monai.catalog.bundles import bundle_folder, bundle_names


def absolute_paths(file: Path) -> list[str]:
    """The values of a configuration file, and the texts in its expressions, that are absolute paths."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".conf":
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
        content: Any = {name: dict(section) for name, section in parser.items()}
    else:
        # JSON is YAML too
        content = yaml.safe_load(text)
    return [text for value in leaves(content) for text in texts_in(value) if is_absolute(text)]


def leaves(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        content = [*content.keys(), *content.values()]
    if isinstance(content, list):
        for value in content:
            yield from leaves(value)
    elif isinstance(content, str):
        yield content


def texts_in(value: str) -> Iterator[str]:
    """The value itself, or the texts of an expression except those that are joined to something before them."""
    if not value.startswith("$"):
        yield value
        return
    tree = ast.parse(re.sub(r"[@%][\w#:]+", "reference", value[1:]))
    joined = {id(node.right) for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in joined:
            yield node.value


def is_absolute(text: str) -> bool:
    path = text.removeprefix("file://")
    return path.startswith("~") or PurePosixPath(path).is_absolute() or bool(PureWindowsPath(path).drive)


@pytest.mark.parametrize("name", bundle_names())
def test_no_configuration_names_an_absolute_path(name):
    files = sorted((bundle_folder(name) / "configs").iterdir())
    assert len(files) >= 6
    assert {file.name: absolute_paths(file) for file in files} == {file.name: [] for file in files}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("dataset_dir: /data/x", "/data/x"),
        ("dataset_dir: '/data/x'", "/data/x"),
        ("train: {dataset: [{file: ~/data}]}", "~/data"),
        ("dataset_dir: file:///data/x", "file:///data/x"),
        (r"dataset_dir: C:\data", r"C:\data"),
        ("dataset_dir: $Path('/data') / @name", "/data"),
        ("dataset_dir: $'/data/' + @name", "/data/"),
        ("output_dir: $@bundle_root + '/run'", None),
        ("output_dir: $@output_dir + '/evaluation/' + @subset", None),
        ("reader: monai.data.NibabelReader", None),
    ],
)
def test_absolute_paths_are_found_in_values_and_expressions(tmp_path, line, found):
    file = tmp_path / "train.yaml"
    file.write_text(line)
    assert absolute_paths(file) == ([] if found is None else [found])
