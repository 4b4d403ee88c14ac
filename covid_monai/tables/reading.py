"""From a table's YAML to a :class:`covid_monai.tables.table.Table`, checked to the last setting."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from covid_monai.errors import InputError
from covid_monai.tables.checks import check_measure, check_row
from covid_monai.tables.fields import Section
from covid_monai.tables.table import ARMS, FULL, PROTOCOLS, QUICK, Budget, Measure, Needs, Protocol, Row, Table, Theirs

SPLITS = ("paper", "strict", "given")
KEYS = ("title", "paper", "theirs", "needs", "folds", "protocols", "class", "measures", "settings", "budgets", "rows")

ROW_KEYS = ("label", "bundle", "settings", "paper", "place", "arm", "first_seed")


def table_of(path: Path, name: str, sha256: str) -> Table:
    """Read the table in ``path``; see :func:`covid_monai.tables.table.read_table`."""
    top = Section(_content(path), str(path), KEYS)
    theirs = top.section("theirs", tuple(Theirs.__dataclass_fields__))
    needs = top.section("needs", ("sources", "canvas"))
    measures = {measure.name: measure for measure in _measures(top)}
    table = Table(
        name=name,
        path=path,
        sha256=sha256,
        title=top.text("title"),
        paper=top.text("paper"),
        theirs=Theirs(*(theirs.text(key) for key in Theirs.__dataclass_fields__)),
        needs=Needs(needs.texts("sources"), needs.boolean("canvas")),
        folds=top.whole("folds"),
        protocols={protocol.name: protocol for protocol in _protocols(top)},
        lesion_class=top.text("class"),
        measures=measures,
        settings=_settings(top, "settings"),
        budgets=_budgets(top),
        rows=tuple(_row(entry, number, path, measures) for number, entry in top.sections("rows")),
    )
    _check(table)
    return table


def slug_of(label: str) -> str:
    """A row's label as a folder's name: ``AU-Net + FTL (0.7, 0.3)`` is ``au-net-ftl-0.7-0.3``."""
    # a plus between words joins them, one at a word's end is part of its name: U-Net++ is not U-Net
    named = re.sub(r"(?<=[a-z0-9])\++", lambda pluses: "plus" * len(pluses[0]), label.lower())
    return re.sub(r"[^a-z0-9.]+", "-", named).strip("-.")


def _content(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the table {path}: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def _settings(section: Section, key: str) -> Mapping[str, Any]:
    return section.section(key).content if key in section else {}


def _protocols(top: Section) -> list[Protocol]:
    made = []
    section = top.section("protocols", PROTOCOLS)
    for name in section:
        entry = section.section(name, ("split", "validation", "weights", "without_look_alikes"))
        split, validation = entry.choice("split", SPLITS), None
        if entry.content.get("validation") != "test":
            validation = entry.number("validation")
            if not 0 < validation < 1:
                raise InputError(f"{entry.where}: validation is {validation}; it must be test, or a share in (0, 1)")
        if split == "strict" and validation is None:
            raise InputError(f"{entry.where}: validation is test, a leak that the split strict rules out; give a share")
        without = "without_look_alikes" in entry and entry.boolean("without_look_alikes")
        if without and split != "given":
            raise InputError(f"{entry.where}: without_look_alikes is for the split given, not for {split}")
        made.append(Protocol(name, split, validation, entry.choice("weights", ("best", "last")), without))
    return made


def _measures(top: Section) -> list[Measure]:
    made = []
    section = top.section("measures")
    for name in section:
        entry = section.section(name, ("averaging", "scale", "not_comparable"))
        reason = entry.text("not_comparable") if "not_comparable" in entry else None
        measure = Measure(name, entry.text("averaging"), entry.number("scale"), reason)
        check_measure(measure, entry.where)
        made.append(measure)
    return made


def _budgets(top: Section) -> Mapping[str, Budget]:
    section, budgets = top.section("budgets"), {}
    if QUICK not in section:
        raise InputError(f"{section.where} has no {QUICK!r}; every table has that budget")
    for name in section:
        if name == FULL or not re.fullmatch("[a-z0-9-]+", name):
            raise InputError(f"{section.where}: a budget cannot be called {name!r}; use a-z, 0-9 and -, but not {FULL}")
        entry = section.section(name, ("label", "folds", "settings", "bundle_settings"))
        by_bundle: dict[str, Mapping[str, Any]] = {}
        if "bundle_settings" in entry:
            bundles = entry.section("bundle_settings")
            by_bundle = {bundle: bundles.section(bundle).content for bundle in bundles}
        budgets[name] = Budget(entry.text("label"), entry.whole("folds"), _settings(entry, "settings"), by_bundle)
    return budgets


def _row(content: Any, number: int, path: Path, measures: Mapping[str, Measure]) -> Row:
    entry = Section(content, f"{path}, row {number}", ROW_KEYS)
    label = entry.text("label")
    entry.where = f"{path}, row {number} ({label})"
    values = entry.section("paper", tuple(measures))
    return Row(
        number=number,
        label=label,
        slug=slug_of(label),
        bundle=entry.text("bundle") if "bundle" in entry else None,
        settings=_settings(entry, "settings"),
        paper={key: values.number(key) for key in values},
        place=entry.text("place"),
        arm=entry.choice("arm", ARMS) if "arm" in entry else None,
        first_seed=entry.whole("first_seed") if "first_seed" in entry else 0,
    )


def _check(table: Table) -> None:
    if not table.protocols:
        raise InputError(f"{table.path}, protocols is empty; it must have {' or '.join(PROTOCOLS)}, or both")
    if table.folds != 1 and any(protocol.split == "given" for protocol in table.protocols.values()):
        raise InputError(f"{table.path}: folds is {table.folds}; the split given has 1")
    if table.folds == 1 and any(protocol.split != "given" for protocol in table.protocols.values()):
        raise InputError(f"{table.path}: folds is 1; the splits paper and strict need at least 2")
    bundles = [row.bundle for row in table.rows if row.bundle]
    for name, budget in table.budgets.items():
        where = f"{table.path}, budgets, {name}"
        if budget.folds > table.folds:
            raise InputError(f"{where}: folds is {budget.folds}, more than the table's {table.folds}")
        Section(budget.bundle_settings, f"{where}, bundle_settings", bundles)
    slugs: dict[str, int] = {}
    for row in table.rows:
        if not row.slug or row.slug in slugs:
            other = f"as that of row {slugs[row.slug]} does" if row.slug else "nothing"
            raise InputError(f"{table.path}, row {row.number}: label {row.label!r} gives the folder name {other}")
        slugs[row.slug] = row.number
        check_row(table, row)
