"""Which TIFFs are rasters, told from their tags alone: rasterio need not be there."""

from __future__ import annotations

import mmap
from importlib.util import find_spec
from pathlib import Path

from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.formats import tiff_page as tag
from clairvoy.imaging.formats.exif import ORIENTATION
from clairvoy.imaging.formats.tiff_page import check_extent, describe, find_pages
from clairvoy.imaging.formats.tiff_tags import GEOREFERENCE

REMEDY = "pip install 'clairvoy[geo]'"
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RPC, _DNG = 50844, 50706
_PREMULTIPLIED = 1
_AS_THEY_ARE = (tag.WHITE_IS_ZERO, tag.BLACK_IS_ZERO, tag.RGB, tag.YCBCR)
"""Photometric interpretations whose samples are restored as they are; others (palettes, inks) become RGB first."""
_BESIDE = (".tfw", ".tifw", ".tiffw", ".wld")
"""Suffixes of world files: the georeference of a TIFF that holds none."""


def is_installed() -> bool:
    """Whether rasterio is there."""
    return find_spec("rasterio") is not None


def check_installed(what: str) -> None:
    """Refuse what is for rasters alone, where rasterio is not there.

    Raises
    ------
    SettingsError
        It is not there; the message names `what` and the extra.
    """
    if not is_installed():
        raise SettingsError(f"{what} is for rasters, which need rasterio; {REMEDY}")


def is_georeferenced(path: Path) -> bool:
    """Tell whether a file is a TIFF of grey or colours whose place on the ground is told, in it or in a world file."""
    size = _described(path)
    return size is not None and size[1]


def is_larger_than(path: Path, pixels: int) -> bool:
    """Tell whether a file is a TIFF of grey or colours with more than so many pixels."""
    size = _described(path)
    return size is not None and size[0] > pixels


def check_whole(path: Path) -> None:
    """Refuse a TIFF that lacks pixels, before any work is done.

    Raises
    ------
    FileError
        Strips or tiles lie beyond the end of the file, or their places are not told.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as block:
            pages = find_pages(block)
            # A map holds the file open as long as a page names it.
            page = describe(block, pages.main, pages.layout.order)
            check_extent(page)
            del page, pages
    except (FileError, ValueError) as error:
        raise FileError(f"{path}: {error}") from error


def is_sparse(path: Path) -> bool:
    """Tell whether strips or tiles of a TIFF were never written."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as block:
        pages = find_pages(block)
        return 0 in describe(block, pages.main, pages.layout.order).sizes


def is_big_tiff(path: Path) -> bool:
    """Tell whether a TIFF counts its bytes with 64 bits."""
    with path.open("rb") as file:
        return file.read(4) in _SIGNATURES[2:]


def _described(path: Path) -> tuple[int, bool] | None:
    """Pixels of a TIFF, and whether its place is told; None: no TIFF, a damaged one, or one whose samples are no colours."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in _SIGNATURES:
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as block:
                pages = find_pages(block)
                page = describe(block, pages.main, pages.layout.order)
                if page.photometric not in _AS_THEY_ARE or _DNG in page.entries:
                    return None
                told = any(number in page.entries for number in (*GEOREFERENCE, _RPC))
                told = told or any(path.with_suffix(end).is_file() for end in _BESIDE)
                if _PREMULTIPLIED in (page.extra or ()) or (not told and page.number(ORIENTATION, 1) != 1):
                    return None  # what must be divided or turned is read as a photograph
                return page.height * page.width, told
    except (OSError, ValueError, FileError):
        return None
