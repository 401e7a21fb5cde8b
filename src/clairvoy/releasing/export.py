"""Modules of `graphs` as ONNX graphs, which name their weights and do not hold them, and the check of them."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError
from clairvoy.generative.density.vae import VAESettings
from clairvoy.releasing.graphs import AgentGraph, DrawsGraph, PerceptionGraph, RestorationGraph
from clairvoy.releasing.parts import Parts
from clairvoy.restoring.released import Released
from clairvoy.searching.glimpse import BELIEF_CHANNELS, CROP, MEMORY_CHANNELS, POSITION_NUMBERS, WINDOW
from clairvoy.searching.guidance import GUIDES

OPSET = 18
CHECKED = ((64, 64), (96, 160), (208, 320))
"""Heights and widths that every graph is checked at; they are exported at another, and for another number of draws."""
_AT = (144, 224)
_LARGE = 1024
"""Numbers from which a constant inside a graph is kept in half precision, where that changes none of them."""


@dataclass(frozen=True)
class Export:
    """A module that is to be a graph, and how it is called."""

    module: nn.Module
    inputs: Mapping[str, Mapping[int, str]]
    """By name, in order: the axes whose length may change, and what that length is called."""
    outputs: Sequence[str]
    settings: VAESettings
    """Of the generator."""
    rounding: Mapping[str, float] = field(default_factory=dict)
    """What rounding alone may change of an output, where that is much."""

    def at(self, height: int, width: int) -> tuple[Tensor, ...]:
        """Inputs for pictures of a size, always the same ones."""
        rng = torch.Generator().manual_seed(height * width)
        settings, count = self.settings, height // 48  # as many draws or observations
        made = {
            "strength": lambda: torch.rand(1, generator=rng),
            "others_grid": lambda: torch.rand(1, settings.bins, height // 2, width // 2, generator=rng),
            "others_airlight": lambda: torch.rand(1, 3, generator=rng),
            "others_share": lambda: torch.rand((), generator=rng),
            "field": lambda: torch.randn(count, settings.latent, height // 16, width // 16, generator=rng),
            "density": lambda: torch.randn(count, generator=rng),
            "brightness": lambda: torch.randn(count, generator=rng),
            "window": lambda: torch.randint(256, (count, 3, WINDOW, WINDOW), generator=rng).to(torch.uint8),
            "belief": lambda: torch.rand(count, len(BELIEF_CHANNELS), generator=rng),
            "memory": lambda: torch.rand(count, len(MEMORY_CHANNELS), CROP, CROP, generator=rng),
            "position": lambda: torch.rand(count, len(POSITION_NUMBERS), generator=rng),
            "guides": lambda: torch.rand(count, GUIDES, generator=rng),
            **dict.fromkeys(("picture", "first", "second"), lambda: _picture(height, width, rng)),
        }
        return tuple(made[name]() for name in self.inputs)


def exports(parts: Parts) -> dict[str, Export]:
    """All graphs of a file of weights, by name."""
    generator, discriminator, calibration = parts.generator, parts.discriminator, parts.calibration
    picture, batch, settings = {2: "height", 3: "width"}, {0: "batch"}, generator.settings
    return {
        "perception": Export(
            PerceptionGraph(generator, discriminator, calibration),
            {
                "picture": batch | picture, "others_grid": batch | {2: "grid_height", 3: "grid_width"},
                "others_airlight": batch, "others_share": {},
            },
            ("grid", "airlight", "haze", "spread", "clear", "tau_map", "tau", "tau_db", "appearance", "signs"),
            settings,
            # The variance of a flat place is what rounding leaves of a difference of two equal numbers, about 1e-7. So its
            # contrast, log(sqrt(variance) + 1e-2), is known to log((3e-4 + 1e-2) / 1e-2).
            rounding={"signs": 0.03},
        ),
        "draws": Export(
            DrawsGraph(generator, discriminator),
            {
                "picture": picture, "field": {0: "draws", 2: "field_height", 3: "field_width"}, "density": {0: "draws"},
                "brightness": {0: "draws"},
            },
            ("grid", "airlight", "belief"), settings,
        ),
        "agent": Export(
            AgentGraph(parts.agent),
            dict.fromkeys(("window", "belief", "memory", "position", "guides"), batch),
            ("values",), settings,
        ),
        "restoration": Export(
            RestorationGraph(generator),
            {"picture": picture, "strength": {}},
            ("restored", "optical_depth", "airlight"), settings,
        ),
    }  # fmt: skip


def exported(export: Export, stored: Mapping[str, Tensor]) -> tuple[bytes, list[str]]:
    """The graph of a module, and the names of the weights that have to be put in (`model_bytes.with_weights`).

    Parameters
    ----------
    export
        The module; its parameters are named as in `stored`.
    stored
        Weights as they are kept, some of them in half precision.

    Raises
    ------
    SettingsError
        The package onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise SettingsError(
            "onnx is not installed, which making graphs for the runtime needs: pip install 'clairvoy[train]'"
        )
    import onnx

    buffer = io.BytesIO()
    module = export.module.eval().requires_grad_(False)
    with warnings.catch_warnings(), torch.inference_mode():
        # The tracing exporter is deprecated, but the newer one cannot follow a size that is computed in the graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, export.at(*_AT), buffer, dynamo=False, opset_version=OPSET, do_constant_folding=False,  # type: ignore[arg-type]
            input_names=list(export.inputs), output_names=list(export.outputs),
            dynamic_axes={name: dict(axes) for name, axes in export.inputs.items()},
        )  # fmt: skip
    graph = onnx.load_from_string(buffer.getvalue()).graph
    held = [tensor.name for tensor in graph.initializer]
    nodes = [*_casts_of_weights(graph, stored), *_halved_constants(graph.node)]
    inside = [tensor for tensor in graph.initializer if tensor.name not in stored]
    slim = onnx.helper.make_graph(
        nodes, "clairvoy", list(graph.input), list(graph.output), initializer=inside
    )
    _shorten(slim, set(held))
    model = onnx.helper.make_model(
        slim, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=8, producer_name="clairvoy"
    )
    return model.SerializeToString(), [name for name in held if name in stored]


