"""Files keep what they said; refusals name the file and a remedy; writing is all or nothing."""

import io
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from clairvoy.errors import FileError, InputError, SettingsError
from clairvoy.imaging.files import Metadata, Picture, encode, find_photographs, format_of, read, write
from clairvoy.imaging.formats import recognition
from clairvoy.imaging.picture import same_pixels

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_bytes(orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    if orientation:
        exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x927C] = bytes(range(50))
    exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes().removeprefix(b"Exif\0\0")


def tags(exif: bytes | None) -> tuple[dict, dict, dict]:
    loaded = Image.Exif()
    loaded.load(b"Exif\0\0" + (exif or b""))
    own = {tag: value for tag, value in loaded.items() if tag not in (0x8769, 0x8825)}
    return own, dict(loaded.get_ifd(0x8769)), dict(loaded.get_ifd(0x8825))


def read_or_refuse(data: bytes) -> Picture | None:
    """The picture, or None for a `FileError`; any other exception fails the test."""
    try:
        return read(data)
    except FileError:
        return None


@st.composite
def pictures(draw, depths=(np.uint8, np.uint16), alpha=None):
    dtype = draw(st.sampled_from(depths))
    size = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grey = draw(st.booleans())
    pixels = rng.integers(0, np.iinfo(dtype).max + 1, (*size, 1 if grey else 3)).astype(dtype)
    pixels = np.ascontiguousarray(np.broadcast_to(pixels, (*size, 3)))
    has_alpha = draw(st.booleans()) if alpha is None else alpha
    transparency = rng.integers(0, np.iinfo(dtype).max + 1, size).astype(dtype) if has_alpha else None
    profile = draw(st.sampled_from([None, SRGB]))
    dpi = draw(st.sampled_from([None, (300.0, 150.0)]))
    exif, xmp = draw(st.sampled_from([None, exif_bytes()])), draw(st.sampled_from([None, b"<x:xmpmeta/>"]))
    return Picture(pixels, transparency, grey, metadata=Metadata(exif, profile, xmp, dpi))


lossless = [
    ("PNG", np.uint8),
    ("PNG", np.uint16),
    ("TIFF", np.uint8),
    ("TIFF", np.uint16),
    ("WEBP", np.uint8),
]


