"""Depth: plausible where drawn, exact where read."""

import cv2
import numpy as np
import pytest

from clairvoy.errors import FileError
from clairvoy.imaging.synthesis.depth import DepthFiles, ProceduralDepth


@pytest.fixture
def rgb():
    coarse = np.random.default_rng(0).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(16, axis=0).repeat(16, axis=1))


@pytest.mark.parametrize("layout", range(4))
def test_every_layout_is_positive_finite_and_seeded(rgb, layout):
    weights = tuple(float(index == layout) for index in range(4))
    for seed in range(6):
        one, other = (ProceduralDepth(weights)(rgb, "x", np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one, other)
        assert one.shape == rgb.shape[:2]
        assert np.isfinite(one).all()
        assert one.min() > 0


def test_ground_is_nearer_at_the_bottom(rgb):
    plain = np.full_like(rgb, 128)
    depths = [ProceduralDepth((0, 1, 0, 0))(plain, "x", np.random.default_rng(seed)) for seed in range(20)]
    assert all(depth[-1].mean() < depth[0].mean() for depth in depths)


def test_files_are_read_as_stored(rgb, tmp_path):
    metres = np.linspace(1, 9, 80 * 96, dtype=np.float32).reshape(80, 96)
    np.save(tmp_path / "a.npy", metres)
    np.savez(tmp_path / "b.npz", depth=metres)
    cv2.imwrite(str(tmp_path / "c.png"), (metres * 1000).astype(np.uint16))
    source, rng = DepthFiles(tmp_path), np.random.default_rng(0)
    np.testing.assert_array_equal(source(rgb, "a", rng), metres)
    np.testing.assert_array_equal(source(rgb, "b", rng), metres)
    np.testing.assert_allclose(source(rgb, "c", rng), metres * 1000, atol=1)


def test_bad_files_are_named(rgb, tmp_path):
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    (tmp_path / "broken2.png").write_bytes(b"nothing")
    np.save(tmp_path / "negative.npy", -np.ones((4, 4)))
    source, rng = DepthFiles(tmp_path), np.random.default_rng(0)
    for name in ("broken", "broken2", "negative", "absent"):
        with pytest.raises(FileError, match=name):
            source(rgb, name, rng)
    with pytest.raises(FileError, match="not a folder"):
        DepthFiles(tmp_path / "nowhere")
