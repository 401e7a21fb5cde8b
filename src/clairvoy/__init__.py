"""clairvoy: a generative model and a Q-learning agent that train each other, and a dehazer built with them.

>>> from clairvoy import clear
>>> picture = clear("foggy.jpg")  # doctest: +SKIP

Names load on first use, so that ``import clairvoy`` costs nothing and imports no torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from clairvoy._version import __version__
from clairvoy.errors import ClairvoyError, FileError, InputError, SettingsError, WeightsError

if TYPE_CHECKING:
    from clairvoy.cotraining.loop import cotrain
    from clairvoy.restoring.dehazer import Dehazer, Result, clear
    from clairvoy.scenarios.own import Rules, Scenario, SceneEnvironment

# From version 1.32 on ONNX Runtime keeps a number of this device and sends its maker what it computes, unless this is said
# before it is imported. Nothing leaves a device by clairvoy. Who wants it otherwise says ORT_DISABLE_TELEMETRY=0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "ClairvoyError",
    "Dehazer",
    "FileError",
    "InputError",
    "Result",
    "Rules",
    "Scenario",
    "SceneEnvironment",
    "SettingsError",
    "WeightsError",
    "__version__",
    "clear",
    "cotrain",
]

_LIVES_IN = {
    "Dehazer": "clairvoy.restoring.dehazer",
    "Result": "clairvoy.restoring.dehazer",
    "Rules": "clairvoy.scenarios.own",
    "Scenario": "clairvoy.scenarios.own",
    "SceneEnvironment": "clairvoy.scenarios.own",
    "clear": "clairvoy.restoring.dehazer",
    "cotrain": "clairvoy.cotraining.loop",
}


def __getattr__(name: str) -> Any:
    if name not in _LIVES_IN:
        raise AttributeError(f"module 'clairvoy' has no attribute {name!r}")
    value = getattr(import_module(_LIVES_IN[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
