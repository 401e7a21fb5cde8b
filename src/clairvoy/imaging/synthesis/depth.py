"""Depth for haze synthesis: drawn procedurally from a photograph, or read from files, behind one small interface.

A photograph without depth gets a *plausible* one: a layout (ground plane and horizon, room, slope, flat) with
objects on it whose outlines are regions of the photograph, smoothed along the photograph's own edges with a guided
filter (He, Sun and Tang, PAMI 2013), because real depth jumps where colours do. It need not be the true depth: what a
restorer must learn is how any depth shows through haze.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from clairvoy.errors import FileError
from clairvoy.imaging.guided_filter import guided_filter

FloatImage = npt.NDArray[np.float32]
ByteImage = npt.NDArray[np.uint8]


class DepthSource(Protocol):
    """Anything that gives depth for a photograph; a depth network plugs in here."""

    def __call__(self, rgb: ByteImage, name: str, rng: np.random.Generator) -> FloatImage:
        """Depth (H, W), positive, any unit, for `rgb` (H, W, 3) uint8; `name` is the photograph's file stem."""
        ...


def camera_rays(
    height: int, width: int, rng: np.random.Generator, pitch: float = 0.1
) -> npt.NDArray[np.float64]:
    """Viewing rays (H, W, 3), x right, y down, z forward, of a camera of random pose.

    Each is one unit long along the optical axis, so that a point at `distance * ray` has depth `distance`. `pitch` is
    how far the camera looks down on the mean, in radians.
    """
    focal = rng.uniform(0.7, 1.5)
    v, u = np.mgrid[0:height, 0:width]
    size = max(height, width)
    rays = (
        np.stack([(u - width / 2) / size, (v - height / 2) / size, np.full(u.shape, focal)], axis=-1) / focal
    )
    # Below the horizon on the whole: what lies about on the floor is most of what there is to see.
    nods, roll, yaw = rng.normal(pitch, 0.15), rng.normal(0, 0.04), rng.uniform(-0.8, 0.8)
    cp, sp, cy, sy, cr, sr = *_cos_sin(nods), *_cos_sin(yaw), *_cos_sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return rays @ (turn @ nod @ tilt).T


def _cos_sin(angle: float) -> tuple[float, float]:
    return float(np.cos(angle)), float(np.sin(angle))


def _room(height: int, width: int, rng: np.random.Generator) -> FloatImage:
    """Distance along the optical axis to the walls, floor and ceiling of a box-shaped room."""
    rays = camera_rays(height, width, rng)
    side, down, up, far = (
        rng.uniform(0.8, 3.0, 2),
        rng.uniform(1.0, 1.7),
        rng.uniform(0.8, 1.6),
        rng.uniform(2, 7),
    )
    walls = [(0, side[0]), (0, -side[1]), (1, down), (1, -up), (2, far)]
    depth = np.full((height, width), np.inf)
    for axis, offset in walls:
        along = rays[..., axis]
        distance = np.where(
            along * offset > 1e-6, offset / np.where(np.abs(along) < 1e-6, 1e-6, along), np.inf
        )
        depth = np.minimum(depth, distance)
    return np.minimum(depth, 12.0).astype(np.float32)


def _ground(height: int, width: int, rng: np.random.Generator) -> FloatImage:
    """A ground plane under a horizon; the sky is as far as the haze lets anybody see.

    Log-uniform: from a street with hills behind it to a quay in the sun before a sea that has vanished.
    """
    horizon = rng.uniform(0.15, 0.65) * height
    tilt = rng.normal(0, 0.06)
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    below = v - horizon - tilt * (u - width / 2)
    reach = np.exp(rng.uniform(np.log(4), np.log(60)))
    depth = np.where(below > 0, height * rng.uniform(0.4, 1.0) / np.maximum(below, 1e-3), np.inf)
    return np.minimum(depth, reach).astype(np.float32)


