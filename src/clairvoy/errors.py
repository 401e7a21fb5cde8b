"""What a user can do wrong, as exceptions, and the checks of settings classes.

Every message names the input and the remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ClairvoyError(ValueError):
    """Base of every error that an input, a setting or a file can cause."""


class FileError(ClairvoyError):
    """A picture or folder that cannot be read or written."""


class TooLargeError(FileError):
    """A picture with more pixels or bytes than are allowed, or than memory holds."""


class UnknownFormatError(FileError):
    """A file of a format that cannot be read, or of none."""


class WeightsError(ClairvoyError):
    """Weights or a checkpoint that cannot be used."""


class InputError(ClairvoyError):
    """Something handed in that is not what is asked for: an array that is no picture, an environment that fails."""


class SettingsError(ClairvoyError):
    """A setting outside its range, or settings that contradict one another."""


class ProcessError(ClairvoyError):
    """Another process of the same run that is gone, or does not answer."""


def at_least(settings: object, least: float, *names: str) -> None:
    """Refuse attributes of `settings` that are below `least`, or are no numbers.

    Raises
    ------
    SettingsError
        One is; the message names it, its value and the bound.
    """
    _hold(settings, names, lambda value: value >= least, f"must be at least {least}")


def above(settings: object, bound: float, *names: str) -> None:
    """Refuse attributes of `settings` that are not above `bound`; as `at_least`."""
    _hold(settings, names, lambda value: value > bound, f"must be above {bound}")


def between(settings: object, low: float, high: float, *names: str) -> None:
    """Refuse attributes of `settings` outside [`low`, `high`]; as `at_least`. All of a tuple must lie inside."""

    def inside(value: Any) -> bool:
        return all(
            low <= number <= high for number in (value if isinstance(value, tuple | list) else (value,))
        )

    _hold(settings, names, inside, f"must lie in [{low}, {high}]")


def _hold(settings: object, names: tuple[str, ...], rule: Callable[[Any], bool], remedy: str) -> None:
    for name in names:
        value = getattr(settings, name)
        try:
            holds = rule(value)  # false for NaN, whichever way it is asked
        except TypeError:
            holds = False
        if not holds:
            raise SettingsError(f"{name} is {value!r}; it {remedy}")
