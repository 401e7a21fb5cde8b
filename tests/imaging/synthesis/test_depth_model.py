"""Depth told by a network, with networks of one node that the tests make: what goes in, what comes out, what is refused."""

import sys

import cv2
import numpy as np
import pytest

from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.synthesis import depth_model
from clairvoy.imaging.synthesis.depth_model import OFFSET, DepthMixture, DepthModel

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
FLOAT, BYTE = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8


def write_network(path, nodes, takes=(1, 3, 8, 8), gives=(1, 1, 8, 8), kind=FLOAT, more=()):
    """An ONNX file of `nodes` from "picture" to "told"; `more` are further inputs."""
    inputs = [onnx.helper.make_tensor_value_info("picture", kind, takes)] if takes else []
    inputs += [onnx.helper.make_tensor_value_info(name, FLOAT, (1, 3, 8, 8)) for name in more]
    graph = onnx.helper.make_graph(
        nodes, "depth", inputs, [onnx.helper.make_tensor_value_info("told", FLOAT, gives)]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def mean_of_channels():
    """Brighter is nearer: the mean of the three channels, as 0 to 255."""
    return [onnx.helper.make_node("ReduceMean", ["picture"], ["told"], axes=[1], keepdims=1)]


@pytest.fixture
def model(tmp_path):
    return DepthModel(
        write_network(tmp_path / "depth.onnx", mean_of_channels(), (1, 3, 64, 64), (1, 1, 64, 64))
    )


@pytest.fixture
def photograph():
    """From dark at the left to bright at the right, 64 x 64: a network of the mean sees the right as near."""
    return np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)


class Middle:
    """In place of a random generator: the middle of each range, so that nothing is drawn."""

    def uniform(self, low, high):
        return (low + high) / 2


def test_depth_is_one_over_nearness_and_offset(model, photograph):
    """In closed form, in the middle of the picture, where the guided filter leaves a slope as it is."""
    depth = model(photograph, "a", Middle())
    assert depth.shape == (64, 64)
    assert depth.dtype == np.float32
    offset = float(np.sqrt(OFFSET[0] * OFFSET[1]))
    told = photograph[..., 0].astype(np.float64)
    low, high = np.quantile(told, (0.01, 0.995))
    nearness = ((told - low) / (high - low)).clip(0, 1)
    inside = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(depth[inside], (1 / (nearness + offset))[inside], rtol=0.03)
    assert depth[:, 0].mean() > 5 * depth[:, -1].mean()  # dark is far
    assert depth.max() <= 1 / offset + 1e-4
    assert depth.min() >= 1 / (1 + offset) - 1e-4