def _slope(height: int, width: int, rng: np.random.Generator) -> FloatImage:
    """Further up is further away, linearly: hillsides, facades, views from above."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.normal(0, 0.5)
    up = np.cos(angle) * (1 - v / height) + np.sin(angle) * (u / width - 0.5)
    return (rng.uniform(0.2, 1.0) + rng.uniform(0.2, 2.0) * np.clip(up, 0, None)).astype(np.float32)


def _flat(height: int, width: int, rng: np.random.Generator) -> FloatImage:
    return np.ones((height, width), np.float32)


def _regions(rgb: ByteImage, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Label regions (H, W) of like colour and place: k-means on blurred colour and position at a quarter size."""
    small = cv2.resize(rgb, (64, 64), interpolation=cv2.INTER_AREA)
    colour = cv2.cvtColor(cv2.medianBlur(small, 5), cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    v, u = np.mgrid[0:64, 0:64]
    place = np.stack([u, v], -1).reshape(-1, 2).astype(np.float32) * rng.uniform(0.5, 2.5)
    count = int(rng.integers(5, 20))
    points = np.hstack([colour, place])
    # Lloyd's algorithm by hand: cv2.kmeans draws from a generator of its own, which a seed could not reach.
    centres = points[rng.choice(len(points), count, replace=False)]
    for _ in range(4):
        distance = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)
        label = distance.argmin(1)
        for index in range(count):
            member = points[label == index]
            if len(member):
                centres[index] = member.mean(0)
    labels = label.reshape(64, 64).astype(np.uint8)
    return cv2.resize(labels, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(np.int32)


LAYOUTS = (_room, _ground, _slope, _flat)


class ProceduralDepth:
    """Plausible depth for any photograph, a new one at each call.

    Parameters
    ----------
    layouts
        Probabilities of room, ground plane, slope and flat, in this order; they sum to 1.
    """

    def __init__(self, layouts: tuple[float, float, float, float] = (0.4, 0.3, 0.2, 0.1)) -> None:
        self.layouts = layouts

    def __call__(self, rgb: ByteImage, name: str, rng: np.random.Generator) -> FloatImage:
        """Draw a depth (H, W) in relative units, nearest point above 0."""
        height, width = rgb.shape[:2]
        base = LAYOUTS[int(rng.choice(4, p=self.layouts))](height, width, rng)
        grey = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) / 255).astype(np.float32)
        if rng.random() < 0.85:
            labels = _regions(rgb, rng)
            depth = base.copy()
            stand = rng.random(labels.max() + 1) < rng.uniform(0.2, 0.8)
            for index in np.flatnonzero(stand):
                inside = labels == index
                if not inside.any():
                    continue
                # An upright object has one depth, that of the ground at its foot, give or take.
                foot = np.quantile(base[inside], rng.uniform(0.0, 0.5))
                depth[inside] = foot * rng.uniform(0.75, 1.1)
        else:
            depth = base
        if rng.random() < 0.5:
            noise = rng.normal(size=(rng.integers(3, 9), rng.integers(3, 9))).astype(np.float32)
            relief = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
            depth = depth * np.exp(rng.uniform(0.05, 0.3) * relief)
        radius = max(2, round(min(height, width) * rng.uniform(0.008, 0.04)))
        depth = guided_filter(grey, depth.astype(np.float32), radius, float(10 ** rng.uniform(-4, -2.3)))
        return np.maximum(depth, 0.02 * float(depth.max()))


class DepthFiles:
    """Depth read from `folder/NAME.npz`, `.npy` or a 16-bit `.png`, one for each photograph.

    Raises
    ------
    FileError
        At the first photograph without a depth file, or one of another shape of picture.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileError(
                f"{self.folder}: not a folder of depth files; name one that holds NAME.npz, NAME.npy or NAME.png"
            )

    def __call__(self, rgb: ByteImage, name: str, rng: np.random.Generator) -> FloatImage:
        """Depth (H, W) as stored, resized to the photograph."""
        depth = self._read(name)
        if depth.ndim != 2 or not np.isfinite(depth).all() or depth.min() < 0 or depth.max() <= 0:
            raise FileError(
                f"{self.folder / name}: depth must be a finite (H, W) array, not negative and not all 0"
            )
        depth = cv2.resize(depth, rgb.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        return np.maximum(depth, 1e-3 * float(depth.max()))

    def _read(self, name: str) -> FloatImage:
        for suffix in (".npz", ".npy", ".png"):
            path = self.folder / (name + suffix)
            if not path.is_file():
                continue
            try:
                if suffix == ".png":
                    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
                    if stored is None:
                        raise ValueError("not a PNG")
                    return stored.astype(np.float32)
                stored = np.load(path, allow_pickle=False)
                return (stored[stored.files[0]] if suffix == ".npz" else stored).astype(np.float32)
            except (OSError, ValueError, AttributeError) as error:
                raise FileError(
                    f"{path}: not a depth file that can be read ({error}); save it again"
                ) from error
        raise FileError(f"{self.folder}: no depth for {name!r}; add {name}.npz, or leave depth files out")
