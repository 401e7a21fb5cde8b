"""The one list of what of a TIFF's tags survives: all but those that say how the pixels were stored.

Tags of the storage are written anew, since the pixels are. Pointers to other directories are left out, because what they
point to is not written. Everything else stays as it is, under its number and with its bytes: descriptions, private tags,
georeference (33550, 33922, 34264, 34735 to 34737, 42112, 42113, 50844), titles and keywords (40091 to 40095), IPTC,
Photoshop's blocks. In memory these tags are the root of the picture's EXIF block (`Metadata.exif`), which is a directory
of the same kind; so they also travel into formats that hold such a block.
"""

from __future__ import annotations

from clairvoy.imaging.formats import exif as ifd
from clairvoy.imaging.formats.photoshop import without_previews

RESOLUTION = (282, 283, 296)
ICC, XMP, IPTC, PHOTOSHOP = 34675, 700, 33723, 34377
STORAGE = frozenset(
    {
        *range(254, 269), 273, 274, *range(277, 282), *RESOLUTION, *range(284, 285), *range(288, 294),
        # transfer functions and palettes count by bits; reduced copies, tiles, bad fax lines, inks, JPEG, YCbCr
        301, 317, *range(320, 331), *range(332, 335), 336, *range(338, 348), 351, *range(512, 522),
        *range(529, 533), 559, ICC, XMP,
        # layers of Photoshop; the colour filter and all that belongs to camera raw
        37724, 33421, 33422, *range(50706, 50742), *range(50778, 50782), 50931, 50932, 50827, 50828, 50829, 50830,
    }
)  # fmt: skip
"""Tags that do not survive, or are carried in a field of their own (ICC profile, XMP, resolution)."""
GEOREFERENCE = (33550, 33922, 34264)
"""Tags that tie pixels to the ground: rows and columns must stay where they are."""
_DIRECTORIES = (13, 18)


def surviving(tree: ifd.Directory) -> ifd.Directory:
    """What of a page's tree of tags survives; the orientation too, which is told in `Metadata.exif`."""
    kept: ifd.Directory = {}
    for tag, entry in tree.items():
        if isinstance(entry, dict):
            kept[tag] = entry
        elif tag == ifd.ORIENTATION or (tag not in STORAGE and entry.kind not in _DIRECTORIES):
            if tag == PHOTOSHOP:
                block = without_previews(entry.value)
                entry = ifd.Entry(entry.kind, len(block), block)
            kept[tag] = entry
    return kept
