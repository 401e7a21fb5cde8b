"""An output made of a raster and its restored parts, stored as the raster was.

GDAL copies it from a virtual data set (VRT) that says what lies where: the restored parts, and for all else the raster
itself. So what GDAL knows of a raster stays: georeference, bands, masks, names, metadata, tiling, compression.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import rasterio
import rasterio.shutil
from rasterio.enums import Resampling

from clairvoy.errors import FileError
from clairvoy.imaging.rasters.raster_file import FAILURES, Part, RasterFile, opened, reason
from clairvoy.imaging.rasters.recognition import check_whole, is_big_tiff, is_sparse
from clairvoy.imaging.rasters.unfinished import Unfinished
from clairvoy.storage.atomic import move_into_place, replacing

_COMPRESSIONS = {
    "LZW",
    "DEFLATE",
    "PACKBITS",
    "ZSTD",
    "LZMA",
    "JPEG",
    "WEBP",
    "LERC",
    "LERC_DEFLATE",
    "LERC_ZSTD",
}
_COG_COMPRESSIONS = _COMPRESSIONS - {"PACKBITS"}
_COPIED = {"IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "RPC", "COLOR_PROFILE", "EXIF", "TILING_SCHEME"}
"""Domains of metadata that GDAL copies, or that are none of the pixels'."""
_STALE = "STATISTICS_"
"""What names of metadata that pixels have made untrue begin with."""


def assemble(
    raster: RasterFile, parts: Sequence[Part], done: Unfinished, target: Path, quality: int | None = None
) -> None:
    """Write the output whole or not at all.

    Parameters
    ----------
    raster
        What was restored.
    parts
        All parts that cover it.
    done
        Those of them that changed.
    target
        The file to write; one that is there is replaced.
    quality
        Of a lossy compression, 1 to 100; by default the raster's own.

    Raises
    ------
    FileError
        The raster is damaged, or the disk refuses.
    """
    virtual, written = done.folder / "whole.vrt", done.folder / "whole.tif.part"
    for left in done.folder.glob("whole.*"):
        left.unlink()
    try:
        rasterio.shutil.copy(raster.dataset, virtual, driver="VRT")
        _point_to_parts(virtual, raster, parts, done)
        driver, options = how_stored(raster, quality)
        rasterio.shutil.copy(virtual, written, driver=driver, **options)
        if driver == "GTiff":
            _add_what_copying_left_out(raster, written)
        check_whole(written)
        move_into_place(written, target)
    except (*FAILURES, OSError) as error:
        raise FileError(
            f"{target}: cannot be written ({reason(error)}); check that {raster.path} is whole and the disk has room"
        ) from error


def how_stored(raster: RasterFile, quality: int | None = None) -> tuple[str, dict[str, Any]]:
    """The driver of GDAL that writes a file like a raster, and its creation options."""
    said = raster.dataset.tags(ns="IMAGE_STRUCTURE")
    is_cog = said.get("LAYOUT") == "COG"
    name = said.get("COMPRESSION", "NONE").upper().replace("YCBCR JPEG", "JPEG")
    if name not in (_COG_COMPRESSIONS if is_cog else _COMPRESSIONS):
        name = "NONE" if name == "NONE" else "DEFLATE"
    options: dict[str, Any] = {
        "COMPRESS": name,
        "BIGTIFF": "YES" if is_big_tiff(raster.path) else "IF_SAFER",
        "SPARSE_OK": is_sparse(raster.path),
    }
    options |= _of_compression(name, said, quality, is_cog)
    if is_cog:
        data = raster.dataset
        if _own_domains(raster) and not any(data.tags(band) for band in data.indexes):
            options["COPY_SRC_MDD"] = "YES"  # it would lose what is said of single bands
        return "COG", options | {
            "BLOCKSIZE": raster.block[1],
            "OVERVIEWS": "IGNORE_EXISTING" if raster.has_overviews else "NONE",
            "OVERVIEW_RESAMPLING": "AVERAGE",
        }
    options["INTERLEAVE"] = said.get("INTERLEAVE", "PIXEL")
    if bits := raster.dataset.tags(raster.colours[0], ns="IMAGE_STRUCTURE").get("NBITS"):
        options["NBITS"] = bits
    tall, wide = raster.block
    if wide != raster.width:
        return "GTiff", options | {"TILED": "YES", "BLOCKXSIZE": wide, "BLOCKYSIZE": tall}
    return "GTiff", options | {"BLOCKYSIZE": tall}


