"""A recipe: the options of a training in one file, so that it can be repeated by one command."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from clairvoy.errors import SettingsError
from clairvoy.restoring.released import WEIGHTS_FOLDER

DEFAULTS: dict[str, Any] = {
    "updates": 4000, "batch": None, "learning_rate": None, "depth_model": None, "leave_out": None, "seed": 0,
    "bf16": False, "start": None, "rooms": None, "outdoors": None,
}  # fmt: skip
"""What may stand in a recipe, and what counts where neither it nor the command line says anything."""
KINDS: dict[str, tuple[str, Any]] = {
    "updates": ("a whole number", int), "batch": ("a whole number", int), "seed": ("a whole number", int),
    "learning_rate": ("a number", (int, float)), "rooms": ("a number", (int, float)),
    "outdoors": ("a number", (int, float)), "bf16": ("true or false", bool), "start": ("a name in quotes", str),
    "depth_model": ("a name in quotes", str), "leave_out": ("a list of names in quotes", list),
}  # fmt: skip
"""Of what kind each is, in words and as Python holds it."""


def follow(args: argparse.Namespace) -> None:
    """Fill in, in place, what the command line left open: from its recipe, then from the defaults.

    Raises
    ------
    SettingsError
        No such recipe, or one that cannot be read, or that holds an option that is not known or of another kind.
    """
    recipe = _read(args.recipe) if args.recipe else {}
    for name, default in DEFAULTS.items():
        if getattr(args, name) is None:
            setattr(args, name, recipe.get(name, default))
    for name, share in (("rooms", 0.25), ("outdoors", 0.2)):
        if getattr(args, name) is None:
            setattr(args, name, 0.0 if args.depth else share)


def _read(name_or_path: str) -> dict[str, Any]:
    path = WEIGHTS_FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        path = Path(name_or_path)
    try:
        recipe = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"--recipe {name_or_path}: cannot be read ({error}); name 'fast' or a TOML file of options"
        ) from error
    unknown = sorted(set(recipe) - set(DEFAULTS))
    if unknown:
        raise SettingsError(
            f"--recipe {name_or_path}: {', '.join(unknown)} is no option of a recipe; known are {', '.join(DEFAULTS)}"
        )
    for name, value in recipe.items():
        words, kind = KINDS[name]
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits or (kind is list and not all(isinstance(one, str) for one in value)):
            raise SettingsError(f"--recipe {name_or_path}: {name} is {value!r}; it must be {words}")
    return recipe
