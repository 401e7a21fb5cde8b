"""Where torch trains, by name."""

from __future__ import annotations

import torch

from clairvoy.errors import SettingsError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """The device of a name; "auto" is the first of cuda, mps and cpu that is there.

    Raises
    ------
    SettingsError
        An unknown name, or a device that this machine lacks.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    kind = name.split(":")[0]
    if kind not in there:
        raise SettingsError(f"device {name!r} is not known; choose one of {', '.join(DEVICES)}")
    if not there[kind]:
        raise SettingsError(f"device {name!r} is not to be had on this machine; choose 'auto' or 'cpu'")
    return torch.device(name)
