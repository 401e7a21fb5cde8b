"""Decoders that say nothing of their own: what a user should know comes as a `FileError` or as a note of the picture.

Pillow warns through `warnings`, Pillow and tifffile log through `logging`, which prints where nobody listens, and OpenCV
has a logger that prints by itself.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2

for _name in ("PIL", "tifffile"):
    # Without a handler of any kind Python prints warnings and errors on its own; whoever asks for them still gets them.
    logging.getLogger(_name).addHandler(logging.NullHandler())

OPENCV_LOG = getattr(cv2.utils, "logging", cv2)
"""Where OpenCV keeps `getLogLevel` and `setLogLevel`: version 5 has a place of its own for them."""
SILENT = 0
"""Level of that log."""
_LOCK = Lock()
_inside = 0
_filters: warnings.catch_warnings | None = None
_level = 0


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings of decoders and encoders from the user while the block runs; threads may overlap."""
    _enter()
    try:
        yield
    finally:
        _leave()


# The filters of warnings and the level of OpenCV belong to the process. The first thread in stores them and the last one out
# puts them back: threads that each did so would leave the filters of one another behind.
def _enter() -> None:
    global _inside, _filters, _level
    with _LOCK:
        if _inside == 0:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore")
            _level = OPENCV_LOG.setLogLevel(SILENT)
        _inside += 1


def _leave() -> None:
    global _inside
    with _LOCK:
        _inside -= 1
        if _inside == 0 and _filters is not None:
            _filters.__exit__(None, None, None)
            OPENCV_LOG.setLogLevel(_level)
