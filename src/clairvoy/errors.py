"""What a user can do wrong, as exceptions. Every message names the input and the remedy."""

from __future__ import annotations


class ClairvoyError(ValueError):
    """Base of every error that an input, a setting or a file can cause."""


class FileError(ClairvoyError):
    """A picture or folder that cannot be read or written."""


class WeightsError(ClairvoyError):
    """Weights or a checkpoint that cannot be used."""


class InputError(ClairvoyError):
    """Something handed in that is not what is asked for: an array that is no picture, an environment that fails."""


class SettingsError(ClairvoyError):
    """A setting outside its range, or settings that contradict one another."""
