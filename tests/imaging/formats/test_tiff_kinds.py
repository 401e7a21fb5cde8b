"""Kinds of TIFF: what a file means does not depend on its compression, byte order, or cut; nothing of it is lost."""

import io
import itertools

import numpy as np
import pytest
import tifffile
from made_tiff import BYTE_COMPRESSIONS, entry, made, tags_of
from PIL import Image, ImageCms

from clairvoy.errors import FileError
from clairvoy.imaging.files import Picture, encode, read
from clairvoy.imaging.formats.inks_and_lab import lab_to_srgb

GREY, RGB, WHITE_IS_ZERO, PALETTE, CMYK, LAB = 1, 2, 0, 3, 5, 8
BASIC = ((1, WHITE_IS_ZERO, None), (1, GREY, None), (2, GREY, (2,)), (3, RGB, None), (4, RGB, (2,)))
CUTS = [{}, {"tile": 16}, {"planar": True}, {"tile": 32, "planar": True, "order": ">"}, {"order": ">"}]


def random_samples(channels, dtype=np.uint8, size=(21, 34), seed=0):
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, (*size, channels)).astype(dtype)


def written(picture: Picture, pixels=None) -> tifffile.TiffPage:
    data = encode(picture.pixels if pixels is None else pixels, picture, "TIFF")
    return tifffile.TiffFile(io.BytesIO(data)).pages.first


@pytest.mark.parametrize("compression", BYTE_COMPRESSIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_every_compression_means_the_same(compression, dtype, cut):
    for channels, photometric, extra in BASIC:
        samples = random_samples(channels, dtype)
        for predictor in (False, True) if compression != "none" else (False,):
            data = made(samples, photometric, compression, extra=extra, predictor=predictor, **cut)
            picture = read(data)
            expected = np.iinfo(dtype).max - samples if photometric == WHITE_IS_ZERO else samples
            colours = expected[..., : channels - (extra is not None)]
            assert picture.pixels.dtype == dtype
            np.testing.assert_array_equal(picture.pixels, np.broadcast_to(colours, picture.pixels.shape))
            assert picture.grey == (channels < 3)
            if extra:
                np.testing.assert_array_equal(picture.alpha, samples[..., -1])


@pytest.mark.parametrize("compression", BYTE_COMPRESSIONS)
def test_bits_in_reversed_order(compression):
    samples = random_samples(3)
    data = made(samples, RGB, compression, fill_order=2)
    np.testing.assert_array_equal(read(data).pixels, samples)


@pytest.mark.parametrize("compression", BYTE_COMPRESSIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.float32])
@pytest.mark.parametrize("extra", [(0,), (0, 0), (0, 2), (2, 0), (0, 2, 0), None], ids=str)
@pytest.mark.parametrize("orientation", [1, 6])
def test_bands_beyond_the_colours_are_kept_and_are_no_alpha(compression, dtype, extra, orientation):
    channels = 3 + (len(extra) if extra else 2)
    samples = random_samples(channels, np.uint8 if np.dtype(dtype).kind == "f" else dtype).astype(dtype)
    data = made(samples, RGB, compression, extra=extra, tags={274: ("H", orientation)})
    picture = read(data)
    assert (picture.alpha is not None) == (2 in (extra or ()))
    page = written(picture)
    upright = np.rot90(samples, -1) if orientation == 6 else samples
    np.testing.assert_array_equal(page.asarray(), upright)
    assert page.dtype == samples.dtype
    assert page.photometric == RGB
    assert tuple(page.extrasamples) == (extra or (0, 0))


def test_a_restored_picture_changes_its_colours_only():
    samples = random_samples(5)
    picture = read(made(samples, RGB, "lzw", extra=(0, 2)))
    page = written(picture, 255 - picture.pixels).asarray()
    np.testing.assert_array_equal(page[..., :3], 255 - samples[..., :3])
    np.testing.assert_array_equal(page[..., 3:], samples[..., 3:])


def test_bands_without_colours_are_taken_as_such_and_said():
    samples = random_samples(4)
    picture = read(made(samples, GREY, extra=(0, 0, 0)))
    np.testing.assert_array_equal(picture.pixels, samples[..., :3])
    assert "first three" in picture.notes[0]
    near_infrared = read(made(samples[..., :2], GREY, extra=(0,)))
    assert near_infrared.grey
    assert near_infrared.alpha is None
    np.testing.assert_array_equal(written(near_infrared).asarray(), samples[..., :2])


