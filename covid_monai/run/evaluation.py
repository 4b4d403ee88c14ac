"""Scoring a run on a subset of its split."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from covid_monai.catalog.config import build_workflow, known_settings, read_config
from covid_monai.data.manifest import FILE_NAME, read_dataset
from covid_monai.environment import device_setting
from covid_monai.errors import InputError, InputWarning, plain_input_errors
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.run.folder import SUBSETS
from covid_monai.run.trained import Trained, find_trained
from covid_monai.scoring.other_grid import checked_grid
from covid_monai.scoring.score import Scores

EVALUATION_FILE = "evaluation.json"


def evaluate(
    run: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    subset: str = "test",
    split: str | os.PathLike[str] | None = None,
    fold: int | None = None,
    settings: Mapping[str, Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    scoring_grid: int | Sequence[int] | None = None,
    device: str | None = None,
    trust: bool = False,
    progress: bool = False,
) -> Scores:
    """Score the weights that a run kept (the best or the last epoch's), per case and together.

    Args:
        run: a run, its folder, or other trained weights; see :func:`covid_monai.run.trained.find_trained`.
        data: folder of the prepared data set; where it was at training if None. For ``subset="all"`` it may be
            another data set than the run's.
        subset: of the run's fold: ``train``, ``validation`` or ``test``; ``all`` scores every case of ``data``.
        split: a split file, for weights that do not say which cases they were trained on.
        fold: of that split.
        settings: overrides that the run does not record; see :func:`covid_monai.run.trained.find_trained`.
        output: gets ``scores.csv``, ``scores.json``, ``scores.md``, ``masks/``, and ``evaluation.json``, which says
            what was scored; ``run/evaluation/<subset>`` if None.
        scoring_grid: a second grid to score on, such as a paper's: its pixels along both edges, or one number for a
            square; the scores on it go to ``scoring_grid/`` in ``output``. The data's own grid alone if None.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        trust: whether the run may contain executable configuration; see :func:`covid_monai.run.folder.read_run`.
        progress: show a progress bar on stderr.

    Returns:
        the scores, as they were written.

    Raises:
        InputError: the run is incomplete, the data are not those that it was split for, or ``output`` holds scores
            of other data, or ``scoring_grid`` is no size.
    """
    if subset not in SUBSETS:
        raise InputError(f"subset is {subset!r}; it can be one of {', '.join(SUBSETS)}")
    grid = None if scoring_grid is None else list(checked_grid(scoring_grid))
    trained = find_trained(run, settings=settings, trust=trust)
    cases = _cases_of(trained, data, subset, split, fold)
    folder = Path(output).absolute() if output is not None else trained.home.evaluation(subset)
    place = cases["dataset_dir"]
    scored: dict[str, Any] = {
        "bundle": trained.bundle.name,
        "data": place,
        "manifest": sha256_of(read_dataset(place).folder / FILE_NAME),
        "split": sha256_of(cases["split_file"]) if cases["split_file"] else None,
        "fold": cases["fold"] if cases["split_file"] else None,
        "subset": subset,
        "weights": trained.sha256,
        "scoring_grid": grid,
    }
    _refuse_other_data(folder, scored)
    if trained.record is not None and subset != "all" and scored["manifest"] != trained.record.manifest:
        scored["warning"] = (
            f"{Path(place) / FILE_NAME} was changed after the run was trained; its cases and masks are those of the "
            "split, but images, patient IDs or spacing may be others; train again on it where that matters"
        )
        warnings.warn(scored["warning"], InputWarning, stacklevel=2)
    chosen = {**known_settings(trained.bundle, "evaluate", trained.settings), **(settings or {})}
    if device is not None:
        chosen["device"] = device_setting(device)
    given: dict[str, Any] = {
        **cases,
        "subset": subset,
        "output_dir": str(trained.home),
        "checkpoint": str(trained.weights),
        "evaluation_dir": str(folder),
    }
    if grid is not None:
        given["scoring_grid"] = grid
        if "scoring_grid" not in read_config(trained.bundle, "evaluate"):
            raise InputError(
                f"{trained.bundle} was copied before `scoring_grid` was there, so it scores on no second grid"
            )
    from covid_monai.handlers.log import errors_told_once
    from covid_monai.handlers.seeding import determinism_restored
    from covid_monai.progress import progress_shown

    # until the scores are complete nothing says of what they are
    (folder / EVALUATION_FILE).unlink(missing_ok=True)
    with plain_input_errors(), determinism_restored(), errors_told_once(), progress_shown(progress):
        workflow = build_workflow(trained.bundle, "evaluate", {**chosen, **given})
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    write_json(folder / EVALUATION_FILE, scored)
    return Scores.read(folder)


def _cases_of(
    trained: Trained,
    data: str | os.PathLike[str] | None,
    subset: str,
    split: str | os.PathLike[str] | None,
    fold: int | None,
) -> dict[str, Any]:
    """Where the cases are and which they are: ``dataset_dir``, ``split_file`` ("" for all) and ``fold``."""
    record = trained.record
    if record is not None:
        if split is not None or fold is not None:
            raise InputError(f"{trained.home} has a split and a fold of its own; leave `split` and `fold` away")
        place, file, fold = Path(record.data), trained.home.split, record.fold
    elif data is None:
        raise InputError(f"{trained.home} does not say what it was trained on; give the folder of a data set by `data`")
    elif split is None and subset != "all":
        raise InputError(
            f"{trained.home} does not say which cases it was trained on; give the split file by `split`, or score "
            "every case with `subset` all"
        )
    else:
        place, file, fold = Path(data), Path(split or ""), fold or 0
    return {
        "dataset_dir": str(Path(data if data is not None else place).absolute()),
        "split_file": "" if subset == "all" else str(file.absolute()),
        "fold": fold,
    }


def _refuse_other_data(folder: Path, scored: dict[str, Any]) -> None:
    note = folder / EVALUATION_FILE
    before = read_json(note) if note.is_file() else scored
    if before.get("manifest") != scored["manifest"]:
        changed = " before it was changed" if before.get("data") == scored["data"] else ""
        raise InputError(f"{folder} holds the scores of {before.get('data')}{changed}; choose another `output`")
