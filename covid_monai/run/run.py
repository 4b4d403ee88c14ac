"""A training run as an object: its files, and what can be done with it."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from covid_monai.run.evaluation import evaluate
from covid_monai.run.folder import RunFolder, RunRecord, read_run

if TYPE_CHECKING:
    from covid_monai.scoring.score import Scores


class Run(RunFolder):
    """A run folder that :func:`covid_monai.train` wrote, now or earlier: ``Run("runs/first")``.

    It can be given wherever a run folder's path can, and knows the names of its files (``run.weights``, ``run.log``,
    ``run.config``, ``run.evaluation("test")``, ...).

    Args:
        folder: the run folder.
        trust: whether it may contain executable configuration; see :func:`covid_monai.run.folder.read_run`.

    Attributes:
        identity: what was trained, on what (:class:`covid_monai.run.folder.RunRecord`).

    Raises:
        InputError: there is no run in this folder, or it contains executable configuration and is not trusted.
    """

    def __init__(self, folder: str | os.PathLike[str], *, trust: bool = False) -> None:
        super().__init__(folder)
        self.identity: RunRecord = read_run(self.folder, trust=trust)
        self._trust = trust

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}): {self.bundle}, fold {self.identity.fold} of {self.identity.data}"

    @property
    def bundle(self) -> str:
        """The bundle's name, or its path where it is not the package's."""
        return self.identity.bundle

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that differ from the bundle's own."""
        return dict(self.identity.settings)

    def evaluate(
        self,
        *,
        subset: str = "test",
        data: str | os.PathLike[str] | None = None,
        output: str | os.PathLike[str] | None = None,
        scoring_grid: int | Sequence[int] | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> "Scores":
        """Score the kept weights on a subset of the fold; see :func:`covid_monai.run.evaluation.evaluate`.

        Returns:
            the scores, such as ``run.evaluate().value("dice")``; they are written to :meth:`evaluation` too.

        Raises:
            InputError: the run is incomplete, or the data are not those that it was split for.
        """
        return evaluate(
            self,
            data=data,
            subset=subset,
            output=output,
            scoring_grid=scoring_grid,
            device=device,
            trust=self._trust,
            progress=progress,
        )