@pytest.mark.parametrize(
    ("dtype", "high"), [(np.float32, 1), (np.float16, 1), (np.float64, 3.7), (np.float32, 240.0)]
)
@pytest.mark.parametrize("photometric", [GREY, WHITE_IS_ZERO, RGB])
def test_floats_keep_their_range_and_the_scale_is_told(dtype, high, photometric):
    rng = np.random.default_rng(0)
    samples = (rng.random((21, 34, 3 if photometric == RGB else 1)) * high).astype(dtype)
    white = {1: 1.0, 240.0: 255.0}.get(high, float(samples.max()))
    picture = read(made(samples, photometric))
    share = samples.astype(float) / white
    expected = np.rint((1 - share if photometric == WHITE_IS_ZERO else share) * 65535)
    assert np.abs(picture.pixels.astype(float) - expected).max() <= 1
    assert f"0 to {white:.6g}" in picture.notes[0]
    page = written(picture)
    np.testing.assert_array_equal(page.asarray().reshape(samples.shape), samples)  # untouched: to the bit
    assert page.dtype == dtype
    halved = written(picture, picture.pixels // 2).asarray().reshape(samples.shape).astype(float)
    middle = (samples.astype(float) + (white if photometric == WHITE_IS_ZERO else 0)) / 2
    assert np.abs(halved - middle).max() < white * 1e-3


def test_integers_of_32_bits_and_signed_ones_keep_what_16_bits_cannot_hold():
    for dtype, low in ((np.uint32, 0), (np.int16, -500)):
        samples = np.random.default_rng(0).integers(low, 9000, (21, 34, 3)).astype(dtype)
        picture = read(made(samples, RGB, "zstd", order=">"))
        expected = (samples - min(0.0, samples.min())) / (samples.max() - min(0.0, samples.min())) * 65535
        np.testing.assert_array_equal(picture.pixels, np.rint(expected))
        np.testing.assert_array_equal(written(picture).asarray(), samples)
        changed = picture.pixels.copy()
        changed[:5] = 0
        page = written(picture, changed).asarray()
        np.testing.assert_array_equal(page[5:], samples[5:])
        assert (page[:5] == samples.min() * (low < 0)).all()


def test_a_named_white_is_believed():
    samples = random_samples(1, np.uint16) % 4096
    picture = read(made(samples, GREY, tags={341: ("H", 4095)}))
    np.testing.assert_array_equal(picture.pixels[..., :1], np.rint(samples / 4095 * 65535))
    np.testing.assert_array_equal(written(picture).asarray(), samples[..., 0])


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
@pytest.mark.parametrize("compression", ["none", "lzw", "deflate"])
def test_odd_depths_are_stretched(bits, compression):
    for channels, photometric in ((3, RGB), (1, WHITE_IS_ZERO)):
        samples = random_samples(channels, np.uint16) % 2**bits
        picture = read(made(samples, photometric, compression, bits=bits))
        peak = 255 if bits <= 8 else 65535
        expected = np.floor(samples / (2**bits - 1) * peak + 0.5)
        expected = peak - expected if photometric == WHITE_IS_ZERO else expected
        np.testing.assert_array_equal(picture.pixels, np.broadcast_to(expected, picture.pixels.shape))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_means_what_it_shows(compression):
    image = Image.fromarray((random_samples(1)[..., 0] > 99).astype(np.uint8) * 255).convert("1")
    target = io.BytesIO()
    image.save(target, "TIFF", compression=compression)
    np.testing.assert_array_equal(read(target.getvalue()).pixels[..., 0], np.asarray(image.convert("L")))


def test_jpeg_inside_is_read_with_and_without_its_colour_space():
    smooth = np.linspace(0, 255, 96 * 64, dtype=np.uint8).reshape(64, 96)
    colours = np.stack([smooth, smooth.T.reshape(64, 96), 255 - smooth], axis=-1)
    for mode in ("RGB", "L"):
        target = io.BytesIO()
        image = Image.fromarray(colours if mode == "RGB" else smooth)
        image.save(target, "TIFF", compression="jpeg", quality=98)
        picture = read(target.getvalue())
        assert np.abs(picture.pixels.astype(int) - np.asarray(image.convert("RGB"))).mean() < 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("compression", ["none", "lzw", "zstd"])
def test_premultiplied_colours_become_straight(dtype, compression):
    peak = 1 if dtype == np.float32 else np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    straight, alpha = rng.random((21, 34, 3)), rng.random((21, 34, 1)) * 0.5 + 0.5
    alpha[:3] = 0
    stored = np.concatenate([straight * alpha, alpha], axis=2) * peak
    samples = stored.astype(dtype) if dtype == np.float32 else np.rint(stored).astype(dtype)
    picture = read(made(samples, RGB, compression, extra=(1,)))
    found = picture.pixels / np.iinfo(picture.pixels.dtype).max
    assert np.abs(found[3:] - straight[3:]).max() < (0.01 if dtype == np.uint8 else 1e-4)
    assert (picture.alpha[:3] == 0).all()
    page = written(picture)
    assert tuple(page.extrasamples) == (2,)
    np.testing.assert_array_equal(page.asarray()[..., 3], samples[..., 3])


def test_palettes_of_any_compression_become_rgb():
    table = random_samples(3, np.uint16, (1, 16)) // 257 * 257
    indices = random_samples(1) % 16
    for compression, bits in itertools.product(BYTE_COMPRESSIONS, (4, 8)):
        full = np.zeros((3, 2**bits), np.uint16)
        full[:, :16] = table[0].T
        data = made(indices, PALETTE, compression, bits=bits, tags={320: ("H", *full.ravel())})
        np.testing.assert_array_equal(read(data).pixels, (table[0] // 257)[indices[..., 0]])


def test_cmyk_without_a_profile_is_approximate_and_said():
    for dtype in (np.uint8, np.uint16):
        samples = random_samples(4, dtype)
        picture = read(made(samples, CMYK, "lzw"))
        peak = np.iinfo(dtype).max
        share = 1 - samples / peak
        assert np.abs(picture.pixels - share[..., :3] * share[..., 3:] * peak).max() <= 0.5 + 1e-6
        assert "without a colour profile" in picture.notes[0]
        assert written(picture).photometric == RGB


def test_lab_agrees_with_littlecms():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (21, 34, 3)).astype(np.uint8)
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(pixels), srgb, lab, outputMode="LAB")
    samples = np.asarray(image)  # Pillow's own Lab has a and b as TIFF has them
    target = io.BytesIO()
    image.save(target, "TIFF")
    assert tags_of(target.getvalue())[262].value[0] == LAB
    assert np.abs(read(target.getvalue()).pixels.astype(int) - pixels).mean() < 1.5
    deep = samples.astype(np.uint16) << 8
    deep[..., 0] = samples[..., 0] * np.uint16(257)
    eight, sixteen = lab_to_srgb(samples, offset=False), lab_to_srgb(deep, offset=False)
    assert np.abs(eight.astype(float) - sixteen / 257).max() <= 0.51
    as_icc = samples ^ np.array([0, 128, 128], np.uint8)
    np.testing.assert_array_equal(lab_to_srgb(as_icc, offset=True), eight)


def test_of_several_pages_the_first_is_taken_and_said():
    target = io.BytesIO()
    samples = random_samples(3)
    with tifffile.TiffWriter(target) as writer:
        for page in (samples, 255 - samples, samples // 2):
            writer.write(page, photometric="rgb")
    picture = read(target.getvalue())
    np.testing.assert_array_equal(picture.pixels, samples)
    assert picture.notes == ("has 3 pages; the first was taken, and only it is written",)


def test_a_preview_in_front_is_no_picture():
    target = io.BytesIO()
    samples = random_samples(3)
    with tifffile.TiffWriter(target) as writer:
        writer.write(samples[::2, ::2], photometric="rgb", subfiletype=1)
        writer.write(samples, photometric="rgb")
    picture = read(target.getvalue())
    np.testing.assert_array_equal(picture.pixels, samples)
    assert picture.notes == ()


def test_a_mask_becomes_alpha():
    target = io.BytesIO()
    samples, seen = random_samples(3), random_samples(1)[..., 0] > 99
    with tifffile.TiffWriter(target) as writer:
        writer.write(samples, photometric="rgb")
        writer.write(seen, photometric="mask", subfiletype=4)
    picture = read(target.getvalue())
    np.testing.assert_array_equal(picture.alpha, np.where(seen, 255, 0))


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (made(random_samples(3), RGB, tags={259: ("H", 50002)}), "JPEG XL.*gdal_translate"),
        (made(random_samples(3), RGB, tags={259: ("H", 34887)}), "LERC.*gdal_translate"),
        (made(random_samples(3), RGB, tags={259: ("H", 1234)}), "number 1234"),
        (made(random_samples(4), CMYK, tags={332: ("H", 2)}), "inks other than"),
        (made(random_samples(3), RGB, tags={339: ("H", 6, 6, 6)}), "complex"),
        (made(random_samples(3), RGB, tags={258: ("H", 5, 6, 5)}), "different depths"),
    ],
)
def test_whole_files_that_cannot_be_read_are_not_called_damaged(data, named):
    with pytest.raises(FileError, match=named) as caught:
        read(data)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("missing", [(0,), (2, 3)])
