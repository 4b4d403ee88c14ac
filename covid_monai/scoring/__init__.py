"""Masks held against masks: measures per slice, pooled and per volume, with intervals."""

from covid_monai.scoring.score import Scores
from covid_monai.scoring.scorer import Scorer
from covid_monai.scoring.summary import Summary
from covid_monai.scoring.write import pooled_dice

__all__ = ["Scorer", "Scores", "Summary", "pooled_dice"]