@pytest.mark.parametrize(("kind", "dtype"), lossless)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_lossless_formats_keep_everything(kind, dtype, data):
    picture = data.draw(pictures(depths=(dtype,)))
    back = read(encode(picture.pixels, picture, kind))
    np.testing.assert_array_equal(back.pixels, picture.pixels)
    assert back.pixels.dtype == dtype
    assert back.pixels.flags.c_contiguous
    assert back.pixels.flags.writeable
    assert (back.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None:
        np.testing.assert_array_equal(back.alpha, picture.alpha)
    assert back.grey == (picture.grey and kind != "WEBP")
    assert back.metadata.icc == picture.metadata.icc
    assert back.metadata.xmp == picture.metadata.xmp
    assert tags(back.metadata.exif) == tags(picture.metadata.exif)
    if kind != "TIFF":
        assert back.metadata.exif == picture.metadata.exif
    if kind != "WEBP" and picture.metadata.dpi:
        assert back.metadata.dpi == pytest.approx(picture.metadata.dpi, abs=0.02)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_metadata_travels_between_any_two_formats(source, target):
    pixels = np.full((4, 6, 3), 90, np.uint8)
    original = Picture(pixels, metadata=Metadata(exif_bytes(), SRGB, b"<x:xmpmeta/>", (72.0, 72.0)))
    first = read(encode(pixels, original, source))
    second = read(encode(first.pixels, first, target))
    assert (first.format, second.format) == (source, target)
    assert tags(second.metadata.exif) == tags(exif_bytes())
    assert (second.metadata.icc, second.metadata.xmp) == (SRGB, b"<x:xmpmeta/>")


@settings(max_examples=60, deadline=None)
@given(picture=pictures(), kind=st.sampled_from(FORMATS), where=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused_or_whole(picture, kind, where):
    if kind == "JPEG":
        picture = Picture(picture.pixels, None, picture.grey, metadata=picture.metadata)
    whole = encode(picture.pixels, picture, kind)
    cut = read_or_refuse(whole[: int(where * len(whole))])
    if cut is not None:
        seen = slice(None) if cut.no_data is None else ~cut.no_data
        np.testing.assert_array_equal(cut.pixels[seen], read(whole).pixels[seen])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_small_file_cut_at_every_byte(kind):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    whole = encode(pixels, Picture(pixels, metadata=Metadata(exif_bytes())), kind)
    for length in range(len(whole)):
        cut = read_or_refuse(whole[:length])
        if cut is not None:  # only what lies behind the pixels is missing, and that is said
            assert kind in ("TIFF", "JPEG")
            assert cut.notes
            seen = slice(None) if cut.no_data is None else ~cut.no_data
            np.testing.assert_array_equal(cut.pixels[seen], read(whole).pixels[seen])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(noise=st.binary(max_size=200), kind=st.sampled_from([None, *FORMATS]), seed=st.integers(0, 2**32 - 1))
def test_random_and_damaged_bytes_give_a_file_error_or_a_picture(noise, kind, seed):
    if kind:
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3)).astype(np.uint8)
        whole = bytearray(encode(pixels, Picture(pixels, metadata=Metadata(exif_bytes())), kind))
        at = seed % len(whole)
        whole[at : at + len(noise)] = noise
        noise = bytes(whole)
    picture = read_or_refuse(noise)
    assert picture is None or picture.pixels.ndim == 3


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_then_gone(kind, orientation):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :16] = 255  # the stored corner that comes first
    tagged = Metadata(
        exif_bytes(orientation), xmp=b'<a tiff:Orientation="%d"/>' % orientation, dpi=(72.0, 144.0)
    )
    picture = read(encode(stored, Picture(stored, metadata=tagged), kind))
    assert picture.pixels.shape == ((16, 32, 3) if orientation < 5 else (32, 16, 3))
    # EXIF 2.32: in which corner of the scene the first stored pixel lies
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    bright = {where for where in ((0, 0), (0, -1), (-1, 0), (-1, -1)) if picture.pixels[where].min() > 200}
    assert bright == {corner[orientation]}
    assert tags(picture.metadata.exif)[0].get(0x0112, 1) == 1
    assert picture.metadata.xmp == b'<a tiff:Orientation="1"/>'
    if kind not in ("WEBP", "AVIF"):
        expected = (72, 144) if orientation < 5 else (144, 72)
        assert picture.metadata.dpi == pytest.approx(expected, abs=0.02)
    again = read(encode(picture.pixels, picture, "PNG"))
    np.testing.assert_array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_keeps_its_subsampling_and_is_close(subsampling):
    smooth = np.add.outer(np.arange(64), np.arange(64))[..., None].repeat(3, 2).astype(np.uint8)
    stored = io.BytesIO()
    Image.fromarray(smooth).save(stored, "JPEG", quality=95, subsampling=subsampling)
    picture = read(stored.getvalue())
    assert np.abs(picture.pixels.astype(int) - smooth).max() <= 3
    assert read(encode(picture.pixels, picture, "JPEG")).metadata.jpeg_subsampling == subsampling


def test_sixteen_bits_round_to_the_nearest_of_eight():
    pixels = (
        np.array([0, 128, 129, 385, 386, 32768, 65406, 65407, 65535], np.uint16).reshape(3, 3, 1).repeat(3, 2)
    )
    back = read(encode(pixels, Picture(pixels), "WEBP"))
    np.testing.assert_array_equal(back.pixels, np.rint(pixels / 257).astype(np.uint8))


def test_alpha_is_brought_to_the_depth_of_the_pixels():
    alpha = np.array([[0, 7, 255]], np.uint8)
    back = read(encode(np.zeros((1, 3, 3), np.uint16), Picture(np.zeros((1, 3, 3), np.uint8), alpha), "PNG"))
    assert back.alpha is not None
    assert back.alpha.tolist() == [[0, 7 * 257, 65535]]


def test_a_grey_picture_is_written_grey_by_luma():
    pixels = np.array([[[200, 100, 50]]], np.uint8)
    back = read(encode(pixels, Picture(pixels, grey=True), "PNG"))
    assert back.grey
    assert back.pixels.tolist() == [[[124] * 3]]  # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2