@pytest.mark.parametrize("cut", [{"tile": 16}, {"rows": 7}])
def test_parts_that_were_never_written_are_no_data(missing, cut):
    samples = random_samples(3) // 2 + 1
    data = made(samples, RGB, "deflate", missing=missing, tags={42113: ("s", b"255\0")}, **cut)
    picture = read(data)
    empty = picture.no_data
    assert empty.any()
    assert (picture.pixels[empty] == 255).all()
    np.testing.assert_array_equal(picture.pixels[~empty], samples[~empty])


def test_no_data_is_what_the_tag_says_in_all_colours():
    samples = random_samples(3)
    samples[2, 3], samples[4, 5] = 7, (7, 7, 8)
    picture = read(made(samples, RGB, tags={42113: ("s", b"7\0")}))
    expected = (samples == 7).all(axis=2)
    np.testing.assert_array_equal(picture.no_data, expected)
    assert tags_of(encode(picture.pixels, picture, "TIFF"))[42113].value == b"7\0"
    for text in (b"nan\0", b"-9999\0", b"7.5\0", b"none\0"):
        assert read(made(samples, RGB, tags={42113: ("s", text)})).no_data is None


def test_no_data_follows_what_becomes_of_the_samples():
    samples = random_samples(1, np.uint16, seed=1) % 4096
    for photometric, level in ((GREY, 65535), (WHITE_IS_ZERO, 0)):
        picture = read(made(samples, photometric, bits=12, tags={42113: ("s", b"4095\0")}))
        assert picture.no_data is None or picture.no_data.sum() == (samples == 4095).sum()
        assert tags_of(encode(picture.pixels, picture, "TIFF"))[42113].value == b"%d\0" % level


