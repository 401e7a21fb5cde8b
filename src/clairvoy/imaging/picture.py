"""A photograph in memory, upright, with what its file said about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from clairvoy.imaging.formats import exif, xmp
from clairvoy.imaging.formats.raster import LOST_TAGS, STRIP_PIXELS, Kept, Metadata, Raster
from clairvoy.imaging.hidden import shown
from clairvoy.imaging.windows import strips

_TRAILER_LOST = "has a film or a gain map behind the picture, which is left out"


@dataclass(frozen=True)
class Picture:
    """A photograph in memory, with what its file said about it.

    Attributes
    ----------
    pixels
        (H, W, 3) uint8 or uint16, RGB, C-contiguous, upright. A grey picture has three equal channels.
    alpha
        (H, W) of the same type, 0 transparent; None where the file has none.
    grey
        The file was grey, and is written grey again.
    format
        What the file was, such as "JPEG"; the names are in `clairvoy.imaging.formats.recognition`.
    metadata
        EXIF (its orientation 1), ICC profile, XMP, resolution and what else can be carried over.
    name
        Path, or "<bytes>"; used in messages.
    notes
        What the reader did that its user should know, such as "is an animation; its first frame was taken".
    no_data
        (H, W) bool, pixels that the file calls "no data"; None where it has none.
    kept
        Bands and values beside the pixels that a TIFF made of it gets back.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    format: str = "PNG"
    metadata: Metadata = field(default_factory=Metadata)
    name: str = "picture"
    notes: tuple[str, ...] = ()
    no_data: np.ndarray | None = None
    kept: Kept | None = None

    @property
    def hidden(self) -> np.ndarray | None:
        """(H, W) bool, pixels that nobody sees: alpha 0, or "no data"; None where all are seen.

        They are not perceived, and stay as they are.
        """
        if self.alpha is None:
            return self.no_data
        hidden = self.alpha == 0
        if self.no_data is not None:
            hidden |= self.no_data
        return hidden if hidden.any() else None

    @property
    def shown(self) -> np.ndarray:
        """The pixels, with those that nobody sees filled from around."""
        return shown(self.pixels, self.hidden)


class UnchangingPicture(Picture):
    """A picture whose pixels nobody writes to: what looks at them later needs no copy of its own."""

    @classmethod
    def of(cls, picture: Picture) -> UnchangingPicture:
        """The same picture, on the word of who calls."""
        return cls(**vars(picture))


def same_pixels(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures (H, W, 3) are equal, without a map of where they are."""
    if one is other or one.shape != other.shape:
        return one is other
    parts = strips(len(one), one.shape[1], STRIP_PIXELS)
    return all(np.array_equal(one[rows], other[rows]) for rows in parts)


def upright(raster: Raster, kind: str, name: str) -> Picture:
    """Picture of what a file of a kind was decoded to: turned upright, its metadata mended and true of it."""
    metadata, notes = raster.metadata, raster.notes
    block, lost = exif.mended(metadata.exif) if metadata.exif else (None, ())
    if (lost or (metadata.exif and block is None)) and LOST_TAGS not in notes:
        notes += (LOST_TAGS,)
    if metadata.icc and metadata.icc[36:40] != b"acsp":  # no profile: programs that open one would fail
        metadata = replace(metadata, icc=None)
        notes += (LOST_TAGS,) if LOST_TAGS not in notes else ()
    orientation = exif.orientation_of(block)
    metadata = replace(metadata, exif=exif.made_upright(block) if block else None)
    if metadata.xmp:
        said = xmp.without_trailer(metadata.xmp)
        if said != metadata.xmp:
            notes += (_TRAILER_LOST,)
        metadata = replace(metadata, xmp=xmp.upright(said) if orientation > 1 else said)
    if orientation >= 5 and metadata.dpi:
        metadata = replace(metadata, dpi=metadata.dpi[::-1])
    samples = exif.turned(raster.samples, orientation)
    channels = samples.shape[2]
    alpha = np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None
    pixels = samples[..., :1].repeat(3, axis=2) if channels < 3 else np.ascontiguousarray(samples[..., :3])
    no_data = None if raster.hidden is None else np.ascontiguousarray(exif.turned(raster.hidden, orientation))
    kept = raster.kept and raster.kept.changed(
        lambda part: np.ascontiguousarray(exif.turned(part, orientation))
    )
    return Picture(pixels, alpha, channels < 3, kind, metadata, name, notes, no_data, kept)
