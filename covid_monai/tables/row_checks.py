"""Rows and measures of a table held against the bundles and scores that they name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import check_settings
from covid_monai.catalog.literals import is_code
from covid_monai.errors import InputError, did_you_mean
from covid_monai.run.training import GIVEN_OTHERWISE
from covid_monai.tables.table import CLASS_MEAN, FULL, OVER_THRESHOLDS, Measure, Row, Table

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
