"""The colours of the year: how bright and of what hue grass, leaves, rock and roads are, in linear light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clairvoy.imaging.synthesis.outdoors.canvas import Colour


@dataclass(frozen=True)
class Season:
    """Reflectances (3,) of what grows and lies about, whether trees are bare, and whether snow lies."""

    grass: Colour
    dry: Colour
    forest: Colour
    needle: Colour
    leaf: Colour
    bark: Colour
    rock: Colour
    sand: Colour
    bare: bool
    snowy: bool


def draw_season(rng: np.random.Generator) -> Season:
    """Summer, autumn, winter without and with snow, or drought."""
    name = str(
        rng.choice(
            ["summer", "spring", "autumn", "winter", "snow", "drought"], p=[0.34, 0.14, 0.2, 0.17, 0.07, 0.08]
        )
    )
    grass, dry, leaf = {
        "summer": ((0.08, 0.115, 0.035), (0.16, 0.155, 0.07), (0.04, 0.08, 0.02)),
        "spring": ((0.10, 0.155, 0.045), (0.14, 0.18, 0.06), (0.08, 0.15, 0.03)),
        "autumn": ((0.12, 0.12, 0.04), (0.22, 0.16, 0.07), (0.22, 0.10, 0.025)),
        "winter": ((0.10, 0.10, 0.05), (0.17, 0.14, 0.09), (0.07, 0.06, 0.045)),
        "snow": ((0.75, 0.78, 0.82), (0.6, 0.6, 0.6), (0.06, 0.06, 0.05)),
        "drought": ((0.24, 0.19, 0.10), (0.34, 0.26, 0.15), (0.09, 0.10, 0.05)),
    }[name]  # fmt: skip
    mixed = np.array(leaf) * 0.5 + np.array([0.02, 0.035, 0.018]) * 0.5

    def vary(colour: object) -> Colour:
        reflectance = np.asarray(colour) * rng.uniform(0.75, 1.35) * rng.normal(1, 0.08, 3)
        return np.asarray(np.clip(reflectance, 0.006, 0.9), np.float32)

    return Season(
        grass=vary(grass),
        dry=vary(dry),
        forest=vary(mixed),
        needle=vary((0.025, 0.045, 0.022)),
        leaf=vary(leaf),
        bark=vary((0.05, 0.04, 0.03)),
        rock=vary(np.array([0.2, 0.185, 0.17]) * rng.uniform(0.5, 1.6)),
        sand=vary((0.36, 0.3, 0.22)),
        bare=name in ("winter", "snow"),
        snowy=name == "snow",
    )