def test_jpeg_takes_an_opaque_alpha_and_refuses_transparency():
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert read(encode(pixels, Picture(pixels, np.full((2, 2), 255, np.uint8)), "JPEG")).alpha is None
    with pytest.raises(FileError, match="PNG, WebP or TIFF"):
        encode(pixels, Picture(pixels, np.full((2, 2), 254, np.uint8)), "JPEG")


def foreign(kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (4, 4)).save(target, kind, **options)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "is empty"),
        (b"hello", "not a picture"),
        (b"8BPS", "Photoshop file.*convert it to JPEG, PNG, WebP, TIFF or AVIF"),
        (b"\0\0\0\x18ftypmp42", "video"),
        (b"\0\0\0\x18ftypheic", "truncated or damaged"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, data, named):
    path = tmp_path / "odd.jpg"
    path.write_bytes(data)
    with pytest.raises(FileError, match=f"odd.jpg: .*{named}"):
        read(path)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_header_is_believed_before_any_pixel_is_decoded(kind, monkeypatch):
    whole = encode(np.zeros((30, 40, 3), np.uint8), Picture(np.zeros((30, 40, 3), np.uint8)), kind)
    assert read(whole, max_pixels=1200).pixels.shape == (30, 40, 3)
    monkeypatch.setattr("cv2.imdecode", None)
    monkeypatch.setattr("tifffile.TiffFile", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    with pytest.raises(FileError, match="40 x 30 pixels, more than the limit of 1,199"):
        read(whole, max_pixels=1199)


def test_a_bomb_of_a_few_bytes_is_refused_at_once():
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0)
    with pytest.raises(FileError, match="more than the limit"):
        read(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + header + b"\0\0\0\0")


