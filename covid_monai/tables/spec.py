"""A paper's table as data: its rows, settings, published values and protocols, read from YAML and checked."""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from covid_monai.catalog.literals import read_yaml
from covid_monai.errors import InputError, did_you_mean
from covid_monai.files import sha256_of
from covid_monai.tables.fields import Section
from covid_monai.tables.margins import read_judging
from covid_monai.tables.paper_claims import read_claims
from covid_monai.tables.row_checks import check_measure, check_row
from covid_monai.tables.table import (
    FULL,
    PROTOCOLS,
    QUICK,
    VARIANTS,
    Budget,
    DoubtfulGroup,
    Measure,
    Needs,
    Protocol,
    Row,
    Table,
    Theirs,
)


def table_names() -> list[str]:
    """The package's tables, such as ``zhou2020-v1``."""
    return sorted(Path(entry.name).stem for entry in files(__package__).iterdir() if entry.name.endswith(".yaml"))


def read_table(name: str) -> Table:
    """Read a table and hold every row's settings against its bundle.

    Args:
        name: one of :func:`table_names`, or the path of a YAML file of the same form.

    Raises:
        InputError: there is no such table, or it has an error; the message says the file, the row and the key.
    """

    path = Path(str(files(__package__) / f"{name}.yaml"))
    if name not in table_names():
        path = Path(name)
        if path.suffix not in (".yaml", ".yml") or not path.is_file():
            known = table_names()
            raise InputError(
                f"no table {name!r}{did_you_mean(name, known)}; there is {', '.join(known)}, or the path of a YAML file"
            )
    return table_of(path, path.stem, sha256_of(path))


SPLITS = ("paper", "grouped", "given")
KEYS = (
    "title",
    "paper",
    "theirs",
    "needs",
    "doubtful_groups",
    "grid",
    "folds",
    "protocols",
    "class",
    "measures",
    "judging",
    "settings",
    "budgets",
    "rows",
    "claims",
)
THEIRS = tuple(Theirs.__dataclass_fields__)
SELDOM_SAID = ("speed",)
_NARROWER = ("bundle_settings", "row_settings")
ROW_KEYS = ("label", "bundle", "settings", "paper", "place", "variant", "first_seed")