def largest_gap(export: Export, model: bytes) -> float:
    """Largest difference between a module in torch and its ONNX model, at several sizes, relative to values beyond 1."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    gaps = []
    for size in CHECKED:
        inputs = export.at(*size)
        found = session.run(
            None, {name: value.numpy() for name, value in zip(export.inputs, inputs, strict=True)}
        )
        with torch.inference_mode():
            expected = export.module(*inputs)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for name, f, e in zip(export.outputs, found, (part.numpy() for part in expected), strict=True):
            beyond = np.maximum(np.abs(f - e) - export.rounding.get(name, 0.0), 0)
            gaps.append(float((beyond / np.maximum(1, np.abs(e))).max()))
    return float(np.max(gaps))  # NaN if any is


def with_graphs(parts: Parts, released: Released) -> tuple[Released, float]:
    """The same file with all graphs in it, and the largest difference from torch that any of them shows.

    Parameters
    ----------
    parts
        Made of what the file holds, on the CPU.
    released
        The file, with graphs or without.
    """
    stored = parts.tensors()  # what the file holds, in the shapes of this version
    tensors: dict[str, Any] = {**released.tensors, **{name: value.numpy() for name, value in stored.items()}}
    named = {}
    wanted = exports(parts)
    for name, export in wanted.items():
        graph, named[name] = exported(export, stored)
        tensors[f"graph.{name}"] = np.frombuffer(graph, np.uint8)
    whole = Released(released.path, {**released.header, "graphs": json.dumps(named)}, tensors)
    gaps = [largest_gap(export, whole.graph(name)) for name, export in wanted.items()]
    return whole, float(np.max(gaps))


def _picture(height: int, width: int, rng: torch.Generator) -> Tensor:
    """Smooth colours, (1, 3, height, width) in [0, 1]."""
    coarse = torch.rand(1, 3, 6, 8, generator=rng)
    return nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")


def _casts_of_weights(graph: Any, stored: Mapping[str, Tensor]) -> list[Any]:
    """Casts to single precision of the weights that are kept in half; what uses them is made to use the casts."""
    import onnx

    single = {
        tensor.name: f"{tensor.name}:single"
        for tensor in graph.initializer
        if tensor.name in stored and stored[tensor.name].dtype == torch.float16
    }
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = single.get(name, name)
    return [
        onnx.helper.make_node("Cast", [name], [cast], to=onnx.TensorProto.FLOAT)
        for name, cast in single.items()
    ]


def _halved_constants(nodes: Iterable[Any]) -> Iterator[Any]:
    """The same nodes with large constants in half precision, where that changes none of their numbers, and casts back."""
    import onnx

    for node in nodes:
        yield node
        if node.op_type != "Constant" or node.attribute[0].name != "value":
            continue
        value = onnx.numpy_helper.to_array(node.attribute[0].t)
        if value.dtype != np.float32 or value.size < _LARGE or (value.astype(np.float16) != value).any():
            continue
        node.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(value.astype(np.float16)))
        name, node.output[0] = node.output[0], f"{node.output[0]}:half"
        yield onnx.helper.make_node("Cast", [node.output[0]], [name], to=onnx.TensorProto.FLOAT)


def _shorten(graph: Any, kept: set[str]) -> None:
    """Names that say where a value came from in Python take more room than the graph itself."""
    kept |= {value.name for value in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {}
    for node in graph.node:
        node.name = node.doc_string = ""
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name not in kept:
                    names[place] = short.setdefault(name, f"v{len(short)}")
