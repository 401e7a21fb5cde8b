"""What a process of the server does with real uploads: the pixels of `Dehazer`, and hostile files refused by kind."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from clairvoy.apps.serve.restorer import UploadRestorer
from clairvoy.apps.serve.uploads import Limits, Model, Upload
from clairvoy.errors import FileError, TooLargeError, UnknownFormatError
from clairvoy.imaging.files import read
from clairvoy.restoring.dehazer import Dehazer

EXAMPLE = Path(__file__).parents[2] / "examples/hazy/salcantay.jpg"


@pytest.fixture(scope="module")
def restorer():
    return UploadRestorer(Model("fast", "cpu", Limits(pixels=200_000)))


@pytest.fixture(scope="module")
def hazy():
    return cv2.resize(cv2.imread(str(EXAMPLE)), (320, 213), interpolation=cv2.INTER_AREA)[:, :, ::-1]


def file_of(pixels, format, **how):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format, **how)
    return out.getvalue()


def test_it_gives_the_pixels_and_the_report_of_the_dehazer(restorer, hazy):
    upload = Upload(file_of(hazy, "PNG"), strength=0.7, force=True, maps=True)
    answer = restorer(upload)
    result = Dehazer.load("fast", "cpu")(hazy, strength=0.7, force=True)
    assert answer.format == "PNG"
    assert np.array_equal(read(answer.picture).pixels, result.image)
    told, own = answer.report, result.report.to_dict()
    assert told["status"] == "restored"
    differing = {"seconds"}
    assert {name: told[name] for name in own.keys() - differing} == {
        name: own[name] for name in own.keys() - differing
    }
    haze = cv2.imdecode(np.frombuffer(answer.haze, np.uint8), cv2.IMREAD_UNCHANGED)
    assert haze.dtype == np.uint16
    assert np.abs(haze / 65535 - result.haze).max() < 1e-4

    only = restorer(replace(upload, restored=False)).report
    assert {name: only[name] for name in own.keys() - differing} == {
        name: own[name] for name in own.keys() - differing
    }


def test_a_clear_picture_comes_back_byte_for_byte_and_in_another_format_if_that_is_asked(restorer):
    # No haze is seen in dark noise.
    data = file_of(np.random.default_rng(0).integers(0, 40, (64, 64, 3), np.uint8), "JPEG")
    answer = restorer(Upload(data))
    assert answer.report["status"] == "left as it was"
    assert answer.picture == data
    assert read(restorer(Upload(data, format="png")).picture).format == "PNG"


def test_sixteen_bits_stay(restorer, hazy):
    deep = cv2.imencode(".png", hazy[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes()
    answer = restorer(Upload(deep, force=True))
    assert read(answer.picture).pixels.dtype == np.uint16


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = zlib.compress(bytes(1000))
    data = struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data))
    return b"\x89PNG\r\n\x1a\n" + head + data + b"\0\0\0\0IEND\xaeB`\x82"


def jpeg_header(width, height):
    data = bytearray(file_of(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (png_header(65000, 65000), TooLargeError),
        (png_header(2**31 - 1, 2**31 - 1), FileError),
        (jpeg_header(65000, 65000), TooLargeError),
        (file_of(np.zeros((448, 448), np.uint8), "PNG"), TooLargeError),  # a bomb: few bytes, too many pixels
        (file_of(np.zeros((448, 448, 3), np.uint8), "TIFF", compression="tiff_lzw"), TooLargeError),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", UnknownFormatError),
        (b"%PDF-1.7 \xff\xd8\xff", UnknownFormatError),
        (b"MZ\x90\0", UnknownFormatError),
        (b"GIF89a" + bytes(20), UnknownFormatError),  # not on the list
        (file_of(np.zeros((8, 8, 3), np.uint8), "BMP"), UnknownFormatError),
        (file_of(np.zeros((64, 64, 3), np.uint8), "PNG")[:80], FileError),
        (png_header(64, 64), FileError),
    ],
    ids=[
        "png 65000",
        "png 2^31",
        "jpeg 65000",
        "bomb",
        "tiff",
        "svg",
        "pdf",
        "exe",
        "gif",
        "bmp",
        "cut",
        "short",
    ],
)
def test_hostile_uploads_are_refused_by_kind(restorer, data, error):
    with pytest.raises(error):
        restorer(Upload(data))


def test_a_picture_with_a_page_behind_it_comes_back_as_a_picture(restorer, hazy):
    """A polyglot. What is restored is encoded anew; the headers keep a browser from running what is sent back as it was."""
    page = b"<html><script>alert(1)</script></html>"
    answer = restorer(Upload(file_of(hazy, "JPEG") + page, force=True))
    assert page not in answer.picture