def test_paths_that_are_no_file(tmp_path):
    for path, named in ((tmp_path / "no.jpg", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(FileError, match=named) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_write_makes_the_file_of_the_suffix(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    for suffix, kind in recognition.WRITTEN_SUFFIXES.items():
        target = tmp_path / f"out{suffix.upper()}"
        write(target, pixels, Picture(pixels))
        assert read(target).format == kind == format_of(target)
        assert read(str(target)).name == str(target)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    np.testing.assert_array_equal(read(tmp_path / "out.PNG").pixels, pixels)


def test_write_replaces_only_when_told(tmp_path):
    target, pixels = tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8)
    target.write_bytes(b"mine")
    with pytest.raises(FileError, match=r"a\.png: exists already"):
        write(target, pixels, Picture(pixels))
    assert target.read_bytes() == b"mine"
    target.chmod(0o640)
    link = tmp_path / "link.png"
    link.symlink_to(target)
    write(link, pixels, Picture(pixels), overwrite=True)
    assert link.is_symlink()
    assert read(target).pixels.shape == (2, 2, 3)
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("failing", ["os.fsync", "os.replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    target, pixels = tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8)
    target.write_bytes(b"mine")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failing, full)
    with pytest.raises(FileError, match="No space left"):
        write(target, pixels, Picture(pixels), overwrite=True)
    assert os.listdir(tmp_path) == ["a.png"]
    assert target.read_bytes() == b"mine"


def test_a_failed_encoding_leaves_nothing(tmp_path):
    wide = np.zeros((1, 16_384, 3), np.uint8)
    with pytest.raises(FileError, match=r"a\.webp: .*at most 16383.*write JPEG, PNG or TIFF"):
        write(tmp_path / "a.webp", wide, Picture(wide))
    assert os.listdir(tmp_path) == []


def test_targets_that_cannot_be(tmp_path):
    pixels = np.zeros((2, 2, 3), np.uint8)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    for name, named in (
        ("file/a.png", "does not exist"),
        ("none/a.png", "does not exist; create it"),
        ("folder.png", "is a folder"),
        ("a.gif", r"suffix '\.gif'.*\.jpg"),
        ("a", "suffix ''"),
    ):
        with pytest.raises(FileError, match=named):
            write(tmp_path / name, pixels, Picture(pixels))


@pytest.mark.parametrize("name", ["n" * 300 + ".png", "zero\0byte.png"])
def test_names_that_no_file_can_have(tmp_path, name):
    pixels = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(FileError, match="cannot be written"):
        write(tmp_path / name, pixels, Picture(pixels))
    with pytest.raises(FileError, match="cannot be opened"):
        read(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_are_no_picture():
    good = np.zeros((2, 2, 3), np.uint8)
    for pixels in (good.astype(np.float32), good[..., 0], good[:0], good[..., :2]):
        with pytest.raises(InputError, match="pixels to write"):
            encode(pixels, Picture(good), "PNG")
    with pytest.raises(InputError, match="resize"):
        encode(good, Picture(good, np.zeros((3, 2), np.uint8)), "PNG")
    with pytest.raises(SettingsError, match="quality is 0"):
        encode(good, Picture(good), "JPEG", quality=0)
    for kind in ("BMP", "HEIC", "NONE"):
        with pytest.raises(FileError, match=f"'{kind}' is not a format that can be written"):
            encode(good, Picture(good), kind)


def test_find_photographs(tmp_path):
    for name in (
        "b.JPG",
        "a.png",
        "._a.png",
        "notes.txt",
        "sub/c.tiff",
        "sub/.hidden/d.webp",
        "dir.png/x.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert find_photographs(tmp_path) == [tmp_path / "a.png", tmp_path / "b.JPG"]
    assert find_photographs(tmp_path, recursive=True)[-1] == tmp_path / "sub" / "c.tiff"
    assert len(find_photographs(str(tmp_path), recursive=True)) == 3
    with pytest.raises(FileError, match="with recursive"):
        find_photographs(tmp_path / "dir.png")
    with pytest.raises(FileError, match="it is a file"):
        find_photographs(tmp_path / "a.png")
    with pytest.raises(FileError, match="no such folder"):
        find_photographs(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read with the resource module")
@pytest.mark.parametrize(("kind", "dtype"), [("JPEG", "uint8"), ("PNG", "uint16"), ("TIFF", "uint16")])
def test_memory_stays_within_a_few_times_the_picture(kind, dtype):
    program = f"""
import resource, sys
import numpy as np
from clairvoy.imaging.files import Picture, encode, read
unit = 1 if sys.platform == "darwin" else 1024
def peak(): return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = np.zeros((8, 8, 3), np.{dtype})
read(encode(small, Picture(small), "{kind}"))
before = peak()
pixels = np.zeros((4000, 3000, 3), np.{dtype})
pixels[:] = np.arange(3000, dtype=np.{dtype})[:, None]
back = read(encode(pixels, Picture(pixels), "{kind}"))
print((peak() - before) / pixels.nbytes)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # the picture that is written, the one that is read back, and what the codec needs in between
    assert float(done.stdout) < 4


def test_a_whole_file_of_an_unknown_kind_is_not_called_damaged():
    target = io.BytesIO()
    Image.new("RGB", (8, 8)).save(target, "BMP")
    data = bytearray(target.getvalue())
    data[30:34] = (5).to_bytes(4, "little")  # PNG inside a BMP
    with pytest.raises(FileError, match=r"of a kind that cannot be read .*magick") as caught:
        read(bytes(data))
    assert "damaged" not in str(caught.value)


def test_a_format_is_loaded_when_the_first_file_of_it_is_met(tmp_path):
    """A PNG is read and written without the code of a TIFF; what a broken one of them does is its own affair."""
    pixels = np.zeros((4, 5, 3), np.uint8)
    write(tmp_path / "a.png", pixels, Picture(pixels))
    program = (
        "import sys\nfrom clairvoy.imaging.files import read, write\n"
        f"picture = read({str(tmp_path / 'a.png')!r})\n"
        f"write({str(tmp_path / 'b.png')!r}, picture.pixels, picture)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('clairvoy.imaging.formats.')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "clairvoy.imaging.formats.png" in loaded.split()
    others = ("jpeg", "tiff", "webp", "avif", "heif", "jpeg2000", "jpeg_xl", "bitmaps")
    assert not {f"clairvoy.imaging.formats.{name}" for name in others} & set(loaded.split())


@pytest.mark.parametrize("row", [0, 37, 119])
def test_pictures_are_equal_or_differ_in_any_strip(row, monkeypatch):
    monkeypatch.setattr("clairvoy.imaging.picture.STRIP_PIXELS", 50 * 40)
    pixels = np.random.default_rng(0).integers(256, size=(120, 50, 3), dtype=np.uint8)
    other = pixels.copy()
    assert same_pixels(pixels, pixels)
    assert same_pixels(pixels, other)
    other[row, 49, 2] ^= 1
    assert not same_pixels(pixels, other)
    assert not same_pixels(pixels, pixels[:-1])
