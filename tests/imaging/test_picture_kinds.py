"""Every kind of picture goes in as RGB pixels and comes out as what it was."""

import io
import pathlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clairvoy.errors import InputError
from clairvoy.imaging.files import Picture, encode
from clairvoy.imaging.picture_kinds import is_batch, is_file, unpack

RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 200, (5, 7, 3), np.uint8)
PNG = encode(RGB, Picture(RGB), "PNG")


def darker(pixels: np.ndarray) -> np.ndarray:
    """Stands for a restoration: halves every value, in a new array."""
    return (pixels // 2) if pixels.dtype.kind == "u" else (pixels / 2).astype(pixels.dtype)


@st.composite
def arrays(draw):
    dtype = np.dtype(draw(st.sampled_from(["u1", "u2", ">u2", "<u2", "f2", "f4", ">f4", "f8", ">f8"])))
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)), *draw(st.sampled_from([(), (1,), (3,), (4,)])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.random(shape)
    array = (values * 255).astype(dtype) if dtype.kind == "u" else values.astype(dtype)
    wrap = draw(st.sampled_from(["plain", "fortran", "reversed", "readonly", "masked", "matrix"]))
    if wrap == "fortran":
        array = np.asfortranarray(array)
    elif wrap == "reversed":
        array = array[::-1, ::-1]
    elif wrap == "readonly":
        array.flags.writeable = False
    elif wrap == "masked":
        hidden = rng.random(shape) < 0.4
        hidden.flat[0] = False
        array = np.ma.MaskedArray(array, mask=hidden)
    elif wrap == "matrix" and array.ndim == 2:
        array = array.view(np.matrix)
    return array


@settings(max_examples=200, deadline=None)
@given(arrays())
def test_arrays_of_every_layout(array):
    before = np.ma.getdata(array).tobytes(), np.ma.getmaskarray(array).tobytes()
    pixels, rebuild, *_ = unpack(array)
    assert pixels.shape == (*array.shape[:2], 3)
    assert pixels.flags.c_contiguous
    assert pixels.dtype.isnative
    assert type(pixels) is np.ndarray
    for made, expected in ((pixels, np.asarray), (darker(pixels), lambda a: darker(np.asarray(a)))):
        out = rebuild(made)
        assert type(out) is type(array)
        assert out.dtype == array.dtype
        assert out.shape == array.shape
        assert not np.shares_memory(np.asarray(out), np.asarray(array))
        seen = ~np.ma.getmaskarray(array)
        if array.ndim == 3 and array.shape[2] == 4:
            np.testing.assert_array_equal(np.ma.getdata(out)[..., 3], np.ma.getdata(array)[..., 3])
            seen[..., 3] = False
        tolerance = 2e-3 if array.dtype.itemsize == 2 and array.dtype.kind == "f" else 1e-6
        wanted = expected(np.asarray(np.ma.getdata(array))).astype(float)
        np.testing.assert_allclose(
            np.asarray(np.ma.getdata(out)).astype(float)[seen], wanted[seen], atol=tolerance
        )
        np.testing.assert_array_equal(np.ma.getmaskarray(out), np.ma.getmaskarray(array))
    assert (np.ma.getdata(array).tobytes(), np.ma.getmaskarray(array).tobytes()) == before


def test_what_a_mask_hides_is_not_looked_at_and_stays():
    hidden = np.zeros((5, 7, 3), bool)
    hidden[2, 3] = True
    loud = np.where(hidden, 255, RGB).astype(np.uint8)
    pixels, rebuild, *_ = unpack(np.ma.MaskedArray(loud, mask=hidden))
    visible = RGB[~hidden[..., 0]]
    assert (pixels[2, 3] >= visible.min(0)).all()
    assert (pixels[2, 3] <= visible.max(0)).all()
    out = rebuild(darker(pixels))
    assert (out.data[2, 3] == 255).all()
    nan = np.ma.masked_invalid(np.where(hidden, np.nan, RGB / 255.0))
    assert np.isfinite(unpack(nan)[0]).all()
    with pytest.raises(InputError, match="shows nothing"):
        unpack(np.ma.masked_all((2, 2, 3), np.uint8))


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (3, 5, 7), (4, 5, 7), (1, 3, 5, 7), (1, 1, 5, 7)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "bfloat16", "float32", "float64"])
def test_tensors(shape, dtype):
    kind = getattr(torch, dtype)
    values = torch.from_numpy(RNG.random(shape))
    tensor = values.to(kind) if kind.is_floating_point else (values * 255).to(kind)
    with torch.inference_mode():  # as the dehazer calls it
        pixels, rebuild, *_ = unpack(tensor)
        same, out = rebuild(pixels), rebuild(darker(pixels))
    assert pixels.shape == (5, 7, 3)
    assert same.dtype == out.dtype == kind
    assert same.shape == out.shape == shape
    assert torch.equal(same, tensor)
    colours = slice(0, 3) if len(shape) == 3 else slice(None)
    expected = tensor.double() / 2 if kind.is_floating_point else tensor.int() // 2
    difference = (out.double() - expected.double()).abs()[colours].max()
    assert difference < {"float16": 1e-3, "bfloat16": 1e-2}.get(dtype, 1e-6)
    if shape[0] == 4:
        assert torch.equal(out[3], tensor[3])


