"""A graph and its weights put together to one ONNX model, without the package onnx.

A file of weights holds each tensor once, and graphs that name them. An ONNX model is a protocol buffer, and two of those
one behind the other are read as one in which lists are joined (protobuf's rule of merging). So the weights of a graph are
written as a second message that holds nothing but `graph.initializer`.

Fields by onnx.proto of ONNX: ModelProto.doc_string 6, graph 7, metadata_props 14; GraphProto.initializer 5;
TensorProto.dims 1, data_type 2, name 8, raw_data 9; StringStringEntryProto.key 1, value 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_TYPES = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int64): 7, np.dtype(np.float16): 10}
"""TensorProto.DataType of each kind of array."""


def with_weights(graph: bytes, weights: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """One ONNX model, as bytes, of a graph and the arrays that it names and does not hold."""
    initializers = b"".join(_field(5, _tensor(name, array)) for name, array in weights.items())
    return graph + _field(7, initializers)


def with_description(model: bytes, text: str, properties: Mapping[str, str]) -> bytes:
    """The same model with a text that says what it is, and properties that programs can ask for."""
    entries = (
        _field(14, _field(1, key.encode()) + _field(2, value.encode())) for key, value in properties.items()
    )
    return model + _field(6, text.encode()) + b"".join(entries)


def _tensor(name: str, array: npt.NDArray[Any]) -> bytes:
    dims = b"".join(_key(1, 0) + _varint(length) for length in array.shape)
    kind = _key(2, 0) + _varint(_TYPES[array.dtype])
    return dims + kind + _field(8, name.encode()) + _field(9, np.ascontiguousarray(array).tobytes())


def _field(number: int, content: bytes) -> bytes:
    return _key(number, 2) + _varint(len(content)) + content


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have their highest bit set."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))
