"""A view with a depth buffer: what stands nearer hides what stands behind, in whatever order things are painted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.imaging.synthesis.outdoors.noise import Floats

Colour = Floats
"""(3,) RGB, linear light: 1 is a white sheet under the full sky."""


@dataclass
class Canvas:
    """A camera of upright image plane, and what it has seen so far.

    The optical axis is level and the horizon is put anywhere in the view by shifting the plane, as architects'
    cameras do: upright edges stay upright, and a point (x, y, z), right, up and ahead in metres, is seen at
    column ``centre + focal * x / z`` and row ``horizon - focal * (y - eye) / z``.

    Attributes
    ----------
    focal
        Focal length in pixels.
    centre, horizon
        Column and row of the point straight ahead; they may lie outside the view.
    eye
        Height of the camera above the ground or the sea, in metres.
    colour
        (H, W, 3) float32, linear light.
    depth
        (H, W) float32, distance along the optical axis in metres; infinite where nothing is seen yet.
    """

    focal: float
    centre: float
    horizon: float
    eye: float
    colour: Floats
    depth: Floats

    @classmethod
    def empty(
        cls, height: int, width: int, *, focal: float, centre: float, horizon: float, eye: float
    ) -> Canvas:
        """A view of (height, width) pixels in which nothing is seen yet."""
        return cls(
            focal,
            centre,
            horizon,
            eye,
            np.zeros((height, width, 3), np.float32),
            np.full((height, width), np.inf, np.float32),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.depth.shape[0], self.depth.shape[1]

    def across(self) -> Floats:
        """X / z of each column, (1, W)."""
        return ((np.arange(self.shape[1], dtype=np.float32) - self.centre) / self.focal)[None].astype(
            np.float32
        )

    def down(self) -> Floats:
        """Metres down for each metre ahead of each row, (H, 1): (eye - y) / z."""
        return ((np.arange(self.shape[0], dtype=np.float32) - self.horizon) / self.focal)[:, None].astype(
            np.float32
        )

    def level_depth(self, level: float) -> Floats:
        """Depth (H, 1) of a level plane at a height; infinite in rows that never meet it."""
        down, drop = self.down(), np.float32(self.eye - level)
        meets = down * drop > 1e-9
        return np.where(meets, drop / np.where(meets, down, 1), np.inf).astype(np.float32)

    def height(self) -> Floats:
        """Height (H, W) in metres above the ground's zero of what is seen: eye - down * depth."""
        return np.asarray(self.eye - self.down() * self.depth, dtype=np.float32)

    def column(self, x: float, z: float) -> float:
        """Where a point x to the right and z ahead is seen."""
        return self.centre + self.focal * x / z

    def row(self, y: float, z: float) -> float:
        """Where a point of height y and z ahead is seen."""
        return self.horizon - self.focal * (y - self.eye) / z

    def height_of_row(self, row: float, z: float) -> float:
        """Height in metres of what is seen in a row at a depth."""
        return self.eye - (row - self.horizon) * z / self.focal

    def paint(self, depth: Floats, colour: Floats, window: tuple[slice, slice] | None = None) -> None:
        """Let a surface hide what is further away.

        Parameters
        ----------
        depth
            (h, w) of the surface in the window, infinite where it is not.
        colour
            (h, w, 3) or whatever broadcasts to it.
        window
            Rows and columns; the whole view if not given.
        """
        seen = self.depth if window is None else self.depth[window]
        onto = self.colour if window is None else self.colour[window]
        nearer = depth < seen
        np.copyto(seen, depth, where=nearer)
        np.copyto(onto, np.asarray(colour, np.float32), where=nearer[..., None])

    def window(self, columns: Floats, rows: Floats) -> tuple[slice, slice] | None:
        """The part of the view around some points; None if it is empty."""
        height, width = self.shape
        left, right = max(0, int(np.floor(columns.min()))), min(width, int(np.ceil(columns.max())) + 1)
        top, bottom = max(0, int(np.floor(rows.min()))), min(height, int(np.ceil(rows.max())) + 1)
        return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None

    def outline(self, columns: Floats, rows: Floats) -> tuple[tuple[slice, slice], Floats] | None:
        """Window around a polygon and which of its pixels (h, w) are inside; None if it is out of view."""
        window = self.window(columns, rows)
        if window is None:
            return None
        top, left = window[0].start, window[1].start
        inside = np.zeros((window[0].stop - top, window[1].stop - left), np.uint8)
        points = np.stack([columns - left, rows - top], axis=-1)
        # Sixteenths of a pixel; the limit keeps what is close to the camera within 32 bits.
        cv2.fillPoly(inside, [np.clip(points * 16, -2e6, 2e6).round().astype(np.int32)], 1, shift=4)
        return window, inside.astype(bool)

    def face(self, corners: Floats) -> Face | None:
        """What of a flat polygon in space is in view; None if nothing is, or if it is seen from behind.

        Parameters
        ----------
        corners
            (N, 3) points x, y, z, counter-clockwise as seen from its front.
        """
        corners = np.asarray(corners, dtype=np.float64)
        # Right, up, ahead is left-handed.
        (ax, ay, az), (bx, by, bz) = corners[1] - corners[0], corners[2] - corners[0]
        normal = np.array([az * by - ay * bz, ax * bz - az * bx, ay * bx - ax * by])
        normal = normal / np.sqrt(normal @ normal)
        reach = float(normal @ (corners[0] - np.array([0, self.eye, 0])))
        corners = _before_the_lens(np.asarray(corners, np.float64))
        if reach >= 0 or len(corners) < 3:
            return None
        z = corners[:, 2]
        found = self.outline(
            self.centre + self.focal * corners[:, 0] / z,
            self.horizon - self.focal * (corners[:, 1] - self.eye) / z,
        )
        if found is None:
            return None
        window, inside = found
        across, down = self.across()[:, window[1]], self.down()[window[0]]
        facing = normal[0] * across - normal[1] * down + normal[2]
        depth = np.where(inside & (facing < -1e-6), reach / np.minimum(facing, -1e-6), np.inf).astype(
            np.float32
        )
        ends = np.where(np.isfinite(depth), depth, np.float32(1))
        return Face(
            window, depth, across * ends, np.float32(self.eye) - down * ends, normal.astype(np.float32),
            ends / np.float32(self.focal),
        )  # fmt: skip

    def card(self, points: Floats, z: float, colour: Colour | Floats) -> None:
        """An upright polygon at one depth, of one colour or of one that runs from its top to its foot.

        Parameters
        ----------
        points
            (N, 2): x and height in metres.
        z
            Its depth in metres.
        colour
            (3,), or (2, 3) of the top and the foot.
        """
        points = np.asarray(points, np.float32)
        found = self.outline(
            self.centre + self.focal * points[:, 0] / z,
            self.horizon - self.focal * (points[:, 1] - self.eye) / z,
        )
        if found is None:
            return
        window, inside = found
        shade: Floats = np.asarray(colour, np.float32)
        if shade.ndim == 2:
            t = np.linspace(0, 1, inside.shape[0], dtype=np.float32)[:, None, None]
            shade = shade[0] * (1 - t) + shade[1] * t
        self.paint(np.where(inside, np.float32(z), np.float32(np.inf)), shade, window)

    def sprite(
        self, picture: Floats, x: float, foot: float, z: float, tall: float, light: Colour | float = 1.0
    ) -> None:
        """An upright cut-out picture at one depth.

        Parameters
        ----------
        picture
            (h, w, 4): RGB, and what is above 0.5 in the last channel is solid.
        x, foot, z
            The middle of its lower edge: x, height and depth in metres.
        tall
            Its height in metres.
        light
            Factor on its colour.
        """
        rows, columns = picture.shape[:2]
        wide = tall * columns / rows
        left, top = self.column(x - wide / 2, z), self.row(foot + tall, z)
        scale = self.focal * tall / z / rows
        corners = np.array([left, left + scale * columns]), np.array([top, top + scale * rows])
        window = self.window(*corners)
        if window is None or scale * rows < 1:
            return
        shape = window[1].stop - window[1].start, window[0].stop - window[0].start
        shift = np.array(
            [[scale, 0, left - window[1].start], [0, scale, top - window[0].start]], dtype=np.float32
        )
        small = picture
        if scale < 0.5:
            size = max(1, round(columns * scale)), max(1, round(rows * scale))
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
            shift[0, 0], shift[1, 1] = scale * columns / size[0], scale * rows / size[1]
        seen = cv2.warpAffine(small, shift, shape, flags=cv2.INTER_LINEAR)
        solid = seen[..., 3] > 0.5
        rgb = seen[..., :3] / np.maximum(seen[..., 3:], 0.5)
        self.paint(np.where(solid, np.float32(z), np.float32(np.inf)), rgb * np.float32(light), window)


@dataclass(frozen=True)
class Face:
    """A flat polygon as seen: its window of the view, and in it (h, w) depth (infinite outside), x and y in metres.

    `normal` (3,) points towards the camera; `footprint` (h, w) is what a pixel covers at that depth, in metres.
    """

    window: tuple[slice, slice]
    depth: Floats
    x: Floats
    y: Floats
    normal: Floats
    footprint: Floats


NEAREST = 0.3
"""What is closer to the camera than this, in metres, is cut off."""


def _before_the_lens(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cut a polygon (N, 3) at the nearest depth (Sutherland and Hodgman 1974)."""
    if corners[:, 2].min() >= NEAREST:
        return corners
    kept = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if a[2] >= NEAREST:
            kept.append(a)
        if (a[2] >= NEAREST) != (b[2] >= NEAREST):
            kept.append(a + (b - a) * (NEAREST - a[2]) / (b[2] - a[2]))
    return np.array(kept).reshape(-1, 3)
