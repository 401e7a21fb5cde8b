"""Large scenes with patchy haze to search, and the truth about each of their windows.

Four kinds of haze: of physics, over clear photographs with drawn depth; the generator's own, simulated on them and thinned
out in patches; what a data set gives as pairs of the same view with and without fog (FRIDA's heterogeneous fog is such
pairs); and real hazy photographs, pasted with a soft edge into clear ones. Scenes larger than a photograph are joined of
several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.errors import FileError, InputError
from clairvoy.generative.density.vae import DensityVAE
from clairvoy.imaging.files import read
from clairvoy.imaging.formats.raster import to_eight_bits
from clairvoy.imaging.haze import HazeSettings, add_haze, draw_haze, smooth_field
from clairvoy.imaging.synthesis.camera import Grade, add_noise, store
from clairvoy.imaging.synthesis.depth import ProceduralDepth
from clairvoy.releasing.parts import Parts
from clairvoy.scenarios.haze.scene_set import HAZY_FROM, SceneSet
from clairvoy.scenarios.search_agent.view_beliefs import beliefs_of_thumbnail, beliefs_of_windows
from clairvoy.searching.explore import cut_windows
from clairvoy.searching.glimpse import WINDOW

SHARE = (0.04, 0.5)
"""Part of the windows that is hazy in a scene of patchy haze; haze is drawn until it is."""
DENSE, THIN = (0.38, 1.0), (0.2, 0.32)
"""Mean part of the light that hazy windows have lost: in scenes of plain haze, and of thin haze."""
_FIELD = 256
"""Side that depth and haze are drawn at, in pixels: both are smooth."""
_TRIES = 100
THUMBNAIL = 256
"""Side of the thumbnail that the preview is made of, in pixels."""

Lost = Tensor
"""Part of the light that is lost, 1 - t, (1, 1, h, w) in [0, 1] at any size."""


@dataclass(frozen=True)
class HazyView:
    """A scene as pixels: `picture` (3, S, S) uint8 and `lost` (1, 1, h, w) in [0, 1]."""

    picture: Tensor
    lost: Lost


class ClearViews:
    """Square views of clear photographs, at any size; larger than a photograph they are joined of 2 x 2.

    Parameters
    ----------
    paths
        Photographs without haze.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise FileError("no clear photographs to make scenes of; name a folder that holds some")
        self.paths = list(paths)

    def __call__(self, side: int, rng: np.random.Generator) -> Tensor:
        """One view, (3, side, side) in [0, 1]."""
        pixels = self._photograph(rng)
        if min(pixels.shape[:2]) * 1.6 < side:
            half = side // 2 + side // 16
            views = [square(self._photograph(rng), half, rng) for _ in range(4)]
            return _as_tensor(_joined(views, side))
        return _as_tensor(square(pixels, side, rng))

    def _photograph(self, rng: np.random.Generator) -> np.ndarray:
        return to_eight_bits(read(self.paths[int(rng.integers(len(self.paths)))]).shown)