@pytest.mark.parametrize("gain", [1.0, 1e-4, 3e5])
def test_the_networks_unit_does_not_count(tmp_path, photograph, gain):
    factor = onnx.helper.make_node("Constant", [], ["gain"], value_float=gain)
    mean = onnx.helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[1], keepdims=1)
    times = onnx.helper.make_node("Mul", ["mean", "gain"], ["told"])
    shape = ((1, 3, 64, 64), (1, 1, 64, 64))
    plain = DepthModel(write_network(tmp_path / "plain.onnx", mean_of_channels(), *shape))
    scaled = DepthModel(write_network(tmp_path / "scaled.onnx", [factor, mean, times], *shape))
    one, other = (model(photograph, "a", np.random.default_rng(0)) for model in (plain, scaled))
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_the_network_gets_rgb_from_0_to_255_at_its_own_size(tmp_path, photograph):
    """A network that reads the first channel alone sees red, and the picture is scaled to the size that it takes."""
    start, end, axis = (onnx.helper.make_node("Constant", [], [name], value_ints=[value])
                        for name, value in (("start", 0), ("end", 1), ("axis", 1)))  # fmt: skip
    first = onnx.helper.make_node("Slice", ["picture", "start", "end", "axis"], ["told"])
    path = write_network(tmp_path / "red.onnx", [start, end, axis, first], (1, 3, 16, 32), (1, 1, 16, 32))
    model, asked = DepthModel(path), []
    run = model._session.run

    class Spy:
        def run(self, names, feed):
            asked.append(feed)
            return run(names, feed)

    model._session = Spy()
    rgb = np.stack([photograph[..., 0], np.full((64, 64), 7, np.uint8), np.zeros((64, 64), np.uint8)], axis=2)
    depth = model(rgb, "a", np.random.default_rng(0))
    (seen,) = (feed["picture"] for feed in asked)
    assert seen.dtype == np.float32
    expected = cv2.resize(rgb, (32, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(seen[0].transpose(1, 2, 0), expected)
    assert seen.max() > 200
    assert depth[:, 4].mean() > 2 * depth[:, -4].mean()


def test_a_network_of_any_size_gets_a_square(tmp_path, photograph):
    path = write_network(tmp_path / "any.onnx", mean_of_channels(), (1, 3, "h", "w"), (1, 1, "h", "w"))
    model = DepthModel(path)
    assert model._size == (depth_model.DEFAULT_SIDE, depth_model.DEFAULT_SIDE)
    assert model(photograph, "a", np.random.default_rng(0)).shape == (64, 64)


def test_offset_and_filter_are_drawn_anew_and_by_the_seed_alone(model, photograph):
    one, same = (model(photograph, "a", np.random.default_rng(3)) for _ in range(2))
    other = model(photograph, "a", np.random.default_rng(4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    farthest = [float(model(photograph, "a", np.random.default_rng(seed)).max()) for seed in range(40)]
    assert 1 / OFFSET[1] - 1e-3 <= min(farthest) < 4
    assert 15 < max(farthest) <= 1 / OFFSET[0] + 1e-3


def counted(model):
    """How often the network is asked, as a list that grows."""
    asked, ask = [], model._ask
    model._ask = lambda rgb: asked.append(1) or ask(rgb)
    return asked


def test_a_photograph_is_looked_at_once(model, photograph):
    asked = counted(model)
    for seed in range(3):
        model(photograph, "a", np.random.default_rng(seed))
    assert len(asked) == 1


def test_photographs_of_one_name_in_two_folders_keep_their_own_depth(model, photograph):
    mirrored = np.ascontiguousarray(photograph[:, ::-1])
    one, other = (model(rgb, "a", np.random.default_rng(0)) for rgb in (photograph, mirrored))
    np.testing.assert_allclose(one, other[:, ::-1], rtol=1e-3)
    np.testing.assert_array_equal(one, model(photograph, "a", np.random.default_rng(0)))


def test_no_more_photographs_are_kept_than_said(model, photograph, monkeypatch):
    monkeypatch.setattr(depth_model, "KEPT_IN_MEMORY", 2)
    asked = counted(model)
    for name in ("a", "b", "a", "c", "a", "b"):
        model(photograph, name, np.random.default_rng(0))
    # "b" was the one not used for the longest when "c" came.
    assert len(asked) == 4
    assert len(model._kept) == 2


def test_a_photograph_of_one_shade_has_even_depth(model):
    depth = model(np.full((20, 30, 3), 90, np.uint8), "even", np.random.default_rng(0))
    assert np.isfinite(depth).all()
    assert depth.min() > 0
    np.testing.assert_allclose(depth, depth[0, 0])


def grey(path):
    return write_network(path, mean_of_channels(), (1, 1, 8, 8))


def two_inputs(path):
    both = onnx.helper.make_node("Add", ["picture", "other"], ["sum"])
    mean = onnx.helper.make_node("ReduceMean", ["sum"], ["told"], axes=[1], keepdims=1)
    return write_network(path, [both, mean], more=["other"])


def no_input(path):
    value = onnx.helper.make_tensor("value", FLOAT, (1, 1, 8, 8), [0.5] * 64)
    return write_network(path, [onnx.helper.make_node("Constant", [], ["told"], value=value)], takes=None)


@pytest.mark.parametrize("make", [grey, two_inputs, no_input])
def test_a_network_that_takes_something_else_is_refused(tmp_path, make):
    path = make(tmp_path / "other.onnx")
    with pytest.raises(FileError, match=r"other.onnx: takes .*name a depth network, which takes one picture"):
        DepthModel(path)


def test_a_network_of_bytes_is_refused_by_name(tmp_path, photograph):
    cast = onnx.helper.make_node("Cast", ["picture"], ["float"], to=FLOAT)
    mean = onnx.helper.make_node("ReduceMean", ["float"], ["told"], axes=[1], keepdims=1)
    model = DepthModel(write_network(tmp_path / "bytes.onnx", [cast, mean], kind=BYTE))
    with pytest.raises(FileError, match=r"bytes.onnx: does not take a picture .*name a network that does"):
        model(photograph, "a", np.random.default_rng(0))


def test_an_answer_of_three_channels_or_not_finite_is_refused_by_name(tmp_path, photograph):
    whole = onnx.helper.make_node("Relu", ["picture"], ["told"])
    log = onnx.helper.make_node("Log", ["dark"], ["told"])
    dark = onnx.helper.make_node("ReduceMin", ["picture"], ["dark"], axes=[1], keepdims=1)
    for name, nodes, gives in (("three", [whole], (1, 3, 8, 8)), ("infinite", [dark, log], (1, 1, 8, 8))):
        model = DepthModel(write_network(tmp_path / f"{name}.onnx", nodes, gives=gives))
        black = photograph.copy()
        black[:, :32] = 0
        with pytest.raises(FileError, match=rf"{name}.onnx: gave an answer .*name a depth network"):
            model(black, "a", np.random.default_rng(0))


def test_what_is_no_network_is_refused_by_name(tmp_path):
    with pytest.raises(FileError, match=r"nowhere.onnx: no such file; name an ONNX file"):
        DepthModel(tmp_path / "nowhere.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(FileError, match=r"text.onnx: not an ONNX file that can be loaded .*get it again"):
        DepthModel(tmp_path / "text.onnx")


def test_without_onnx_runtime_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingsError, match=r"clairvoy\[train\]"):
        DepthModel(tmp_path / "any.onnx")


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_mixture_asks_the_other_source_for_its_share(share):
    def source(value):
        return lambda rgb, name, rng: np.full(rgb.shape[:2], value, np.float32)

    mixture = DepthMixture(source(1.0), source(2.0), share)
    rng, rgb = np.random.default_rng(0), np.zeros((2, 2, 3), np.uint8)
    told = [float(mixture(rgb, "a", rng)[0, 0]) for _ in range(1000)]
    assert np.mean(np.array(told) == 2.0) == pytest.approx(share, abs=0.04)


def test_the_network_beside_the_weights_takes_a_photograph(photograph):
    from clairvoy.apps.train.haze import DEPTH_MODEL

    depth = DepthModel(DEPTH_MODEL)(photograph, "a", np.random.default_rng(0))
    assert depth.shape == (64, 64)
    assert np.isfinite(depth).all()
    assert depth.min() > 0
