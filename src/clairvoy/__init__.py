"""clairvoy: a generative model and a Q-learning agent that train each other, and a dehazer built with them.

>>> from clairvoy import clear
>>> picture = clear("foggy.jpg")  # doctest: +SKIP

Names load on first use, so that ``import clairvoy`` costs nothing and imports no torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clairvoy._version import __version__
from clairvoy.errors import ClairvoyError, FileError, InputError, SettingsError, WeightsError

if TYPE_CHECKING:
    from clairvoy.cotrain import cotrain
    from clairvoy.dehazer import Dehazer, Result, clear

__all__ = [
    "ClairvoyError",
    "Dehazer",
    "FileError",
    "InputError",
    "Result",
    "SettingsError",
    "WeightsError",
    "__version__",
    "clear",
    "cotrain",
]

_LIVES_IN = {
    "Dehazer": "clairvoy.dehazer",
    "Result": "clairvoy.dehazer",
    "clear": "clairvoy.dehazer",
    "cotrain": "clairvoy.cotrain",
}


def __getattr__(name: str) -> Any:
    if name not in _LIVES_IN:
        raise AttributeError(f"module 'clairvoy' has no attribute {name!r}")
    value = getattr(import_module(_LIVES_IN[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


class _Face(ModuleType):
    """A package whose public names are never hidden by a submodule that is called the same."""

    def __setattr__(self, name: str, value: object) -> None:
        # Python binds every imported submodule to its package: without this, `clairvoy.cotrain` would be the
        # function or the module, depending on who imported what first. `from clairvoy.cotrain import X` still
        # finds the module.
        if not (name in _LIVES_IN and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
