"""Scoring a run on a subset of its split."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings, read_config
from covid_monai.data.manifest import FILE_NAME, read_dataset
from covid_monai.environment import device_setting
from covid_monai.errors import InputError, plain_input_errors
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.run.folder import SUBSETS, RunFolder, read_run
from covid_monai.scoring.other_grid import checked_grid
from covid_monai.scoring.score import Scores
from covid_monai.weights import check_weights

EVALUATION_FILE = "evaluation.json"


def evaluate(
    run: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    subset: str = "test",
    output: str | os.PathLike[str] | None = None,
    scoring_grid: int | Sequence[int] | None = None,
    device: str | None = None,
    trust: bool = False,
    progress: bool = False,
) -> Scores:
    """Score the weights that a run kept (the best or the last epoch's), per case and together.

    Args:
        run: the run folder.
        data: folder of the prepared data set; where it was at training if None. For ``subset="all"`` it may be
            another data set than the run's.
        subset: of the run's fold: ``train``, ``validation`` or ``test``; ``all`` scores every case of ``data``.
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
    home = RunFolder(run)
    stored = read_run(home, trust=trust)
    weights = check_weights(home)
    source = bundle_folder(stored.bundle)
    place = Path(data).absolute() if data is not None else Path(stored.data)
    folder = Path(output).absolute() if output is not None else home.evaluation(subset)
    grid = None if scoring_grid is None else list(checked_grid(scoring_grid))
    scored = {
        "data": str(place),
        "manifest": sha256_of(read_dataset(place).folder / FILE_NAME),
        "split": None if subset == "all" else stored.split,
        "fold": None if subset == "all" else stored.fold,
        "subset": subset,
        "weights": weights,
        "scoring_grid": grid,
    }
    _refuse_other_data(folder, scored)
    settings = known_settings(source, "evaluate", stored.settings)
    if device is not None:
        settings["device"] = device_setting(device)
    given: dict[str, Any] = {
        "dataset_dir": str(place),
        "split_file": "" if subset == "all" else str(home.split),
        "fold": stored.fold,
        "subset": subset,
        "output_dir": str(home),
        "evaluation_dir": str(folder),
    }
    if grid is not None:
        given["scoring_grid"] = grid
        if "scoring_grid" not in read_config(source, "evaluate"):
            raise InputError(f"{source} was copied before `scoring_grid` was there, so it scores on no second grid")
    from covid_monai.handlers.seeding import determinism_restored
    from covid_monai.progress import progress_shown

    with plain_input_errors(), determinism_restored(), progress_shown(progress):
        workflow = build_workflow(source, "evaluate", {**settings, **given})
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    write_json(folder / EVALUATION_FILE, scored)
    return Scores.read(folder)


def _refuse_other_data(folder: Path, scored: dict[str, Any]) -> None:
    note = folder / EVALUATION_FILE
    if note.is_file() and read_json(note).get("manifest") != scored["manifest"]:
        raise InputError(f"{folder} holds the scores of {read_json(note).get('data')}; choose another `output`")
