"""Imports run downwards: no module imports one of a higher layer, and none imports itself through others."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

import covid_monai

PACKAGE = Path(covid_monai.__file__).parent

LAYERS = (
    ("errors", "files", "csv_files", "staging", "progress", "environment", "processes", "weights", "palette"),
    ("losses", "networks"),
    ("transforms",),
    ("studies", "lungs"),
    ("exchange",),
    ("data",),
    ("scoring", "measurements"),
    ("catalog", "handlers"),
    ("run", "study_page"),
    ("workflow", "inference"),
    ("report",),
    ("tables", "benchmark"),
    ("cli",),
    ("__init__", "__main__"),
)
"""The rooms of the package from the lowest to the highest; a room may import those below and beside it."""


@dataclass(frozen=True)
class Import:
    """``importer`` imports ``imported`` in a line of its file; both are dotted names without the package's."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported} (line {self.line})"


def modules_of(package: Path) -> dict[str, Path]:
    """The modules of a package by their dotted names; a package's ``__init__`` has the package's name."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def imports_of(package: Path) -> list[Import]:
    """All imports within a package: those in functions count, those for type checkers alone do not."""
    modules = modules_of(package)
    found = []
    for importer, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for_types = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom | ast.Import) and id(node) not in for_types:
                found += [Import(importer, name, node.lineno) for name in _names(node, package.name, modules)]
    return [entry for entry in found if entry.importer != entry.imported]


def _names(node: ast.ImportFrom | ast.Import, package: str, modules: Mapping[str, Path]) -> set[str]:
    if isinstance(node, ast.Import):
        full = {alias.name for alias in node.names}
    else:
        inner = {f"{node.module}.{alias.name}" for alias in node.names}
        full = {name if name.removeprefix(f"{package}.") in modules else str(node.module) for name in inner}
    within = {name.removeprefix(f"{package}.") for name in full if name.startswith(f"{package}.")}
    return {name for name in within if name in modules}


def upward(imports: list[Import], layers: tuple[tuple[str, ...], ...]) -> list[str]:
    """The imports that lead from a lower layer to a higher one, each with the rule that it breaks."""
    height = {room: index for index, rooms in enumerate(layers) for room in rooms}
    found = []
    for each_import in imports:
        low, high = each_import.importer.split(".")[0], each_import.imported.split(".")[0]
        if height[low] < height[high]:
            found.append(f"{each_import}: {low} lies below {high} and must not import it")
    return found


def circle(imports: list[Import]) -> list[str]:
    """The imports by which modules import one another in a circle; empty where there is none."""
    graph: dict[str, set[str]] = {}
    for each_import in imports:
        graph.setdefault(each_import.importer, set()).add(each_import.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # each module of it is followed by one that imports it, and the last is the first again
        steps = {(importer, imported) for imported, importer in pairwise(error.args[1])}
        return [str(entry) for entry in imports if (entry.importer, entry.imported) in steps]
    return []


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return imports_of(PACKAGE)


def test_every_room_has_a_layer():
    rooms = {name.split(".")[0] for name in modules_of(PACKAGE)}
    assert rooms == {room for layer in LAYERS for room in layer}


def test_no_module_imports_a_higher_layer(imports):
    assert len(imports) > 200
    assert upward(imports, LAYERS) == []


def test_no_module_imports_itself_through_others(imports):
    assert circle(imports) == []


def test_an_upward_import_and_a_circle_are_seen(tmp_path):
    package = tmp_path / "house"
    for room, text in {
        "cellar": "def f():\n    from house.attic import roof\n",
        "attic": "from typing import TYPE_CHECKING\nimport house.cellar.wine\n",
    }.items():
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").write_text("")
        (package / room / {"cellar": "wine.py", "attic": "roof.py"}[room]).write_text(text)
    found = imports_of(package)
    assert upward(found, (("cellar",), ("attic",))) == [
        "cellar.wine imports attic.roof (line 2): cellar lies below attic and must not import it"
    ]
    assert set(circle(found)) == {"cellar.wine imports attic.roof (line 2)", "attic.roof imports cellar.wine (line 2)"}


def test_a_circle_within_a_layer_is_seen_with_its_imports(tmp_path):
    package = tmp_path / "house"
    package.mkdir()
    (package / "wine.py").write_text("def f():\n    import house.beer\n")
    (package / "beer.py").write_text("from house.cheese import brie\n")
    (package / "cheese.py").write_text("\nfrom house import wine\n")
    found = imports_of(package)
    assert upward(found, (("wine", "beer", "cheese"),)) == []
    assert set(circle(found)) == {
        "wine imports beer (line 2)",
        "beer imports cheese (line 1)",
        "cheese imports wine (line 2)",
    }


def test_an_import_for_types_alone_does_not_count(tmp_path):
    package = tmp_path / "house"
    package.mkdir()
    (package / "low.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house import high\n")
    (package / "high.py").write_text("")
    assert imports_of(package) == []
