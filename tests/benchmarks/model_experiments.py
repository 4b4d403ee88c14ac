"""The experiments by which the recipe of the shipped model was chosen: ``docs/results/model/experiments.csv``.

    python -m tests.benchmarks.model_experiments DATA SPLIT RUNS [--fold 0] [--only NAME ...]

DATA is parts 1 and 2 as crops, merged and grouped; SPLIT a grouped split of it. Every experiment of
``experiments.yaml`` that has no line in the table yet is trained, scored on the fold's test subset, and gets one. Two
such commands share the work; one that was interrupted goes on where it was.
"""

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

import covid_monai as cm
from covid_monai.environment import describe_environment

FOLDER = Path(__file__).parents[2] / "docs" / "results" / "model"
COLUMNS = ("experiment", "settings", "fold", "dice_slices", "dice_pooled", "dice_units", "loss", "minutes", "processor")


def run_experiment(name: str, settings: dict[str, Any], data: Path, split: Path, fold: int, runs: Path) -> list[Any]:
    """Train and score one experiment; what its line says of the result."""
    folder = runs / name.replace(" ", "_") / f"fold_{fold}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    run = cm.train("covid_lesion", data, folder, split=split, fold=fold, settings=settings, resume=folder.exists())
    minutes = (time.monotonic() - started) / 60
    scores = run.evaluate(subset="test")
    frame = scores.frame
    lesions = frame[(frame["level"] == "slice") & (frame["class"] == "any lesion") & (frame["tp"] + frame["fn"] > 0)]
    # a patient counts once, and so does a group of slices whose patient is not known
    units = lesions["patient"].where(lesions["patient"] != "", lesions["case"])
    by_unit = lesions.groupby(units)[["tp", "fp", "fn"]].sum()
    of_units = (2 * by_unit["tp"] / (2 * by_unit["tp"] + by_unit["fp"] + by_unit["fn"])).mean()
    loss = json.loads(run.log.read_text(encoding="utf-8").splitlines()[-1])["loss"]
    found = [lesions["dice"].mean(), scores.value("dice", level="pooled"), of_units, loss, minutes]
    return [*(round(float(value), 4) for value in found), str(describe_environment()["processor"])]


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("data", "split", "runs"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--only", nargs="*")
    given = parser.parse_args()
    plan = yaml.safe_load((FOLDER / "experiments.yaml").read_text(encoding="utf-8"))
    table = FOLDER / "experiments.csv"
    for name, changed in plan["experiments"].items():
        if given.only and name not in given.only:
            continue
        lock = given.runs / f".{name.replace(' ', '_')}_{given.fold}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock, timeout=0):
                if (name, str(given.fold)) in done(table):
                    continue
                settings = {**plan["start"], **changed}
                line = run_experiment(name, settings, given.data, given.split, given.fold, given.runs)
                said = " ".join(f"{key}={value}" for key, value in changed.items())
                append(table, [name, said, given.fold, *line])
        except Timeout:
            # another command trains it
            continue


def done(table: Path) -> set[tuple[str, str]]:
    """Names and folds that have a line."""
    if not table.is_file():
        return set()
    with table.open(newline="", encoding="utf-8") as file:
        return {(row["experiment"], row["fold"]) for row in csv.DictReader(file)}


def append(table: Path, line: list[Any]) -> None:
    """Add a line; the first one brings the columns."""
    with FileLock(f"{table}.lock"), table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        writer.writerow(line)


if __name__ == "__main__":
    main()
