"""JPEG: all that is said before the picture survives; what is broken there harms no pixel; a lost end is told."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from clairvoy.errors import FileError
from clairvoy.imaging.files import Metadata, Picture, encode, read
from clairvoy.imaging.formats import jpeg_segments as segments
from clairvoy.imaging.formats.photoshop import block_of, iptc_of

PREVIEW = b"8BIM" + struct.pack(">HHI", 1036, 0, 4) + b"jpeg"
PHOTOSHOP = b"8BIM" + struct.pack(">H", 1005) + b"\3abc" + struct.pack(">I", 3) + b"dpi\0"
IPTC = b"\x1c\x02\x78\0\7caption"
DESCRIPTION = b'<rdf:Description rdf:about="" %s'
CAMERA = b'xmlns:Cam="http://ns.google.com/photos/1.0/camera/"'
CONTAINER = b'xmlns:C="http://ns.google.com/photos/1.0/container/"'
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r#">%s</rdf:RDF></x:xmpmeta>'


def smooth(size=(96, 128)):
    rows, cols = np.mgrid[: size[0], : size[1]]
    ramp = np.stack([rows * 2, cols, 255 - rows - cols // 2], axis=-1)
    return np.clip(ramp + np.random.default_rng(0).normal(0, 6, ramp.shape), 0, 255).astype(np.uint8)


def jpeg(pixels=None, *inserted, mode=None, **options):
    """A JPEG of Pillow with further segments behind its first bytes."""
    target = io.BytesIO()
    image = Image.fromarray(smooth() if pixels is None else pixels, mode) if mode is None else pixels
    image.save(target, "JPEG", **{"quality": 90, **options})
    data = target.getvalue()
    return data[:2] + b"".join(inserted) + data[2:]


def again(data, kind="JPEG"):
    picture = read(data)
    return read(encode(picture.pixels, picture, kind))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_iptc_photoshop_and_comments_survive(kind):
    block = PHOTOSHOP + PREVIEW + block_of(IPTC)
    data = jpeg(None, segments.segment(segments.APP13, segments.PHOTOSHOP + block), comment=b"a comment")
    found = again(data, kind).metadata
    assert found.photoshop == PHOTOSHOP + block_of(IPTC)  # without the preview, which shows the hazy picture
    assert iptc_of(found.photoshop) == IPTC
    if kind != "TIFF":
        assert found.comments == (b"a comment",) or kind == "PNG"
    if kind == "PNG":
        assert again(data, "PNG").metadata.png_chunks == ((b"iTXt", b"Comment\0\0\0\0\0a comment"),)
        picture = again(data, "PNG")
        assert read(encode(picture.pixels, picture, "JPEG")).metadata.comments == (b"a comment",)


def test_resources_too_large_for_one_segment():
    large = b"8BIM" + struct.pack(">HHI", 1050, 0, 100_000) + bytes(range(250)) * 400
    like = Picture(smooth(), metadata=Metadata(photoshop=large, icc=bytes(36) + b"acsp" + bytes(200_000)))
    found = read(encode(like.pixels, like, "JPEG")).metadata
    assert (found.photoshop, found.icc) == (like.metadata.photoshop, like.metadata.icc)


def test_exif_of_any_size_is_read_from_its_segments_and_written_back():
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8769)[0x927C] = bytes(range(256)) * 300
    block = exif.tobytes()[6:]
    parts = [block[place : place + 65_527] for place in range(0, len(block), 65_527)]
    assert len(parts) == 2
    data = jpeg(None, *(segments.segment(segments.APP1, segments.EXIF + part) for part in parts))
    assert read(data).metadata.exif == block
    assert again(data).metadata.exif == block
    second = exif.tobytes()[6:][:200]  # another block behind a small one is no part of it
    small = Image.Exif()
    small[0x010F] = "Small"
    twice = [segments.segment(segments.APP1, segments.EXIF + part) for part in (small.tobytes()[6:], second)]
    assert read(jpeg(None, *twice)).metadata.exif == small.tobytes()[6:]


def test_extended_xmp_becomes_part_of_the_packet_and_is_cut_again():
    name = b"0123456789ABCDEF" * 2
    note = b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/>' % name
    main = XMP % (DESCRIPTION % note)
    caption = b"<dc:description>%s</dc:description>" % (b"long " * 20_000)
    more = b'xmlns:dc="http://purl.org/dc/elements/1.1/">%s</rdf:Description>' % caption
    more = XMP % (DESCRIPTION % more)
    parts = [
        segments.EXTENDED_XMP + name + struct.pack(">II", len(more), place) + more[place : place + 60_000]
        for place in range(0, len(more), 60_000)
    ]
    pieces = [segments.segment(segments.APP1, part) for part in [segments.XMP + main, *reversed(parts)]]
    picture = read(jpeg(None, *pieces))
    assert caption in picture.metadata.xmp
    assert b"HasExtendedXMP" not in picture.metadata.xmp
    assert b'xmlns:dc="http://purl.org' in picture.metadata.xmp
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        back = read(encode(picture.pixels, picture, kind)).metadata.xmp
        assert back.count(caption) == 1
        assert b"HasExtendedXMP" not in back


def test_a_dangling_pointer_to_extended_xmp_goes():
    note = (
        b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/"><xmpNote:HasExtendedXMP>00</xmpNote:HasExtendedXMP>'
    )
    main = XMP % (DESCRIPTION % note + b"</rdf:Description>")
    found = again(jpeg(None, segments.segment(segments.APP1, segments.XMP + main))).metadata.xmp
    assert b"HasExtended" not in found
    assert found.startswith(b"<x:xmpmeta")


@pytest.mark.parametrize(
    "claim",
    [
        CAMERA + b' Cam:MotionPhoto="1" Cam:MotionPhotoVersion="1" dc:x="keep">',
        CAMERA.replace(b'"', b"'") + b" Cam:MicroVideo='1' Cam:MicroVideoOffset='99' dc:x=\"keep\">",
        CONTAINER + b' dc:x="keep"><C:Directory><rdf:Seq><rdf:li><C:Item/></rdf:li></rdf:Seq></C:Directory>',
        b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" dc:x="keep">',
        CAMERA + b' dc:x="keep"><Cam:MotionPhoto>1</Cam:MotionPhoto>',
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_what_lies_behind_the_picture_is_announced_no_more(claim, kind):
    if kind == "JPEG":
        data = (
            jpeg(
                None,
                segments.segment(
                    segments.APP1, segments.XMP + XMP % (DESCRIPTION % claim + b"</rdf:Description>")
                ),
            )
            + b"film" * 50
        )
    else:
        data = encode(
            smooth(),
            Picture(smooth(), metadata=Metadata(xmp=XMP % (DESCRIPTION % claim + b"</rdf:Description>"))),
            "WEBP",
        )
    picture = read(data)
    assert sum("left out" in note for note in picture.notes) == 1
    written = read(encode(picture.pixels, picture, kind))
    for word in (b"MotionPhoto", b"MicroVideo", b"Directory", b"hdrgm:Version"):
        assert word not in written.metadata.xmp
    assert b'dc:x="keep"' in written.metadata.xmp
    assert written.notes == ()


def test_a_bad_tag_takes_neither_the_orientation_nor_the_other_tags():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0131] = 6, "Camera maker", "Some program"
    good = exif.tobytes()[6:]
    at = good.index(struct.pack("<HH", 0x0131, 2) if good[:2] == b"II" else struct.pack(">HH", 0x0131, 2))
    bad = good[: at + 4] + b"\x7f\xff\xff\xff" + good[at + 8 :]
    picture = read(jpeg(None, segments.segment(segments.APP1, segments.EXIF + bad)))
    assert picture.pixels.shape == (128, 96, 3)
    assert "damaged metadata" in picture.notes[0]
    back = Image.open(io.BytesIO(encode(picture.pixels, picture, "JPEG"))).getexif()
    assert dict(back) == {0x0112: 1, 0x010F: "Camera maker"}


def test_an_exif_header_that_is_none_is_not_written_back():
    data = jpeg(None, segments.segment(segments.APP1, segments.EXIF + b"\xff" * 20))
    picture = read(data)
    assert picture.metadata.exif is None
    assert picture.notes


@pytest.mark.parametrize("dots", [508_000.0, 1e12, 0.001, 72.0])
@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "WEBP", "AVIF"])
def test_any_resolution_is_written_true_or_not_at_all(dots, kind):
    like = Picture(smooth(), metadata=Metadata(dpi=(dots, dots)))
    found = read(encode(like.pixels, like, kind)).metadata.dpi
    assert found is None or found[0] == pytest.approx(dots, rel=0.02)
    assert found is not None or dots != 72 or kind in ("WEBP", "AVIF")


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}], ids=str
)
def test_a_jpeg_without_its_end_is_read_and_its_lost_rows_are_no_data(options):
    data = jpeg(smooth((240, 128)), **options)
    whole = read(data)
    without_mark = read(data[:-2])
    np.testing.assert_array_equal(without_mark.pixels, whole.pixels)
    assert without_mark.notes == ("lacks its end",)
    assert without_mark.no_data is None
    for lost in (10, 60, len(data) // 40):
        cut = read(data[:-lost])
        rows = cut.no_data[:, 0]
        assert 0 < rows.sum() <= 36
        np.testing.assert_array_equal(cut.pixels[~rows], whole.pixels[~rows])
        assert f"last {rows.sum()}" in cut.notes[0]
    for part in (0.2, 0.5, 0.8):
        with pytest.raises(FileError, match="truncated or damaged"):
            read(data[: int(part * len(data))])
    zeroed = data[: len(data) // 2] + bytes(len(data) // 2)
    with pytest.raises(FileError, match="truncated or damaged"):
        read(zeroed)


def cmyk(icc=None):
    rng = np.random.default_rng(0)
    flat = np.kron(rng.integers(0, 255, (6, 8, 4)), np.ones((16, 16, 1))).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(flat, "CMYK").save(target, "JPEG", quality=100, **({"icc_profile": icc} if icc else {}))
    return target.getvalue(), flat


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_cmyk_without_a_profile_that_fits_is_read_and_said():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (None, srgb, b"nonsense"):
        data, flat = cmyk(icc)
        picture = read(data)
        assert "approximate" in picture.notes[0]
        share = 1 - flat / 255
        assert np.abs(picture.pixels - share[..., :3] * share[..., 3:] * 255).mean() < 2
        assert picture.metadata.icc[16:20] == b"RGB "


def test_jpegs_of_other_kinds_are_named_and_a_remedy_given():
    data = jpeg()
    frame = data.index(b"\xff\xc0")
    twelve = data[: frame + 1] + b"\xc1" + data[frame + 2 : frame + 4] + b"\x0c" + data[frame + 5 :]
    lossless_ls = data[: frame + 1] + b"\xf7" + data[frame + 2 :]
    hierarchical = data[: frame + 1] + b"\xc5" + data[frame + 2 :]
    for changed, name in ((twelve, "12 bits"), (lossless_ls, "JPEG-LS"), (hierarchical, "hierarchical")):
        with pytest.raises(FileError, match=name) as caught:
            read(changed)
        assert "damaged" not in str(caught.value)
        assert "such as by" in str(caught.value)


def test_a_profile_that_is_none_is_left_out_and_a_packet_made_to_be_slow_is_not():
    packet = XMP % (DESCRIPTION % (CONTAINER + b">") + b"<C:Directory>" * 60_000)
    like = Picture(smooth(), metadata=Metadata(icc=b"no profile at all" * 9, xmp=packet))
    picture = read(encode(like.pixels, like, "PNG"))
    assert picture.metadata.icc is None
    assert "damaged metadata" in picture.notes[0]
    assert picture.metadata.xmp == packet