def test_floats_that_are_no_numbers_are_no_data_and_stay():
    samples = np.random.default_rng(0).random((21, 34, 3)).astype(np.float32)
    samples[0, 0], samples[1, 1, 2], samples[2, 2] = np.nan, np.inf, -9999
    picture = read(made(samples, RGB, tags={42113: ("s", b"-9999\0")}))
    assert picture.no_data.sum() == 3
    assert "0 to 1" in picture.notes[0]
    np.testing.assert_array_equal(written(picture).asarray(), samples)


GEOREFERENCE = {
    33550: ("d", 0.5, 0.5, 0.0), 33922: ("d", 0.0, 0.0, 0.0, 500000.0, 4500000.0, 0.0),
    34264: ("d", *np.eye(4).ravel()), 34735: ("H", 1, 1, 0, 1, 3072, 0, 1, 32633), 34736: ("d", 6378137.0),
    34737: ("s", b"WGS 84|\0"), 42112: ("s", b"<GDALMetadata/>\0"), 42113: ("s", b"0\0"), 50844: ("d", *range(92)),
    60001: ("I", 1, 2, 3), 269: ("s", b"Document\0"), 316: ("s", b"Host\0"), 40091: ("B", *b"T\0\0\0"),
    18246: ("H", 5), 33723: ("B", *b"\x1c\x02\x78\0\1a"),
}  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_tags_that_carry_meaning_survive(order, orientation, dtype):
    samples = random_samples(3).astype(dtype)
    data = made(samples, RGB, "lzw", order=order, tags=GEOREFERENCE | {274: ("H", orientation)})
    picture = read(data)
    tags = tags_of(encode(picture.pixels, picture, "TIFF"))
    for tag, value in GEOREFERENCE.items():
        assert (tags[tag].count, tags[tag].value) == (entry(order, *value).count, entry(order, *value).value)
    assert picture.pixels.shape == samples.shape  # a map's grid is not turned


def test_one_bad_tag_takes_nothing_else_with_it():
    samples = random_samples(3)
    good = made(
        samples,
        RGB,
        tags={271: ("s", b"Maker\0"), 34665: ("I", 2**31), 34853: ("I", 3), 700: ("B", *b"<xmp/>")},
    )
    for tag in (270, 305, 34675):
        data = made(samples, RGB, tags={tag: ("s", b"some longer text\0"), 271: ("s", b"Maker\0")})
        place = tags_of(data)[tag].position
        at = data.index(place.to_bytes(4, "little"), 8)
        impossible = data[: at - 4] + (2**31).to_bytes(4, "little") + data[at:]
        dangling = data[:at] + (2**31).to_bytes(4, "little") + data[at + 4 :]
        for damaged in (good, impossible, dangling):
            picture = read(damaged)
            np.testing.assert_array_equal(picture.pixels, samples)
            assert tags_of(encode(picture.pixels, picture, "TIFF"))[271].value == b"Maker\0"
