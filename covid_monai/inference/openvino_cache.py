"""What the user's cache keeps of networks for OpenVINO: how a trial came out, and what was compiled."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import covid_monai
from covid_monai.environment import processor_name
from covid_monai.errors import InputError
from covid_monai.files import replacing
from covid_monai.inference.openvino_network import Shape, compile_network, import_network

if TYPE_CHECKING:
    from torch import nn


def subject_of(network: "nn.Module", shape: Shape, **choice: Any) -> dict[str, Any]:
    """All that decides how a trial comes out and what is compiled: another value of any is another subject.

    Args:
        network: with its weights.
        shape: of its images.
        choice: ``precision``, ``threads``, ``openvino``, its version, and ``quantised``, the hash of a network in int8.
    """
    import torch

    return {
        **choice,
        "shape": list(shape),
        "network": digest_of(network),
        "processor": processor_name(),
        "torch": torch.__version__,
        "software": covid_monai.__version__,
    }


def digest_of(network: "nn.Module") -> str:
    """SHA-256 of a network's parts and weights."""
    import torch

    digest = hashlib.sha256(repr(network).encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def place_of(subject: dict[str, Any]) -> Path:
    """Where the trial of a subject is kept, a ``.json``; the compiled network is the ``.blob`` of the same name."""
    import pooch

    return Path(pooch.os_cache("covid-monai")) / "openvino" / f"{_key(subject)[:32]}.json"


def can_keep(place: Path) -> bool:
    """Whether files can be written where ``place`` is."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # what may be written is told by writing alone
        with tempfile.TemporaryFile(dir=place.parent):
            return True
    except OSError:
        return False


def kept_network(subject: dict[str, Any], convert: Callable[[], Any]) -> Any:
    """The compiled network of a subject: read where it is kept, else converted, compiled and kept if that can be.

    A file begins with the SHA-256 of its subject and content, so that one that is damaged, or of something else, is
    made anew.

    Args:
        subject: see :func:`subject_of`.
        convert: gives the ``openvino.Model``.

    Returns:
        an ``openvino.CompiledModel``.

    Raises:
        RuntimeError: it cannot be compiled.
        Exception: it cannot be converted.
    """
    file, precision, threads = place_of(subject).with_suffix(".blob"), subject["precision"], subject["threads"]
    # OpenVINO refuses what is of another version of it with a RuntimeError
    with suppress(OSError, RuntimeError):
        digest, content = (kept := file.read_bytes())[:64], kept[64:]
        if digest == _seal(subject, content):
            return import_network(content, precision, threads)
    compiled = compile_network(convert(), precision, threads)
    # where it cannot be kept, the next start makes it anew
    with suppress(InputError, RuntimeError), replacing(file) as temporary:
        exported = compiled.export_model()
        content = exported.getvalue() if isinstance(exported, BytesIO) else bytes(exported)
        temporary.write_bytes(_seal(subject, content) + content)
    return compiled


def _seal(subject: dict[str, Any], content: bytes) -> bytes:
    return hashlib.sha256(_key(subject).encode() + content).hexdigest().encode()


def _key(subject: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(subject, sort_keys=True).encode()).hexdigest()
