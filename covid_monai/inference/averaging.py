"""Logits averaged over several networks, such as the folds of a cross-validation, and over mirrored slices."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.errors import InputError
from covid_monai.inference.segment import Segmenter, build_segmenter
from covid_monai.run.trained import Trained


class AveragedNetwork(nn.Module):
    """The mean of the logits of networks that are built alike, of each slice and, if asked for, its mirror image.

    nnU-Net does so with the folds of its cross-validation and with mirrored images (Isensee et al. 2021, "nnU-Net: a
    self-configuring method for deep learning-based biomedical image segmentation"). Slices are mirrored left to right
    alone, as the bundles do in training; the patient's front and back are not alike.

    Args:
        networks: at least one.
        mirrored: whether to average over the mirror image too, which takes twice the time.

    Raises:
        ValueError: there is no network.
    """

    def __init__(self, networks: Sequence[nn.Module], *, mirrored: bool = False) -> None:
        super().__init__()
        if not networks:
            raise ValueError("there is no network to average over; give at least one")
        self.networks = nn.ModuleList(networks)
        self.mirrored = mirrored

    def extra_repr(self) -> str:
        """What the networks alone do not tell."""
        return f"mirrored={self.mirrored}"

    def forward(self, slices: Tensor) -> Tensor:
        """The mean logits (N, classes, X, Y) of slices (N, C, X, Y) in LPS order."""
        views = [slices, slices.flip(2)] if self.mirrored else [slices]
        total: Tensor | None = None
        for network in self.networks:
            for mirrored, view in enumerate(views):
                logits = network(view)
                logits = logits.flip(2) if mirrored else logits
                total = logits if total is None else torch.add(total, logits)
        assert total is not None
        return total / (len(self.networks) * len(views))


def build_averaged(
    trained: Sequence[Trained], settings: Mapping[str, Any], *, mirrored: bool = False
) -> tuple[Segmenter, list[str]]:
    """What segments with one network or the mean of several, and the names of its classes.

    Args:
        trained: the weights, which :func:`check_alike` has been asked of.
        settings: overrides of the bundle's inference configuration, over those of the runs.
        mirrored: see :class:`AveragedNetwork`.
    """
    segmenters = []
    for each_run in trained:
        known = known_settings(each_run.bundle, "inference", each_run.settings)
        chosen = {**known, **settings, "checkpoint": str(each_run.weights)}
        workflow = build_workflow(each_run.bundle, "inference", chosen)
        workflow.initialize()
        segmenters.append(build_segmenter(workflow.parser))
        names = list(map(str, workflow.parser.get_parsed_content("class_names")))
    segmenter = segmenters[0]
    if mirrored or len(segmenters) > 1:
        segmenter.network = AveragedNetwork([each.network for each in segmenters], mirrored=mirrored).eval()
        segmenter.logits = segmenter.network
    return segmenter, names


def check_alike(trained: Sequence[Trained]) -> None:
    """Refuse networks whose logits do not belong together.

    Raises:
        InputError: there is none, or they are of several bundles, of different settings, or one twice.
    """
    if not trained:
        raise InputError("there is no run; give one, or several of one bundle")
    first, *others = trained
    known = known_settings(first.bundle, "inference", first.settings)
    for other in others:
        if other.bundle != first.bundle:
            raise InputError(
                f"{other.home} is a run of {other.bundle.name}, {first.home} of {first.bundle.name}; only "
                "runs of one bundle are averaged"
            )
        settings = known_settings(other.bundle, "inference", other.settings)
        if settings != known:
            differing = sorted(key for key in {*settings, *known} if settings.get(key) != known.get(key))
            raise InputError(
                f"{other.home} and {first.home} differ in {', '.join(differing)}; only runs with the same "
                "settings are averaged, such as the folds of one cross-validation"
            )
        if other.weights == first.weights:
            raise InputError(f"{other.home} is given twice; give each run once")
