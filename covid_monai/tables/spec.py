"""A paper's table as data: its rows, settings, published values and protocols, read from YAML and checked."""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import check_settings
from covid_monai.catalog.literals import is_code, read_yaml
from covid_monai.errors import InputError, did_you_mean
from covid_monai.files import sha256_of
from covid_monai.run.training import GIVEN_OTHERWISE
from covid_monai.tables.fields import Section
from covid_monai.tables.margins import read_judging
from covid_monai.tables.paper_claims import read_claims
from covid_monai.tables.table import (
    CLASS_MEAN,
    FULL,
    OVER_THRESHOLDS,
    PROTOCOLS,
    QUICK,
    VARIANTS,
    Budget,
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


THRESHOLD_MEASURES = (
    "dice_at_best_threshold",
    "dice_mean_over_thresholds",
    "sensitivity_mean_over_thresholds",
    "specificity_mean_over_thresholds",
)
GIVEN_BY_THE_PLAN = {**GIVEN_OTHERWISE, "seed": "`seeds`", "weights_kept": "the protocol's weights"}


def check_measure(measure: Measure, where: str) -> None:
    """Refuse a measure that the scores do not have, unless it is published only (``not_comparable``).

    Raises:
        InputError: the averaging is unknown, or the scores have no such measure at it.
    """
    from covid_monai.scoring.overlap import OVERLAP_MEASURES
    from covid_monai.scoring.summary import LEVELS
    from covid_monai.scoring.surface import SURFACE_MEASURES

    levels = (*LEVELS, OVER_THRESHOLDS)
    if measure.averaging not in levels:
        near = did_you_mean(measure.averaging, list(levels))
        raise InputError(f"{where}: averaging is {measure.averaging!r}{near}; it must be one of {', '.join(levels)}")
    if not measure.scale > 0:
        raise InputError(f"{where}: scale is {measure.scale:g}; it must be over 0, such as 1 or 100")
    if measure.beside is not None and (measure.beside not in LEVELS or measure.averaging == OVER_THRESHOLDS):
        raise InputError(
            f"{where}: beside is {measure.beside!r}; it must be one of {', '.join(LEVELS)}, beside one of these"
        )
    known = {OVER_THRESHOLDS: THRESHOLD_MEASURES, "pooled": OVERLAP_MEASURES}.get(
        measure.averaging, (*OVERLAP_MEASURES, *SURFACE_MEASURES)
    )
    if measure.name not in known and measure.not_comparable is None:
        raise InputError(
            f"{where}: the scores have no {measure.name!r}{did_you_mean(measure.name, list(known))} at averaging "
            f"{measure.averaging}, only {', '.join(known)}; say in not_comparable why it is published only"
        )


def check_row(table: Table, row: Row) -> None:
    """Refuse settings that a row's bundle does not have, under every budget, and a class that it does not predict.

    Raises:
        InputError: as said, naming the file, the row and the key.
    """
    where = f"{table.path}, row {row.number} ({row.label})"
    if row.bundle is None:
        if row.settings or row.variant:
            raise InputError(f"{where} has settings or a variant but no bundle; a row that is run needs one")
        return
    from covid_monai.catalog.config import read_config

    try:
        config = read_config(bundle_folder(row.bundle), "train")
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    for budget in (FULL, *table.budgets):
        settings = table.settings_of(row, budget)
        _check_settings(bundle_folder(row.bundle), config, settings, f"{where}, settings ({budget})")
        classes = {**config, **settings}["class_names"][1:]
        if table.lesion_class not in (*classes, CLASS_MEAN):
            raise InputError(
                f"{where}: the table's class is {table.lesion_class!r}, but this row predicts {', '.join(classes)}; "
                "set lesion_labels, lesion_classes and class_names, or change the class"
            )


def _check_settings(bundle: Path, config: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> None:
    for key, value in settings.items():
        if key in GIVEN_BY_THE_PLAN:
            raise InputError(f"{where}: {key} is not for a table; it is given by {GIVEN_BY_THE_PLAN[key]}")
        if is_code(value):
            raise InputError(f"{where}: {key} is an expression; a table has numbers, text and lists")
    try:
        check_settings(config, settings, where, bundle=bundle)
    except InputError as error:
        raise InputError(f"{where}: {error}" if not str(error).startswith(where) else str(error)) from error


SPLITS = ("paper", "grouped", "given")
KEYS = (
    "title",
    "paper",
    "theirs",
    "needs",
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
    slugs: dict[str, int] = {}
    for row in table.rows:
        if not row.slug or row.slug in slugs:
            other = f"as that of row {slugs[row.slug]} does" if row.slug else "nothing"
            raise InputError(f"{table.path}, row {row.number}: label {row.label!r} gives the folder name {other}")
        slugs[row.slug] = row.number
        check_row(table, row)
