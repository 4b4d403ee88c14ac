"""What computes a network: torch, the reference, or OpenVINO where it is faster or asked for."""

import warnings
from functools import cache
from typing import Any

import torch

from covid_monai import environment
from covid_monai.errors import InputError, InputWarning
from covid_monai.inference.autocast import AutocastInferer
from covid_monai.inference.mask_record import Backend
from covid_monai.inference.quantised import Quantised
from covid_monai.inference.segment import Segmenter

BACKENDS = ("auto", "torch", "openvino")
PRECISIONS = ("float32", "bfloat16", "int8")


def check_choice(backend: str, precision: str | None) -> None:
    """Refuse names of back ends and precisions that there are not, and those that do not go together.

    Raises:
        InputError: it is none of ``BACKENDS`` or ``PRECISIONS``, or torch in int8.
    """
    if backend not in BACKENDS:
        raise InputError(f"`backend` is {backend!r}; it can be one of {', '.join(BACKENDS)}")
    if precision is not None and precision not in PRECISIONS:
        raise InputError(f"`precision` is {precision!r}; it can be one of {', '.join(PRECISIONS)}, or None")
    if (backend, precision) == ("torch", "int8"):
        raise InputError("`precision` is int8, which OpenVINO alone computes; give `backend` openvino")


def use_backend(segmenter: Segmenter, backend: str, *, channels: int, quantised: Quantised | None = None) -> Backend:
    """Have a back end compute the network of a segmenter, in the precision that its inferer has, or in int8.

    OpenVINO is tried in another process first (:mod:`covid_monai.inference.openvino_trial`). ``auto`` takes it on a
    processor where it is installed, agrees with torch and was faster in the trial. Where it cannot be used, ``auto``
    takes torch with an :class:`InputWarning`.

    Args:
        segmenter: as a bundle builds it.
        backend: one of ``BACKENDS``.
        channels: of the images that the network reads.
        quantised: the network in int8, where that was asked for; OpenVINO alone computes it.

    Returns:
        what was taken.

    Raises:
        InputError: ``openvino`` or int8 was asked for and cannot be used.
    """
    precision = precision_of(segmenter) if quantised is None else "int8"
    of_torch = Backend("torch", torch.__version__, precision)
    installed = environment.openvino_version()
    asked = backend == "openvino" or quantised is not None
    if not asked and (backend == "torch" or installed is None or segmenter.device.type != "cpu"):
        return of_torch
    try:
        if installed is None:
            raise InputError('it is not installed; pip install "covid-monai[openvino]"')
        if segmenter.device.type != "cpu":
            raise InputError(f"it computes on the processor, not on {segmenter.device}; give `device` cpu")
        wanted = Backend("openvino", installed, precision)
        return _use_openvino(segmenter, wanted, channels, faster=not asked, quantised=quantised)
    except InputError as error:
        if asked:
            raise InputError(f"OpenVINO cannot compute this network: {error}") from error
        message = f"OpenVINO is not used: {error}; torch computes the network (`backend` torch asks for that)"
        warnings.warn(message, InputWarning, stacklevel=3)
        return of_torch


def precision_of(segmenter: Segmenter) -> str:
    """``float32`` or ``bfloat16``: what a segmenter's inferer has its network compute in."""
    inferer = segmenter.inferer
    return inferer.precision_on(segmenter.device) if isinstance(inferer, AutocastInferer) else "float32"


def _use_openvino(
    segmenter: Segmenter, wanted: Backend, channels: int, *, faster: bool, quantised: Quantised | None
) -> Backend:
    """OpenVINO in the segmenter, or torch where OpenVINO should be ``faster`` and is not."""
    from covid_monai.inference.openvino_cache import kept_network, subject_of
    from covid_monai.inference.openvino_network import OpenVinoNetwork, convert_network, read_network
    from covid_monai.inference.openvino_trial import kept_trial

    network, shape = segmenter.network, _shape_of(segmenter.inferer, channels)
    if quantised is not None and shape[2:] != quantised.image_size:
        height, width = quantised.image_size
        raise InputError(
            f"in int8 it takes {height} x {width} pixels, not {shape[2]} x {shape[3]}; leave out `roi_size`, or give "
            "`precision` float32 or bfloat16"
        )

    def torchs(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=wanted.precision == "bfloat16"):
            logits: torch.Tensor = network(images)
        return logits

    # a trial and what comes after it share the conversion
    @cache
    def convert() -> Any:
        return convert_network(network, shape) if quantised is None else read_network(quantised.file, shape)

    subject = subject_of(
        network,
        shape,
        precision=wanted.precision,
        threads=torch.get_num_threads(),
        openvino=wanted.version,
        quantised=None if quantised is None else list(quantised.sha256),
    )
    trial = kept_trial(network, torchs, convert, subject, to_keep=faster)
    if trial.reason is not None:
        again = f"; remove {trial.place} to try again" if trial.place is not None else ""
        raise InputError(f"{trial.reason}{again}")
    if faster and not (trial.openvino or 0.0) < (trial.torch or 0.0):
        return Backend("torch", torch.__version__, wanted.precision)
    try:
        segmenter.logits = OpenVinoNetwork(kept_network(subject, convert))
    except RuntimeError as error:
        raise InputError(f"it did in a trial, and does not now ({' '.join(str(error).split())[:300]})") from error
    return wanted


def _shape_of(inferer: Any, channels: int) -> tuple[int, int, int, int]:
    """The most images that an inferer calls its network with, and their size."""
    inner = getattr(inferer, "inferer", inferer)
    size, count = tuple(getattr(inner, "roi_size", ())), getattr(inner, "sw_batch_size", 0)
    if len(size) != 2 or min(size) < 1 or count < 1:
        raise InputError(f"the inferer of this bundle, {type(inner).__name__}, has no slices of one size (roi_size)")
    return int(count), channels, int(size[0]), int(size[1])
