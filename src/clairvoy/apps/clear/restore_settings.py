"""What the user asks of the restoration of photographs, the same for all of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clairvoy.imaging import files

if TYPE_CHECKING:
    from clairvoy.restoring.raster import RasterLook


@dataclass(frozen=True)
class Settings:
    """How photographs are restored and written."""

    weights: str = "fast"
    device: str = "auto"
    preset: str | None = None
    strength: float = 1.0
    samples: int = 1
    force: bool = False
    flat: bool = False
    format: str | None = None
    """A key of `output_names.FORMATS`, for standard output; None is the photograph's own."""
    quality: int | None = None
    max_pixels: int = files.MAX_PIXELS
    overwrite: bool = False
    verbose: bool = False
    previews: int | None = None
    """Pixels of the longer side of small pictures for a page; None: there is none."""
    bands: tuple[int, ...] = ()
    """Of rasters: which are red, green and blue, or grey; none: as the file says."""
    range: tuple[float, float] | None = None
    """Of rasters: values that are black and white; None: found."""
    search: float | None = None
    """Part of a raster's windows that the agent may read; None: all of it is restored."""
    mosaic: RasterLook | None = None
    """What was seen of all rasters together; None: each is looked at alone."""
