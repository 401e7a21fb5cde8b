"""A graph and its weights, put together byte by byte, are what the package onnx reads."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.restoring.model_bytes import _varint, with_description, with_weights


@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 5), (200, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8])
def test_weights_arrive_as_they_are(shape, dtype):
    array = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    graph = onnx.helper.make_graph([], "empty", [], [])
    model = with_weights(onnx.helper.make_model(graph).SerializeToString(), {"a.weight": array, "b": array.T})
    read = onnx.load_from_string(model)
    assert read.graph.name == "empty"
    assert [tensor.name for tensor in read.graph.initializer] == ["a.weight", "b"]
    for tensor, expected in zip(read.graph.initializer, (array, array.T), strict=True):
        found = onnx.numpy_helper.to_array(tensor)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)


def test_a_description_joins_the_model():
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])).SerializeToString()
    read = onnx.load_from_string(with_description(model, "What it ïs.", {"weights": "fast", "clairvoy": "1"}))
    assert read.doc_string == "What it ïs."
    assert {entry.key: entry.value for entry in read.metadata_props} == {"weights": "fast", "clairvoy": "1"}


@given(st.integers(0, 2**62))
def test_a_varint_holds_its_number(value):
    code = _varint(value)
    assert sum((byte & 127) << (7 * place) for place, byte in enumerate(code)) == value
    assert all(byte & 128 for byte in code[:-1])
    assert not code[-1] & 128