def _of_compression(name: str, said: dict[str, str], quality: int | None, is_cog: bool) -> dict[str, Any]:
    """Creation options that belong to one compression."""
    if name == "JPEG":
        level = quality or int(said.get("JPEG_QUALITY", 90))
        if is_cog:
            return {"QUALITY": level}
        colours = {"PHOTOMETRIC": "YCBCR"} if "YCbCr" in said.get("SOURCE_COLOR_SPACE", "") else {}
        return {"JPEG_QUALITY": level} | colours
    if name == "WEBP":
        if said.get("COMPRESSION_REVERSIBILITY", "").startswith("LOSSLESS") and quality is None:
            return {"QUALITY": 100} if is_cog else {"WEBP_LOSSLESS": "YES"}
        return {"QUALITY" if is_cog else "WEBP_LEVEL": quality or int(said.get("WEBP_LEVEL", 90))}
    if name.startswith("LERC"):
        return {"MAX_Z_ERROR": said.get("MAX_Z_ERROR", 0)}
    predictor = said.get("PREDICTOR", "1")
    if name not in ("DEFLATE", "LZW", "ZSTD") or predictor not in ("2", "3"):
        return {}
    return {"PREDICTOR": {"2": "STANDARD", "3": "FLOATING_POINT"}[predictor] if is_cog else predictor}


def _point_to_parts(virtual: Path, raster: RasterFile, parts: Sequence[Part], done: Unfinished) -> None:
    """Let the colours of a virtual copy of a raster come from its restored parts, where there are some."""
    tree = ElementTree.parse(virtual)
    root = tree.getroot()
    for metadata in root.iter("Metadata"):
        for item in [one for one in metadata if one.get("key", "").startswith(_STALE)]:
            metadata.remove(item)
    _add_domains(root, raster)
    source = os.path.abspath(raster.path)
    for band in root.findall("VRTRasterBand"):
        number = int(band.get("band", "0"))
        for stale in band.findall("Histograms"):
            band.remove(stale)
        if number not in raster.colours:
            continue
        for whole in [child for child in band if child.tag in ("SimpleSource", "ComplexSource")]:
            band.remove(whole)
        place = raster.colours.index(number) + 1
        for part in parts:
            if done.holds(part):
                band.append(_source(str(done.path(part).absolute()), place, part, (0, 0)))
            else:
                band.append(_source(source, number, part, (part.left, part.top)))
    tree.write(virtual)


def _add_domains(root: ElementTree.Element, raster: RasterFile) -> None:
    """Add the domains of metadata that a virtual data set does not take over."""
    there = {element.get("domain", "") for element in root.findall("Metadata")}
    data = raster.dataset
    for domain in data.tag_namespaces():
        if domain in there or domain == "DERIVED_SUBDATASETS" or domain.startswith("xml:"):
            continue
        element = ElementTree.Element("Metadata", domain=domain)
        for key, value in data.tags(ns=domain).items():
            ElementTree.SubElement(element, "MDI", key=key).text = value
        root.insert(0, element)


def _source(file: str, band: int, part: Part, at: tuple[int, int]) -> ElementTree.Element:
    """What says that a part of the whole comes from a band of a file, from a column and row on."""
    source = ElementTree.Element("SimpleSource")
    ElementTree.SubElement(source, "SourceFilename", relativeToVRT="0").text = file
    ElementTree.SubElement(source, "SourceBand").text = str(band)
    size: dict[str, Any] = {"xSize": str(part.width), "ySize": str(part.height)}
    ElementTree.SubElement(source, "SrcRect", xOff=str(at[0]), yOff=str(at[1]), **size)
    ElementTree.SubElement(source, "DstRect", xOff=str(part.left), yOff=str(part.top), **size)
    return source


def _own_domains(raster: RasterFile) -> list[str]:
    """Domains of metadata that programs made for themselves, which GDAL does not copy by itself."""
    return [
        name
        for name in raster.dataset.tag_namespaces()
        if name not in _COPIED and not name.startswith("xml:")
    ]


def _add_what_copying_left_out(raster: RasterFile, written: Path) -> None:
    """Give an output the domains of metadata and the reduced copies that the raster had."""
    data = raster.dataset
    domains, factors = _own_domains(raster), data.overviews(raster.colours[0])
    if not domains and not factors:
        return
    quality = data.tags(ns="IMAGE_STRUCTURE").get("JPEG_QUALITY", "90")
    with rasterio.Env(JPEG_QUALITY_OVERVIEW=quality), opened(written, "r+") as out:
        for domain in domains:
            out.update_tags(ns=domain, **data.tags(ns=domain))
        if factors:
            out.build_overviews(factors, Resampling.average)


def keep_as_it_was(raster: RasterFile, done: Unfinished, target: Path) -> None:
    """Write a raster that nothing was changed in: byte for byte, or where some of it lies in files beside, all in one.

    Raises
    ------
    FileError
        As `assemble`.
    """
    if len(raster.dataset.files) > 1:
        assemble(raster, [Part(0, 0, raster.height, raster.width)], done, target)
        return
    try:
        with replacing(target) as written:
            shutil.copyfile(raster.path, written)
    except OSError as error:
        raise FileError(f"{target}: cannot be written ({reason(error)}); make room") from error