def test_a_tensor_that_comes_out_can_be_trained_with():
    tensor = torch.rand(3, 5, 7, requires_grad=True)
    with torch.inference_mode():
        pixels, rebuild, *_ = unpack(tensor)
        outs = [rebuild(pixels), rebuild(darker(pixels))]
    for out in outs:
        assert not out.is_inference()
        out.mul_(1.0)
        out.requires_grad_().square().sum().backward()
        torch.testing.assert_close(out.grad, 2 * out.detach())


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pil_images_keep_mode_alpha_and_info(mode):
    image = Image.fromarray(RGB).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(RGB[..., 0]))
    image.info["dpi"] = (300, 300)
    pixels, rebuild, *_ = unpack(image)
    out = rebuild(darker(pixels))
    assert (out.mode, out.size, out.info) == (mode, (7, 5), {"dpi": (300, 300)})
    if mode.endswith("A"):
        np.testing.assert_array_equal(np.asarray(out.getchannel("A")), RGB[..., 0])
    np.testing.assert_array_equal(np.asarray(out.getchannel(0)), np.asarray(image.getchannel(0)) // 2)


@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_becomes_colours(transparent):
    image = Image.fromarray(RGB).quantize(8)
    if transparent:
        image.info["transparency"] = 0
    pixels, rebuild, *_ = unpack(image)
    np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
    out = rebuild(darker(pixels))
    assert out.mode == ("RGBA" if transparent else "RGB")
    assert "transparency" not in out.info


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_pil_images_of_more_than_eight_bits_stay_deep(mode):
    values = RNG.integers(0, 65536, (5, 7)).astype(np.uint16)
    if mode == "I;16B":
        image = Image.frombytes(mode, (7, 5), values.astype(">u2").tobytes())
    else:
        stored = {"I": values.astype(np.int32), "F": (values / 65535).astype(np.float32)}.get(mode, values)
        image = Image.fromarray(stored)
    assert image.mode == mode
    pixels, rebuild, *_ = unpack(image)
    assert pixels.dtype == (np.float32 if mode == "F" else np.uint16)
    out = rebuild(darker(pixels))
    assert out.mode == mode
    scale = 65535 if mode == "F" else 1
    np.testing.assert_allclose(
        np.asarray(out).astype(float) * scale, values // 2, atol=0.51 if mode == "F" else 0
    )


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (Image.new("1", (4, 4)), "mode 1; convert it to L"),
        (Image.new("CMYK", (4, 4)), "mode CMYK; convert it to RGB"),
        (Image.new("I", (4, 4), 70_000), "runs from 70000 to 70000; scale it to 0..65535"),
        (Image.new("F", (4, 4), 3.0), "scale it to"),
    ],
)
def test_pil_images_that_are_refused_get_advice_that_works(image, says):
    with pytest.raises(InputError, match=says):
        unpack(image)


def test_a_pil_image_whose_file_is_cut_off_is_an_error_of_its_own():
    with pytest.raises(InputError, match="cannot be loaded"):
        unpack(Image.open(io.BytesIO(PNG[:60] if len(PNG) > 90 else PNG[:50])))


class PathLike:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.mark.parametrize("kind", [str, pathlib.Path, PathLike])
def test_paths(kind, tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    pixels, rebuild, *_ = unpack(kind(tmp_path / "a.png"))
    np.testing.assert_array_equal(pixels, RGB)
    out = rebuild(darker(pixels))
    assert isinstance(out, Picture)
    assert out.name == str(tmp_path / "a.png")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_open_files(kind):
    assert is_file(kind(PNG))
    pixels, rebuild, *_ = unpack(kind(PNG))
    np.testing.assert_array_equal(pixels, RGB)
    assert isinstance(rebuild(pixels), Picture)


def test_open_files_have_a_name_and_must_be_open_for_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        assert unpack(file)[1](RGB).name == str(path)
    with pytest.raises(InputError, match="open as text; open it with mode 'rb'"):
        unpack(io.StringIO("text"))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ([[1, 2], [3, 4]], "list is not a picture"),
        (np.zeros((3, 4, 5), np.uint8), "give \\(H, W\\)"),
        (np.zeros((2, 5, 5, 3), np.uint8), "looks like a batch"),
        (np.zeros((4, 4), bool), "type bool"),
        (np.zeros((4, 4), complex), "type complex128"),
        (torch.zeros(2, 3, 4, 4), "is a batch"),
        (torch.zeros(5, 4, 3), "give \\(3, H, W\\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "int64"),
        (torch.full((3, 4, 4), float("nan")), "NaN"),
        (np.zeros((0, 4, 3), np.uint8), "is empty"),
    ],
)
def test_what_is_no_picture_is_told_what_is(bad, says):
    with pytest.raises(InputError, match=says):
        unpack(bad)


def test_batches():
    assert is_batch(torch.zeros(2, 3, 4, 4))
    assert is_batch(np.zeros((2, 4, 4, 3)))
    assert not is_batch(RGB)
    assert not is_batch(PNG)
