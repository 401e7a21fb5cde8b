"""Scenes cut into windows, with the truth about their haze: what a haze search draws its episodes from."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.errors import InputError
from clairvoy.searching.explore import GRID, cut_windows
from clairvoy.searching.glimpse import BELIEF_CHANNELS, WINDOW

HAZY_FROM = 0.2
"""A window is hazy if it has lost at least this part of its light: mean 1 - t."""


def hazy_windows(optical_depth: Tensor) -> Tensor:
    """Which windows are hazy, (B, 8, 8) bool, from the true optical depth (B, 1, S, S)."""
    return F.adaptive_avg_pool2d(1 - torch.exp(-optical_depth), GRID)[:, 0] >= HAZY_FROM


def windows_of(pictures: Tensor) -> Tensor:
    """Cut pictures (B, 3, S, S) in [0, 1] into the windows that the agent sees, (B, 8, 8, 3, 32, 32) uint8."""
    side = GRID * WINDOW
    if pictures.shape[-1] != side:
        pictures = F.interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False)
    return cut_windows((pictures * 255).round().to(torch.uint8)).contiguous()


@dataclass(frozen=True)
class SceneSet:
    """M scenes of one grid size, R rows and C columns of windows.

    Attributes
    ----------
    windows
        Pixels, ``(M, R, C, 3, 32, 32)`` uint8, RGB.
    hazy
        The truth: recognising this window is rewarded, ``(M, R, C)`` bool.
    beliefs
        What the generator believes of each window when it is looked at, see `glimpse.BELIEF_CHANNELS`;
        ``(M, 4, R, C)`` float32 in [0, 1].
    previews
        What it believes by a thumbnail of the scene, in V versions of which an episode shows one (the thumbnail as
        it is, with noise, of another scene ...); ``(M, V, 4, R, C)`` float32 in [0, 1]. `of` makes it the beliefs.
    provenance
        0 for a real scene, 1 for a generated one, ``(M,)`` uint8.
    weight
        Scenes are drawn in proportion to it; at least 0, not all 0, ``(M,)`` float32.
    tau
        Confidence in the scene itself, in [0, 1], 1 for a real one, ``(M,)`` float32.

    Raises
    ------
    InputError
        A tensor of another shape, type or range, or on another device than ``windows``.
    """

    windows: Tensor
    hazy: Tensor
    beliefs: Tensor
    previews: Tensor
    provenance: Tensor
    weight: Tensor
    tau: Tensor

    def __post_init__(self) -> None:
        if self.windows.ndim != 6 or self.windows.shape[3:] != (3, WINDOW, WINDOW):
            raise InputError(
                f"windows have shape {tuple(self.windows.shape)}; give (M, R, C, 3, {WINDOW}, {WINDOW})"
            )
        scenes, rows, cols = self.windows.shape[:3]
        if 0 in (scenes, rows, cols):
            raise InputError("windows hold no scene or an empty grid; give at least one window of one scene")
        versions = self.previews.shape[1] if self.previews.ndim == 5 else 0
        if versions < 1:
            raise InputError(
                f"previews have shape {tuple(self.previews.shape)}; give (M, V, 4, R, C) with at least one version"
            )
        expected = {
            "windows": (self.windows.shape, torch.uint8),
            "hazy": ((scenes, rows, cols), torch.bool),
            "beliefs": ((scenes, len(BELIEF_CHANNELS), rows, cols), torch.float32),
            "previews": ((scenes, versions, len(BELIEF_CHANNELS), rows, cols), torch.float32),
            "provenance": ((scenes,), torch.uint8),
            "weight": ((scenes,), torch.float32),
            "tau": ((scenes,), torch.float32),
        }
        for name, (shape, dtype) in expected.items():
            value: Tensor = getattr(self, name)
            if value.shape != shape or value.dtype != dtype or value.device != self.windows.device:
                raise InputError(
                    f"{name} is {tuple(value.shape)} {value.dtype} on {value.device}; "
                    f"give {tuple(shape)} {dtype} on {self.windows.device}"
                )
        for name in ("beliefs", "previews", "tau", "provenance"):
            value = getattr(self, name)
            if not bool(((value >= 0) & (value <= 1)).all()):
                raise InputError(f"{name} must lie in [0, 1]; rescale them or remove NaN")
        if not bool((self.weight >= 0).all() & torch.isfinite(self.weight).all() & (self.weight > 0).any()):
            raise InputError("weight must be finite and at least 0, and above 0 for at least one scene")

    @classmethod
    def of(
        cls,
        windows: Tensor,
        hazy: Tensor,
        beliefs: Tensor,
        provenance: Tensor | None = None,
        weight: Tensor | None = None,
        tau: Tensor | None = None,
        previews: Tensor | None = None,
    ) -> SceneSet:
        """Build a set in which what is left out says: real scenes, drawn equally often, fully trusted."""
        scenes, device = windows.shape[0], windows.device
        return cls(
            windows,
            hazy,
            beliefs,
            beliefs[:, None] if previews is None else previews,
            torch.zeros(scenes, dtype=torch.uint8, device=device) if provenance is None else provenance,
            torch.ones(scenes, device=device) if weight is None else weight,
            torch.ones(scenes, device=device) if tau is None else tau,
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.windows.shape[1], self.windows.shape[2]

    def __len__(self) -> int:
        return self.windows.shape[0]

    def to(self, device: str | torch.device) -> SceneSet:
        """Return the same scenes on another device."""
        return SceneSet(**{item.name: getattr(self, item.name).to(device) for item in fields(self)})

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw indices ``(count,)`` int64 of scenes, with replacement and in proportion to ``weight``."""
        weight = self.weight.to(generator.device)
        index = torch.multinomial(weight, count, replacement=True, generator=generator)
        return index.to(self.weight.device)
