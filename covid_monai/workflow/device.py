"""Naming a device in a bundle's configuration."""

from covid_monai.errors import InputError


def device_setting(device: str) -> str:
    """The configuration's expression for ``device``, such as ``cpu`` or ``cuda:0``.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    import torch

    try:
        torch.empty(0, device=torch.device(device))
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used ({str(error).splitlines()[0]}); cpu always can") from error
    return f"$torch.device({device!r})"