def table_of(path: Path, name: str, sha256: str) -> Table:
    """Read the table in ``path``; see :func:`covid_monai.tables.spec.read_table`."""
    top = Section(_content(path), str(path), KEYS)
    theirs = top.section("theirs", THEIRS)
    needs = top.section("needs", ("sources", "canvas"))
    measures = {measure.name: measure for measure in _measures(top)}
    rows = tuple(_row(entry, number, path, measures) for number, entry in top.sections("rows"))
    table = Table(
        name=name,
        path=path,
        sha256=sha256,
        title=top.text("title"),
        paper=top.text("paper"),
        theirs=Theirs(**{key: theirs.text(key) for key in THEIRS if key in theirs or key not in SELDOM_SAID}),
        needs=Needs(needs.texts("sources"), needs.boolean("canvas")),
        folds=top.whole("folds"),
        protocols={protocol.name: protocol for protocol in _protocols(top)},
        lesion_class=top.text("class"),
        measures=measures,
        settings=_settings(top, "settings"),
        budgets=_budgets(top),
        rows=rows,
        judging=read_judging(top, measures) if "judging" in top else None,
        grid=top.whole("grid") if "grid" in top else None,
        doubtful_groups=tuple(_doubtful_groups(top)) if "doubtful_groups" in top else (),
        claims=read_claims(top, list(measures), [row.slug for row in rows]),
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
        return read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the table {path}: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def _settings(section: Section, key: str) -> Mapping[str, Any]:
    return section.section(key).content if key in section else {}


def _protocols(top: Section) -> list[Protocol]:
    results = []
    section = top.section("protocols", PROTOCOLS)
    for name in section:
        entry = section.section(name, ("split", "validation", "weights", "without_near_duplicates"))
        split, validation = entry.choice("split", SPLITS), None
        if entry.content.get("validation") != "test":
            validation = entry.number("validation")
            if not 0 < validation < 1:
                raise InputError(f"{entry.where}: validation is {validation}; it must be test, or a share in (0, 1)")
        if split == "grouped" and validation is None:
            raise InputError(f"{entry.where}: validation is test, a leak that a grouped split rules out; give a share")
        without = "without_near_duplicates" in entry and entry.boolean("without_near_duplicates")
        if without and split != "given":
            raise InputError(f"{entry.where}: without_near_duplicates is for the split given, not for {split}")
        results.append(Protocol(name, split, validation, entry.choice("weights", ("best", "last")), without))
    return results


def _doubtful_groups(top: Section) -> list[DoubtfulGroup]:
    entries = [
        Section(content, f"{top.where}, doubtful_groups {number}", ("cases", "reason"))
        for number, content in top.sections("doubtful_groups")
    ]
    return [DoubtfulGroup(entry.texts("cases"), entry.text("reason")) for entry in entries]


def _measures(top: Section) -> list[Measure]:
    results = []
    section = top.section("measures")
    for name in section:
        entry = section.section(name, ("averaging", "scale", "not_comparable", "beside"))
        reason = entry.text("not_comparable") if "not_comparable" in entry else None
        beside = entry.text("beside") if "beside" in entry else None
        measure = Measure(name, entry.text("averaging"), entry.number("scale"), reason, beside)
        check_measure(measure, entry.where)
        results.append(measure)
    return results


def _budgets(top: Section) -> Mapping[str, Budget]:
    section, budgets = top.section("budgets"), {}
    if QUICK not in section:
        raise InputError(f"{section.where} has no {QUICK!r}; every table has that budget")
    for name in section:
        if name == FULL or not re.fullmatch("[a-z0-9-]+", name):
            raise InputError(f"{section.where}: a budget cannot be called {name!r}; use a-z, 0-9 and -, but not {FULL}")
        entry = section.section(name, ("label", "folds", "settings", *_NARROWER))
        narrower = {key: _settings_by_name(entry, key) for key in _NARROWER}
        budgets[name] = Budget(entry.text("label"), entry.whole("folds"), _settings(entry, "settings"), **narrower)
    return budgets


def _settings_by_name(section: Section, key: str) -> dict[str, Mapping[str, Any]]:
    if key not in section:
        return {}
    by_name = section.section(key)
    return {name: by_name.section(name).content for name in by_name}


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
        variant=entry.choice("variant", VARIANTS) if "variant" in entry else None,
        first_seed=entry.whole("first_seed") if "first_seed" in entry else 0,
    )


def _check(table: Table) -> None:
    if not table.protocols:
        raise InputError(f"{table.path}, protocols is empty; it must have {' or '.join(PROTOCOLS)}, or both")
    if table.folds != 1 and any(protocol.split == "given" for protocol in table.protocols.values()):
        raise InputError(f"{table.path}: folds is {table.folds}; the split given has 1")
    if table.folds == 1 and any(protocol.split != "given" for protocol in table.protocols.values()):
        raise InputError(f"{table.path}: folds is 1; the splits paper and grouped need at least 2")
    bundles = [row.bundle for row in table.rows if row.bundle]
    for name, budget in table.budgets.items():
        where = f"{table.path}, budgets, {name}"
        if budget.folds > table.folds:
            raise InputError(f"{where}: folds is {budget.folds}, more than the table's {table.folds}")
        Section(budget.bundle_settings, f"{where}, bundle_settings", bundles)
        Section(budget.row_settings, f"{where}, row_settings", [row.label for row in table.rows])
    slugs: dict[str, int] = {}
    for row in table.rows:
        if not row.slug or row.slug in slugs:
            other = f"as that of row {slugs[row.slug]} does" if row.slug else "nothing"
            raise InputError(f"{table.path}, row {row.number}: label {row.label!r} gives the folder name {other}")
        slugs[row.slug] = row.number
        check_row(table, row)
