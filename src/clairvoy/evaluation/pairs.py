"""Which clear picture is the truth of which hazy one, by their names, and the pixels of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clairvoy.errors import FileError, InputError
from clairvoy.imaging.files import find_photographs, read

Array = NDArray[np.float32]

_TRUTH_WORDS = ("_gt", "_clear", "_clean")
_NAMED = 5  # of the pictures without a partner, in the message


@dataclass(frozen=True)
class Pair:
    """A hazy photograph and the same view without haze, pixel on pixel."""

    hazy: Path
    clear: Path


def match_pairs(hazy_dir: str | Path, clear_dir: str | Path) -> list[Pair]:
    """Find the clear picture of every hazy one.

    ``NAME.*`` belongs to ``NAME.*``, and so does ``NAME_ANYTHING.*``: ``1400_3.png`` to ``1400.png`` and
    ``000001_U080.png`` to ``000001.png``. Of several candidates the longest name counts. A clear picture may
    also be called ``NAME_GT``, ``NAME_clear`` or ``NAME_clean``. Neither kind of file nor upper case matters.

    Parameters
    ----------
    hazy_dir, clear_dir
        Folders. Clear pictures that no hazy one asks for are left out.

    Returns
    -------
    list of Pair
        Sorted by the hazy picture's path.

    Raises
    ------
    FileError
        A folder is missing or holds no photograph, a hazy picture has no partner, or two clear pictures claim
        one name.
    """
    clear_of: dict[str, Path] = {}
    for path in find_photographs(clear_dir):
        name = _name_of_truth(path)
        if name in clear_of:
            raise FileError(
                f"{path} and {clear_of[name]} claim one name; keep only one of them in {clear_dir}"
            )
        clear_of[name] = path
    pairs, alone = [], []
    for path in find_photographs(hazy_dir):
        clear = _longest_prefix(path.stem.lower(), clear_of)
        if clear is None:
            alone.append(path.name)
        else:
            pairs.append(Pair(path, clear))
    if alone:
        named = ", ".join(alone[:_NAMED]) + (
            f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
        )
        raise FileError(
            f"{len(alone)} of {len(alone) + len(pairs)} pictures in {hazy_dir} have no partner in "
            f"{clear_dir}: {named}; name the clear picture NAME.png where the hazy one is NAME.png or NAME_ANYTHING.png"
        )
    return pairs


def read_pair(pair: Pair) -> tuple[Array, Array]:
    """Pixels of the hazy and of the clear picture, (H, W, 3) float32 in [0, 1].

    Raises
    ------
    InputError
        They are not of one size.
    FileError
        One of them cannot be read.
    """
    hazy, clear = read_unit(pair.hazy), read_unit(pair.clear)
    if hazy.shape != clear.shape:
        raise InputError(
            f"{pair.hazy} has {hazy.shape[1]} x {hazy.shape[0]} pixels, but {pair.clear} "
            f"{clear.shape[1]} x {clear.shape[0]}; crop both to the same view"
        )
    return hazy, clear


def read_unit(path: Path) -> Array:
    """Pixels of a photograph, (H, W, 3) float32 in [0, 1]; `FileError` if it cannot be read."""
    pixels = read(path).shown
    return np.asarray(pixels / np.float32(np.iinfo(pixels.dtype).max), dtype=np.float32)


def _name_of_truth(path: Path) -> str:
    stem = path.stem.lower()
    return next((stem.removesuffix(word) for word in _TRUTH_WORDS if stem.endswith(word)), stem)


def _longest_prefix(stem: str, clear_of: dict[str, Path]) -> Path | None:
    words = stem.split("_")
    prefixes = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    return next((clear_of[prefix] for prefix in prefixes if prefix in clear_of), None)
