"""The pass at full resolution: the generator's own arithmetic, by either engine, whole or in parts."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.generative.density.vae import DensityVAE
from clairvoy.restoring import full_resolution
from clairvoy.restoring.full_resolution import Box, FullResolution, Guide, places

AIRLIGHT = torch.tensor([0.9, 0.85, 0.97]).view(1, 3, 1, 1)


def of(generator, grid):
    """The pass with a generator's guide, a grid (bins, h, w) and `AIRLIGHT`."""
    first, second = generator.guide_net[0], generator.guide_net[2]
    guide = Guide(
        first.weight[:, :, 0, 0].numpy(),
        first.bias.numpy(),
        second.weight[0, :, 0, 0].numpy(),
        float(second.bias),
    )
    return FullResolution(grid.numpy(), guide, AIRLIGHT.flatten().numpy())


@pytest.fixture(scope="module")
def generator():
    """With any weights: all ways must agree whatever these are."""
    torch.manual_seed(0)
    return DensityVAE().eval().requires_grad_(False)


def engines(monkeypatch):
    """Each engine in turn, by what it is called."""
    monkeypatch.setattr(full_resolution, "COMPILED_FROM", 10**9)
    yield "vectorised"
    if pytest.importorskip("numba", reason="needs the extra: pip install 'clairvoy[speed]'"):
        monkeypatch.setattr(full_resolution, "COMPILED_FROM", 0)
        yield "compiled"


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 150), st.integers(1, 150), st.integers(1, 9), st.integers(1, 9),
    st.sampled_from(["uint8", "uint16", "float32"]), st.floats(0, 1), st.integers(0, 99),
)  # fmt: skip
def test_it_computes_what_the_generator_does(generator, height, width, rows, columns, dtype, strength, seed):
    rng = np.random.default_rng(seed)
    peak = np.iinfo(dtype).max if dtype != "float32" else 1
    pixels = (rng.random((height, width, 3)) * peak).astype(dtype)
    grid = torch.rand(8, rows, columns, generator=torch.Generator().manual_seed(seed)) * 3.5
    picture = torch.from_numpy(pixels.astype(np.float32) / np.float32(peak)).permute(2, 0, 1)[None]
    _, od = generator.restore_along(picture, grid[None], AIRLIGHT)
    clear = (
        ((picture - AIRLIGHT) * torch.exp(strength * od) + AIRLIGHT).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    )
    whole = of(generator, grid)
    with pytest.MonkeyPatch.context() as patch:
        for _ in engines(patch):
            found = whole.restore(pixels, strength)
            assert found.dtype == pixels.dtype
            # Float32 arithmetic in another order: up to 3e-5 of white, so whole levels turn only next to a half.
            slack = {"uint8": 0.51, "uint16": 3, "float32": 4e-5}[dtype]
            np.testing.assert_allclose(found.astype(np.float64), clear * peak, atol=slack)
            np.testing.assert_allclose(whole.transmission(pixels), torch.exp(-od)[0, 0], atol=3e-5)


def test_parts_of_a_scene_are_what_they_are_in_the_whole(generator, monkeypatch):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (90, 70, 3), dtype=np.uint8)
    whole = of(generator, torch.rand(8, 5, 7) * 3)
    mask = rng.random((90, 70)).astype(np.float32)
    for _ in engines(monkeypatch):
        expected = whole.restore(pixels, 0.8, mask=mask)
        for top, left, bottom, right in ((0, 0, 33, 70), (20, 11, 90, 40), (89, 69, 90, 70)):
            at = slice(top, bottom), slice(left, right)
            part = whole.restore(
                np.ascontiguousarray(pixels[at]), 0.8, box=Box(top, left, 90, 70), mask=mask[at]
            )
            np.testing.assert_array_equal(part, expected[at])


def test_a_mask_of_nothing_changes_nothing(generator, monkeypatch):
    pixels = np.random.default_rng(2).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    whole = of(generator, torch.full((8, 2, 2), 3.0))
    for _ in engines(monkeypatch):
        np.testing.assert_array_equal(whole.restore(pixels, mask=np.zeros((20, 30), np.float32)), pixels)
        assert (whole.restore(pixels) != pixels).mean() > 0.5


def test_threads_and_callers_do_not_disturb_one_another(generator, monkeypatch):
    monkeypatch.setattr(full_resolution, "PIXELS_AT_A_TIME", 3000)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    whole = of(generator, torch.rand(8, 5, 7))
    for _ in engines(monkeypatch):
        expected = whole.restore(pixels)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(lambda _: whole.restore(pixels, threads=3), range(8)):
                np.testing.assert_array_equal(found, expected)


def test_one_pixel_in_closed_form(generator, monkeypatch):
    whole = of(generator, torch.full((8, 1, 1), 2.0))
    pixel = np.array([[[7, 99, 255]]], np.uint8)
    light = AIRLIGHT.numpy().reshape(3)
    for _ in engines(monkeypatch):
        np.testing.assert_array_equal(whole.restore(pixel, 0.0), pixel)
        np.testing.assert_allclose(whole.transmission(pixel), np.exp(-2.0), rtol=2e-5)
        expected = ((pixel / 255 - light) * np.exp(2.0) + light).clip(0, 1) * 255
        np.testing.assert_allclose(whole.restore(pixel), expected, atol=0.51)


def test_cells_cover_the_length_evenly():
    before, share = places(0, 8, 8, 4)  # cell centres at 1, 3, 5 and 7 of 8; pixels at 0.5, 1.5, ...
    np.testing.assert_array_equal(before, [0, 0, 0, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(share, [0, 0.25, 0.75, 0.25, 0.75, 0.25, 0.75, 1])


def test_the_compiled_pass_is_for_large_pictures_where_numba_is(monkeypatch):
    numba = pytest.importorskip("numba", reason="needs the extra: pip install 'clairvoy[speed]'")
    assert numba
    least = full_resolution.COMPILED_FROM
    assert full_resolution._engine(least - 1).__name__.endswith("vectorised")
    assert full_resolution._engine(least).__name__.endswith("compiled")
    monkeypatch.setattr(full_resolution, "find_spec", lambda name: None)
    assert full_resolution._engine(least).__name__.endswith("vectorised")


def test_a_ring_of_cells_has_no_ends():
    before, part = places(0, 12, 12, 4 + 2, start=5)
    # Cell k of the ring is at k + 1; cells are three pixels wide, and the first begins at pixel 5.
    expected = ((np.arange(12) - 5) % 12 + 0.5) / 3 - 0.5 + 1
    np.testing.assert_allclose(before + part, expected, atol=1e-6)
    assert before.min() == 0
    assert before.max() == 4
