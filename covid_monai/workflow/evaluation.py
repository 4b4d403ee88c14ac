"""Scoring a run on a part of its split."""

import os
from pathlib import Path

from covid_monai.errors import InputError
from covid_monai.workflow.build import build_workflow, known_settings
from covid_monai.workflow.bundles import bundle_folder
from covid_monai.workflow.device import device_setting
from covid_monai.workflow.run import plain_input_errors, read_run
from covid_monai.workflow.weights import check_weights

PARTS = ("train", "validation", "test", "all")


def evaluate(
    run: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    part: str = "test",
    output: str | os.PathLike[str] | None = None,
    device: str | None = None,
) -> Path:
    """Score a run's best weights, per case and together.

    Args:
        run: the run folder.
        data: folder of the prepared data set; where it was at training if None. For ``part="all"`` it may be
            another data set than the run's.
        part: of the run's fold: ``train``, ``validation`` or ``test``; ``all`` scores every case of ``data``.
        output: where to write; ``run/evaluation/<part>`` if None.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.

    Returns:
        The folder with ``scores.csv``, ``scores.json``, ``scores.md`` and ``masks/``.

    Raises:
        InputError: the run is incomplete, or the data are not those that it was split for.
    """
    if part not in PARTS:
        raise InputError(f"part is {part!r}; it can be one of {', '.join(PARTS)}")
    stored = read_run(run)
    folder = Path(output) if output is not None else Path(run) / "evaluation" / part
    source = bundle_folder(stored.bundle)
    check_weights(Path(run))
    settings = known_settings(source, "evaluate", stored.settings)
    if device is not None:
        settings["device"] = device_setting(device)
    with plain_input_errors():
        workflow = build_workflow(
            source,
            "evaluate",
            {
                **settings,
                "dataset_dir": str(data if data is not None else stored.data),
                "split_file": "" if part == "all" else str(Path(run) / "split.json"),
                "fold": stored.fold,
                "part": part,
                "output_dir": str(run),
                "evaluation_dir": str(folder),
            },
        )
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    return folder