def square(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a square out of a picture (H, W, 3) uint8 where chance has it, mirrored or not, and scale it."""
    least = min(pixels.shape[:2])
    top, left = (int(rng.integers(length - least + 1)) for length in pixels.shape[:2])
    cut = pixels[top : top + least, left : left + least]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    how = cv2.INTER_AREA if least > side else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(cut), (side, side), interpolation=how)


def physical_haze(
    clear: Tensor, rng: np.random.Generator, noise: torch.Generator, density: tuple[float, float] = DENSE
) -> HazyView:
    """Patchy haze by its physics over a clear view (3, S, S), photographed by a drawn camera."""
    depth = _depth(clear, rng)
    settings = HazeSettings(patchy=1.0, clear=0.0)
    for _ in range(_TRIES):
        haze = draw_haze(depth, noise, settings)
        if _fits(1 - haze.transmission, density):
            break
    return _photographed(clear, haze.optical_depth, haze.airlight, noise)


def generated_haze(
    clear: Tensor, rng: np.random.Generator, noise: torch.Generator, generator: DensityVAE
) -> HazyView:
    """Haze that the generator simulates on a clear view, thinned out in patches."""
    small = F.interpolate(clear[None], size=(_FIELD, _FIELD), mode="bilinear", antialias=True).clamp(0, 1)
    airlight = draw_haze(torch.ones(1, 1, 8, 8), noise).airlight
    device = next(generator.parameters()).device
    for _ in range(_TRIES):
        asked = torch.tensor([math.exp(rng.uniform(-1.5, 1.0))])
        with torch.no_grad():
            od = generator.simulate(
                small.to(device), asked.to(device), airlight.to(device), noise
            ).optical_depth.cpu()
        contrast, offset = rng.uniform(1.0, 5.0), rng.uniform(-1.5, 0.5)
        od = od * torch.sigmoid(contrast * (smooth_field(1, _FIELD, _FIELD, noise) + offset))
        if _fits(1 - torch.exp(-od), DENSE):
            break
    return _photographed(clear, od, airlight, noise)


def pasted_haze(clear: Tensor, hazy: np.ndarray, rng: np.random.Generator) -> HazyView:
    """A real hazy photograph (H, W, 3) uint8, pasted with a soft edge into a clear view; the mask is the truth.

    Where the hazy photograph itself is clear, in its foreground for example, the truth is wrong.
    """
    side = clear.shape[-1]
    v, u = np.mgrid[0:_FIELD, 0:_FIELD] / _FIELD
    share = rng.uniform(0.08, 0.4)
    across = math.sqrt(share / math.pi * 1.2) * math.exp(rng.uniform(-0.3, 0.3))
    tall = share / math.pi / across
    row, column = rng.uniform(0.15, 0.85, 2)
    noise = cv2.resize(
        rng.normal(size=(6, 6)).astype(np.float32), (_FIELD, _FIELD), interpolation=cv2.INTER_CUBIC
    )
    far = np.sqrt(((u - column) / across) ** 2 + ((v - row) / tall) ** 2) + 0.12 * noise
    mask = torch.from_numpy(np.clip(0.5 + (1 - far) * 5, 0, 1).astype(np.float32))[None, None]
    wide = F.interpolate(mask, size=(side, side), mode="bilinear", align_corners=False)
    # The photograph is laid over the patch alone, so that all of it is to be seen.
    rows, cols = (mask[0, 0] > 0).any(dim=1).nonzero()[:, 0], (mask[0, 0] > 0).any(dim=0).nonzero()[:, 0]
    top, bottom, left, right = (
        round(float(edge) * side / _FIELD) for edge in (rows[0], rows[-1] + 1, cols[0], cols[-1] + 1)
    )
    laid = cv2.resize(hazy, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    picture = clear.clone()
    picture[:, top:bottom, left:right] = _as_tensor(laid)
    picture = torch.lerp(clear, picture, wide[0])
    return HazyView(_bytes(picture), (mask >= 0.5).float())


def paired_haze(hazy: np.ndarray, clear: np.ndarray, side: int, airlight: float = 1.0) -> HazyView:
    """A view with and without fog, both (H, W, 3) uint8 and of one size: the fog is fitted.

    For each of 64 x 48 blocks the transmission is the least-squares solution of ``I - A = (J - A) t`` (FRIDA's airlight
    is white). The views are squeezed to a square.
    """
    if hazy.shape != clear.shape:
        raise InputError(f"the views are {hazy.shape} and {clear.shape}; a pair must be of one size")
    seen, there = (_as_tensor(view)[None] - airlight for view in (hazy, clear))
    cross, own = (
        F.adaptive_avg_pool2d((there * other).sum(dim=1, keepdim=True), (48, 64)) for other in (seen, there)
    )
    lost = (1 - cross / own.clamp(min=1e-6)).clamp(0, 1)
    how = cv2.INTER_AREA if min(hazy.shape[:2]) > side else cv2.INTER_CUBIC
    return HazyView(_bytes(_as_tensor(cv2.resize(hazy, (side, side), interpolation=how))), lost)


def no_haze(clear: Tensor) -> HazyView:
    """A clear view as it is."""
    return HazyView(_bytes(clear), torch.zeros(1, 1, 8, 8))


@dataclass(frozen=True)
class Thumbnail:
    """How a thumbnail is worse than a mean over pixels; as it is, it is not."""

    contrast: float = 1.0
    """Of its brightness about its mean: below 1 haze and clear parts look more alike."""
    noise: float = 0.0
    """Standard deviation of white noise, of a range of 1."""
    blur: float = 0.0
    """Standard deviation of a Gaussian, in windows."""

    def __call__(self, thumbnail: Tensor, rows: int, generator: torch.Generator) -> Tensor:
        """Spoil (1, 3, h, w) in [0, 1]."""
        mean = thumbnail.mean(dim=(2, 3), keepdim=True)
        spoilt = mean + (thumbnail - mean) * self.contrast
        if self.blur:
            sigma = self.blur * thumbnail.shape[-1] / rows
            pixels = spoilt[0].permute(1, 2, 0).contiguous().numpy()
            spoilt = torch.from_numpy(cv2.GaussianBlur(pixels, (0, 0), sigma)).permute(2, 0, 1)[None]
        spoilt = spoilt + self.noise * torch.randn(spoilt.shape, generator=generator)
        return spoilt.clamp(0, 1)


def lost_in_windows(lost: Lost, side: int) -> Tensor:
    """Mean part of the light that is lost in each window, (side, side) in [0, 1]."""
    return F.adaptive_avg_pool2d(_fine(lost, side), side)[0, 0]


def truth(lost: Lost, side: int) -> Tensor:
    """Which windows are hazy, (side, side) bool."""
    return lost_in_windows(lost, side) >= HAZY_FROM


def hazy_area(lost: Lost, side: int) -> Tensor:
    """Part of each window that has lost at least `HAZY_FROM` of its light, (side, side) in [0, 1]."""
    return F.adaptive_avg_pool2d((_fine(lost, side) >= HAZY_FROM).float(), side)[0, 0]


def scene_set(
    views: Sequence[HazyView],
    parts: Parts,
    side: int,
    thumbnails: Sequence[Thumbnail] = (Thumbnail(),),
    *,
    perceived_whole: bool = False,
    seed: int = 0,
    done: Callable[[], None] | None = None,
) -> SceneSet:
    """Cut views into side x side windows and ask generator and discriminator about them.

    Parameters
    ----------
    views
        Each `side` * 32 pixels wide.
    parts
        What believes.
    side
        Windows along each side.
    thumbnails
        A preview is made with each of them.
    perceived_whole
        The windows are not perceived one by one: their beliefs are the first thumbnail's, as for a photograph that is
        perceived whole.
    seed
        Of the thumbnails' noise.
    done
        Called after each view.
    """
    windows, hazy, beliefs, previews = [], [], [], []
    noise = torch.Generator().manual_seed(seed)
    for view in views:
        if view.picture.shape[-1] != side * WINDOW:
            raise InputError(
                f"a view is {view.picture.shape[-1]} pixels wide; {side} windows need {side * WINDOW}"
            )
        cut = cut_windows(view.picture[None], side, side)[0]
        small = F.interpolate(
            view.picture[None].float() / 255, size=(THUMBNAIL, THUMBNAIL), mode="bilinear", antialias=True
        ).clamp(0, 1)
        shown = [
            beliefs_of_thumbnail(parts.perceiver, one(small, side, noise), side, side)[0]
            for one in thumbnails
        ]
        believed = (
            shown[0]
            if perceived_whole
            else beliefs_of_windows(parts.perceiver, cut.flatten(0, 1)).T.reshape(-1, side, side)
        )
        windows.append(cut)
        hazy.append(truth(view.lost, side))
        beliefs.append(believed)
        previews.append(torch.stack(shown))
        if done is not None:
            done()
    return SceneSet.of(
        torch.stack(windows), torch.stack(hazy), torch.stack(beliefs), previews=torch.stack(previews)
    )


def _fine(lost: Lost, side: int) -> Tensor:
    """At a size of whole windows, at least 4 pixels each: a window never shares a pixel with its neighbour."""
    size = side * max(4, lost.shape[-1] // side)
    return F.interpolate(lost, size=(size, size), mode="bilinear", align_corners=False)


def _fits(lost: Lost, density: tuple[float, float]) -> bool:
    """Whether enough windows are hazy and not too many, and as hazy as they shall be."""
    windows = F.adaptive_avg_pool2d(lost, 32)[0, 0]
    hazy = windows >= HAZY_FROM
    share = float(hazy.float().mean())
    return SHARE[0] <= share <= SHARE[1] and density[0] <= float(windows[hazy].mean()) <= density[1]


def _depth(clear: Tensor, rng: np.random.Generator) -> Tensor:
    small = F.interpolate(clear[None], size=(_FIELD, _FIELD), mode="bilinear", antialias=True)[0]
    pixels = np.ascontiguousarray(_bytes(small).permute(1, 2, 0).numpy())
    return torch.from_numpy(ProceduralDepth()(pixels, "view", rng))[None, None]


def _photographed(clear: Tensor, od: Tensor, airlight: Tensor, noise: torch.Generator) -> HazyView:
    """Haze, then noise, grade and JPEG as in `imaging.synthesis.views.haze_views`. The grade acts on all."""
    side = clear.shape[-1]
    t = torch.exp(-F.interpolate(od, size=(side, side), mode="bilinear", align_corners=False))
    grade = Grade(1, noise)
    seen = add_noise(add_haze(clear[None], t, airlight), noise).clamp(0, 1)
    return HazyView(_bytes(store(grade(seen), noise)[0]), 1 - torch.exp(-od))


def _joined(views: Sequence[np.ndarray], side: int) -> np.ndarray:
    """Four views of equal size to one picture of 2 x 2, each seam a ramp as wide as they overlap."""
    half = len(views[0])
    overlap = 2 * half - side
    ramp = np.ones(half, np.float32)
    ramp[half - overlap :] = np.linspace(1, 0, overlap)
    joined = np.zeros((side, side, 3), np.float32)
    for number, view in enumerate(views):
        down, across = divmod(number, 2)
        weight = (ramp[::-1] if down else ramp)[:, None] * (ramp[::-1] if across else ramp)[None]
        top, left = down * (side - half), across * (side - half)
        joined[top : top + half, left : left + half] += weight[..., None] * view
    return np.clip(np.rint(joined), 0, 255).astype(np.uint8)


def _as_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255


def _bytes(picture: Tensor) -> Tensor:
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8)
