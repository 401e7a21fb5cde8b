"""The compiled pass against torch: the same restoration, whatever the size and the type of the pixels."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clairvoy.restoring import dehazer as module
from clairvoy.restoring.dehazer import Dehazer

fused = pytest.importorskip(
    "clairvoy.restoring.full_resolution", reason="needs numba: pip install 'clairvoy[speed]'"
)
AIRLIGHT = torch.tensor([0.9, 0.85, 0.97]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def dehazer():
    return Dehazer.load("fast", "cpu")


def both(dehazer, function):
    """What `function` gives through torch, and through the compiled pass."""
    found = []
    for least in (10**9, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "FUSED_FROM", least)
            found.append(function())
    return found


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 150), st.integers(1, 150), st.integers(1, 9), st.integers(1, 9),
    st.sampled_from(["uint8", "uint16", "float32"]), st.floats(0, 1), st.integers(0, 99),
)  # fmt: skip
def test_it_restores_as_torch_does(dehazer, height, width, rows, columns, dtype, strength, seed):
    rng = np.random.default_rng(seed)
    peak = np.iinfo(dtype).max if dtype != "float32" else 1
    pixels = (rng.random((height, width, 3)) * peak).astype(dtype)
    grid = torch.rand(8, rows, columns, generator=torch.Generator().manual_seed(seed)) * 3.5
    by_torch, compiled = both(dehazer, lambda: dehazer._apply(pixels, grid, AIRLIGHT, strength))
    assert compiled.dtype == pixels.dtype
    gap = np.abs(compiled.astype(np.float64) - by_torch)
    # Float32 arithmetic in another order: up to 2e-5 of white, so whole levels may turn only next to a half.
    assert gap.max() <= {"uint8": 1, "uint16": 2, "float32": 3e-5}[dtype]
    if dtype == "uint8":
        assert (gap > 0).mean() <= 1e-3 + 3 / gap.size
    one, other = both(dehazer, lambda: dehazer._transmission(pixels, grid, AIRLIGHT))
    np.testing.assert_allclose(other, one, atol=2e-5)


def test_threads_and_callers_do_not_disturb_one_another(dehazer):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (300, 200, 3), dtype=np.uint8)
    grid = torch.rand(8, 5, 7, generator=torch.Generator().manual_seed(0))
    made = fused.Pass.of(dehazer.parts.generator, grid, AIRLIGHT, 1.0)
    expected = made.restore(pixels, 255.0, 1)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: made.restore(pixels, 255.0, 3), range(8)):
            np.testing.assert_array_equal(found, expected)


def test_strength_zero_and_one_pixel(dehazer):
    grid = torch.full((8, 1, 1), 2.0)
    pixel = np.array([[[7, 99, 255]]], np.uint8)
    none = fused.Pass.of(dehazer.parts.generator, grid, AIRLIGHT, 0.0)
    np.testing.assert_array_equal(none.restore(pixel, 255.0, 2), pixel)
    whole = fused.Pass.of(dehazer.parts.generator, grid, AIRLIGHT, 1.0)
    np.testing.assert_allclose(whole.transmission(pixel, 255.0, 1), np.exp(-2.0), rtol=2e-5)
    light = AIRLIGHT.numpy().reshape(3)
    expected = ((pixel / 255 - light) * np.exp(2.0) + light).clip(0, 1) * 255
    np.testing.assert_allclose(whole.restore(pixel, 255.0, 1), expected, atol=0.51)


def test_it_is_used_for_large_pictures_on_the_cpu_only(dehazer, monkeypatch):
    grid = torch.rand(8, 5, 7)
    pixels = np.zeros((20, 10, 3), np.uint8)
    assert dehazer._fused(pixels, grid, AIRLIGHT, 1.0) is None
    monkeypatch.setattr(module, "FUSED_FROM", 200)
    assert dehazer._fused(pixels, grid, AIRLIGHT, 1.0) is not None
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert dehazer._fused(pixels, grid, AIRLIGHT, 1.0) is None
