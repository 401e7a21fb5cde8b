"""Views to learn from, made of clear photographs: a crop of a photograph, depth for it, and haze drawn on it.

View number i of a seed is always the same view, so that an interrupted training finds its views again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.errors import FileError
from clairvoy.imaging.files import read
from clairvoy.imaging.formats.raster import to_eight_bits
from clairvoy.imaging.haze import HazeSettings, add_haze, draw_haze
from clairvoy.imaging.synthesis.camera import Grade, add_noise, store
from clairvoy.imaging.synthesis.defocus import defocus
from clairvoy.imaging.synthesis.depth import ByteImage, DepthSource, FloatImage, ProceduralDepth
from clairvoy.imaging.synthesis.outdoor_haze import render_outdoor_haze
from clairvoy.imaging.synthesis.rooms import render_room

LONGEST_SIDE = 800
"""Photographs are kept at most this long, in pixels: about three times the size that the generator looks at, so that there
are near views to cut out of them as well as far ones."""
MAX_ZOOM = 1.35
"""A rendered room is seen through at least this part, inverse, of each side of its view."""
FLAT = 0.2
"""Part of the views that are of low contrast by themselves."""
KEPT_IN_MEMORY = 1500
"""How many decoded photographs are kept (about 1.2 MB each)."""
OUT_OF_FOCUS = 0.12
"""Part of the views whose lens was opened wide: a blurred background is no haze."""
ON_ITS_SIDE = 0.1
"""Part of the views that lie on a side."""
NEAREST_VIEW = 0.1
"""The least part of a photograph that a view shows."""


@dataclass(frozen=True)
class SyntheticPairs:
    """Views with and without drawn haze.

    `hazy`, `clear` (B, 3, S, S) in [0, 1], `optical_depth` (B, 1, S, S) and `airlight` (B, 3, 1, 1).
    `depth` (B, 1, S/8, S/8) > 0 is how far things are, coarsely and in any unit.
    """

    hazy: Tensor
    clear: Tensor
    optical_depth: Tensor
    airlight: Tensor
    depth: Tensor


class Photographs:
    """Clear photographs of a list of files, read when first wanted, scaled down and kept."""

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise FileError(
                "no photographs to learn from; name a folder that holds JPEG, PNG, WebP or TIFF files"
            )
        self.paths = list(paths)
        self._kept: OrderedDict[Path, ByteImage] = OrderedDict()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> ByteImage:
        """RGB (H, W, 3) uint8, at most LONGEST_SIDE long."""
        path = self.paths[index]
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        pixels = to_eight_bits(read(path).shown)
        scale = min(1.0, LONGEST_SIDE / max(pixels.shape[:2]))
        size = max(16, round(pixels.shape[1] * scale)), max(16, round(pixels.shape[0] * scale))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        self._kept[path] = small
        if len(self._kept) > KEPT_IN_MEMORY:
            self._kept.popitem(last=False)
        return small


class ViewMaker:
    """Makes view number i: a crop of a photograph with depth, or a rendered room.

    Parameters
    ----------
    photographs
        What the views are made of.
    depth
        Where depth comes from; procedural if not given.
    size
        Side of the square views, in pixels.
    seed
        View i is a function of (seed, i) alone.
    rooms, outdoors
        Probability in [0, 1] that a view is a room, or a landscape or street, rendered with the photographs as
        textures; together at most 1.
    """

    def __init__(
        self,
        photographs: Photographs,
        depth: DepthSource | None = None,
        size: int = 256,
        seed: int = 0,
        rooms: float = 0.0,
        outdoors: float = 0.0,
    ) -> None:
        self.photographs, self.depth = photographs, depth or ProceduralDepth()
        self.size, self.seed, self.rooms, self.outdoors = size, seed, rooms, outdoors

    def __call__(self, index: int) -> tuple[ByteImage, FloatImage]:
        """Clear view (S, S, 3) uint8 and depth (S, S) float32, positive."""
        rng = np.random.default_rng([self.seed, index])
        kind = rng.random()
        if kind < self.rooms + self.outdoors:
            textures = [self.photographs[int(k)] for k in rng.integers(len(self.photographs), size=4)]
            # Part of a larger view, as photographs are cut too: the same things at another scale, and off the centre.
            side = round(self.size * rng.uniform(1.0, MAX_ZOOM))
            render = render_room if kind < self.rooms else render_outdoor_haze
            rgb, far = render(textures, side, side, rng)
            top, left = rng.integers(side - self.size + 1, size=2)
            cut = slice(top, top + self.size), slice(left, left + self.size)
            return self._taken(rgb[cut], far[cut], rng)
        number = int(rng.integers(len(self.photographs)))
        rgb = self.photographs[number]
        depth = self.depth(rgb, self.photographs.paths[number].stem, rng)
        height, width = rgb.shape[:2]
        area, aspect = rng.uniform(NEAREST_VIEW, 1.0), np.exp(rng.uniform(-0.35, 0.35))
        crop_h = min(height, max(8, round(height * np.sqrt(area) * aspect)))
        crop_w = min(width, max(8, round(width * np.sqrt(area) / aspect)))
        top, left = int(rng.integers(height - crop_h + 1)), int(rng.integers(width - crop_w + 1))
        view, there = (
            rgb[top : top + crop_h, left : left + crop_w],
            depth[top : top + crop_h, left : left + crop_w],
        )
        if rng.random() < 0.5:
            view, there = view[:, ::-1], there[:, ::-1]
        shape = (self.size, self.size)
        enough = cv2.INTER_AREA if min(crop_h, crop_w) > self.size else cv2.INTER_LINEAR
        return self._taken(
            cv2.resize(np.ascontiguousarray(view), shape, interpolation=enough).astype(np.uint8),
            np.maximum(cv2.resize(np.ascontiguousarray(there), shape, interpolation=enough), 1e-4),
            rng,
        )

    def _taken(
        self, rgb: ByteImage, depth: FloatImage, rng: np.random.Generator
    ) -> tuple[ByteImage, FloatImage]:
        """As the camera took it: now and then with a wide open lens, or lying on a side."""
        if rng.random() < OUT_OF_FOCUS:
            rgb = defocus(rgb, depth, rng)
        quarters = int(rng.choice((1, 3))) if rng.random() < ON_ITS_SIDE else 0
        return np.ascontiguousarray(np.rot90(rgb, quarters)), np.ascontiguousarray(np.rot90(depth, quarters))


class ViewPool:
    """The latest of an endless row of views: `size` of them, the oldest giving way to the next.

    Parameters
    ----------
    maker
        Makes them.
    size
        How many are held.
    first, step
        View `first` and every `step`-th after it: processes that learn together have none twice.
    """

    def __init__(self, maker: ViewMaker, size: int, first: int = 0, step: int = 1) -> None:
        self.maker, self.made, self.first, self.step = maker, 0, first, step
        side = maker.size
        self.clear = torch.zeros(size, 3, side, side, dtype=torch.uint8)
        self.depth = torch.zeros(size, 1, side, side, dtype=torch.float16)

    def __len__(self) -> int:
        return min(self.made, len(self.clear))

    def extend(self, count: int) -> None:
        """Make the next `count` views."""
        for _ in range(count):
            slot = self.made % len(self.clear)
            rgb, depth = self.maker(self.first + self.step * self.made)
            self.clear[slot] = torch.from_numpy(rgb).permute(2, 0, 1)
            self.depth[slot, 0] = torch.from_numpy(depth / depth.mean()).to(torch.float16)
            self.made += 1

    def rewind(self, made: int) -> None:
        """Hold what the pool held after `made` views."""
        self.made = max(0, made - len(self.clear))
        self.extend(made - self.made)

    def draw(
        self, count: int, generator: torch.Generator, settings: HazeSettings | None = None
    ) -> SyntheticPairs:
        """Draw `count` views, with replacement, and put newly drawn haze on them."""
        slots = torch.multinomial(torch.ones(len(self)), count, replacement=True, generator=generator)
        clear = vary_tone(self.clear[slots].float() / 255, generator)
        return haze_views(clear, self.depth[slots].float(), generator, settings)


def vary_tone(clear: Tensor, generator: torch.Generator) -> Tensor:
    """Another exposure, contrast, saturation and white balance, (B, 3, H, W) in [0, 1]."""
    count = len(clear)

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.rand(count, channels, 1, 1, generator=generator) * (high - low) + low

    gamma = torch.exp2(draw(-0.5, 0.9))
    grey = clear.mean(dim=1, keepdim=True)
    toned = grey + (clear - grey) * draw(0.35, 1.3)
    toned = toned.clamp(1e-4, 1).pow(gamma) * draw(0.9, 1.1, 3)
    # A curve through mid grey. Steeper: rooms and night streets are darker and clip sooner than landscapes. Flatter, for
    # a part: grey roads under a dull sky have no black in them either, and are no haze.
    steep = torch.where(
        torch.rand(count, 1, 1, 1, generator=generator) < FLAT, draw(0.55, 0.9), draw(0.9, 1.35)
    )
    toned = (toned - 0.5) * steep + 0.5 - 0.1 * (steep - 1)
    plain = torch.rand(count, 1, 1, 1, generator=generator) < 0.3
    return torch.where(plain, clear, toned).clamp(0, 1)


def haze_views(
    clear: Tensor, depth: Tensor, generator: torch.Generator, settings: HazeSettings | None = None
) -> SyntheticPairs:
    """Photograph clear views (B, 3, H, W) with depth (B, 1, H, W) through drawn haze, by a drawn camera.

    The colour grade acts on clear and hazy picture alike: to restore is to take the haze away, not the grade. Noise and
    coding are the hazy picture's alone.
    """
    haze = draw_haze(depth, generator, settings, clear)
    grade = Grade(len(clear), generator)
    seen = add_noise(add_haze(clear, haze.transmission, haze.light), generator).clamp(0, 1)
    hazy = store(grade(seen), generator)
    coarse = F.avg_pool2d(depth, 8)
    return SyntheticPairs(hazy, grade(clear), haze.optical_depth, grade(haze.airlight), coarse)
