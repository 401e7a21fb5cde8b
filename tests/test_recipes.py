"""What stands in `examples` for other programs: the node of ComfyUI, as ComfyUI would call it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from clairvoy import Dehazer

NODE = Path(__file__).parent.parent / "examples/comfyui_clairvoy/__init__.py"


@pytest.fixture(scope="module")
def node():
    spec = importlib.util.spec_from_file_location("comfyui_clairvoy", NODE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_node_of_comfyui_gives_what_the_dehazer_gives(node):
    made = node.NODE_CLASS_MAPPINGS["ClairvoyClearHaze"]
    assert set(node.NODE_DISPLAY_NAME_MAPPINGS) == set(node.NODE_CLASS_MAPPINGS)
    batch = torch.rand(2, 48, 64, 3, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.6
    settings = {"strength": 0.8, "force": True, "preset": "fast"}
    assert set(settings) | {"image"} == set(made.INPUT_TYPES()["required"])
    image, haze, confidence = getattr(made(), made.FUNCTION)(batch, **settings)
    assert len(made.RETURN_TYPES) == len(made.RETURN_NAMES) == 3
    assert image.shape == batch.shape
    assert haze.shape == confidence.shape == (2, 48, 64)
    assert image.dtype == haze.dtype == torch.float32
    result = Dehazer.load("fast")(batch[1].numpy(), strength=0.8, force=True)
    assert np.array_equal(image[1].numpy(), result.image)
    assert np.array_equal(haze[1].numpy(), result.haze)
    assert float(image.min()) >= 0
    assert float(image.max()) <= 1
