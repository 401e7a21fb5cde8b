"""Rasters that tests make: hazy squares with a place on the ground."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine

PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 4_500_000)


def hazy(height: int, width: int, bands: int = 3, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    """Soft squares (bands, height, width) that fill the middle of the range of a type."""
    rng = np.random.default_rng(seed)
    squares = rng.uniform(0.45, 0.75, (bands, height // 32 + 1, width // 32 + 1))
    values = squares.repeat(32, 1).repeat(32, 2)[:, :height, :width] + rng.normal(
        0, 0.01, (bands, height, width)
    )
    full = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (values * full).astype(dtype)


def write_raster(
    path: Path, values: np.ndarray, *, overviews: tuple[int, ...] = (), cog: bool = False, **how: Any
) -> Path:
    """Write bands (bands, height, width) as a GeoTIFF in tiles of 64 pixels, or as one that is laid out for the cloud."""
    count, height, width = values.shape
    settings = {
        "driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype.name,
        "crs": "EPSG:32633", "transform": PLACE, "tiled": True, "blockxsize": 64, "blockysize": 64,
        "compress": "deflate", **({"photometric": "rgb"} if count >= 3 else {}),
    } | how  # fmt: skip
    plain = path.with_suffix(".plain.tif") if cog else path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(plain, "w", **settings) as out:
            out.write(values)
            if overviews and not cog:
                out.build_overviews(overviews, Resampling.average)
        if cog:
            rasterio.shutil.copy(
                plain, path, driver="COG", compress="deflate", blocksize=128, overview_resampling="average"
            )
            plain.unlink()
    return path


def read_raster(path: Path) -> np.ndarray:
    """All bands, (bands, height, width)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as data:
            return data.read()
