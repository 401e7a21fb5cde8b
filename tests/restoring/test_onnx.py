"""The exported file against PyTorch and against the dehazer, at sizes that it was not exported with."""

import cv2
import numpy as np
import pytest
import torch

from clairvoy.errors import FileError, SettingsError, WeightsError
from clairvoy.generative.density.vae import working_size
from clairvoy.restoring import onnx as onnx_export
from clairvoy.restoring.dehazer import Dehazer
from clairvoy.restoring.parts import Parts, load_weights, save_weights

pytest.importorskip("onnx", reason="needs the extra: pip install 'clairvoy[export]'")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of no training: the two ways to compute must agree whatever these are."""
    path = tmp_path_factory.mktemp("weights") / "some.safetensors"
    torch.manual_seed(0)
    save_weights(path, Parts.new())
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory, weights):
    path = tmp_path_factory.mktemp("onnx") / "some.onnx"
    assert onnx_export.export_onnx(path, weights) <= onnx_export.TOLERANCE
    return path


@pytest.fixture(scope="module")
def session(file):
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def photo(height, width):
    """Smooth colours under a veil, float32 in [0, 1]."""
    coarse = np.random.default_rng(height).random((6, 8, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    t = np.linspace(0.3, 0.9, height, dtype=np.float32)[:, None, None]
    return scene * t + 0.9 * (1 - t)


def run(session, picture, strength):
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
    return session.run(None, {"picture": planes, "strength": np.array([strength], np.float32)})


@pytest.mark.parametrize("size", [(16, 16), (48, 70), (256, 256), (300, 517), (720, 1000)])
def test_it_restores_as_the_dehazer_does(session, weights, size):
    picture = photo(*size)
    restored, od, airlight = run(session, picture, 0.8)
    result = Dehazer.load(weights, "cpu")(picture, strength=0.8, force=True)
    np.testing.assert_allclose(restored[0].transpose(1, 2, 0), result.image, atol=2e-3)
    np.testing.assert_allclose(np.exp(-od[0, 0]), result.transmission, atol=2e-3)
    np.testing.assert_allclose(airlight[0], result.airlight, atol=2e-3)


def test_strength_zero_is_the_identity(session):
    picture = photo(100, 90)
    np.testing.assert_allclose(run(session, picture, 0.0)[0][0].transpose(1, 2, 0), picture, atol=1e-6)


@pytest.mark.parametrize(("old", "new"), [(300, 64), (1000, 272), (65, 64)])
def test_shrinking_is_the_mean_over_areas(old, new):
    line = np.random.default_rng(0).random((old, 1)).astype(np.float32)
    matrix = onnx_export.resampling(torch.tensor(float(old)), torch.tensor(float(new)), torch.tensor(True))
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(new), atol=1e-4, rtol=0)
    expected = cv2.resize(line, (1, new), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(matrix.numpy() @ line, expected.reshape(new, 1), atol=1e-4)


def test_enlarging_is_linear():
    line = np.random.default_rng(0).random((20, 1)).astype(np.float32)
    matrix = onnx_export.resampling(torch.tensor(20.0), torch.tensor(64.0), torch.tensor(False))
    expected = cv2.resize(line, (1, 64), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(matrix.numpy() @ line, expected.reshape(64, 1), atol=1e-5)


def test_the_look_has_the_size_that_the_dehazer_uses(weights):
    module = onnx_export.ExportedRestorer(load_weights(weights).generator)
    seen = []
    module.generator.trunk.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[2:]))
    for height, width in ((16, 16), (100, 37), (480, 640), (90, 2000)):
        with torch.inference_mode():
            module(torch.rand(1, 3, height, width), torch.ones(1))
        assert tuple(seen[-1]) == working_size(height, width)


def test_the_file_says_what_it_is(session):
    about = session.get_modelmeta()
    assert about.producer_name == "clairvoy"
    assert about.custom_metadata_map["weights"] == "some"
    assert "strength" in about.description
    assert [value.name for value in session.get_inputs()] == ["picture", "strength"]
    assert session.get_inputs()[0].shape == [1, 3, "height", "width"]


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch, weights):
    monkeypatch.setattr(onnx_export, "_largest_gap", lambda *_: float("nan"))
    with pytest.raises(FileError, match="differs from PyTorch"):
        onnx_export.export_onnx(tmp_path / "a.onnx", weights)
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="nothing"):
        onnx_export.export_onnx(tmp_path / "a.onnx", "nothing")
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"clairvoy\[export\]"):
        onnx_export.export_onnx(tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []
