"""The restoration as one ONNX file: any size in; perception, density field, full-resolution pass and all, no Python needed.

Input `picture` (1, 3, H, W) float32 RGB in [0, 1], H and W at least 16, and `strength` (1,) in [0, 1]. Outputs `restored`
(1, 3, H, W) in [0, 1], `optical_depth` (1, 1, H, W) and `airlight` (1, 3). The file always restores: whether there is
haze is the agent's word, and the agent stays behind.

Perception at low resolution is part of the graph. A mean over fractions of pixels, and linear interpolation where a
small picture is enlarged, are both a product with a matrix on either side, and the matrices are computed from H and W;
so the file perceives what `Dehazer` does, but for the rounding of 8-bit pixels there.
"""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy._version import __version__
from clairvoy.errors import FileError, SettingsError
from clairvoy.generative.density.bilateral_grid import slice_grid
from clairvoy.generative.density.vae import STRIDE, DensityVAE
from clairvoy.restoring.parts import load_weights
from clairvoy.storage.atomic import replace_file

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference from PyTorch that a file may show and still be kept."""
CHECKED = ((64, 64), (40, 150), (333, 200))
"""Heights and widths that every file is checked at; another is exported with."""
WORKING = (256 * 256, 64, 1024)
"""Area and least and largest side that a picture is perceived at, as in `working_size`."""


class ExportedRestorer(nn.Module):
    """What the file computes, as a module: the restoration of `Dehazer` by force, sizes and all, in tensors."""

    def __init__(self, generator: DensityVAE) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor, strength: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Restored picture, optical depth and airlight; shapes as in the module's docstring."""
        area, least, most = WORKING
        size = torch._shape_as_tensor(picture)[2:].float()
        scale = torch.sqrt(area / (size[0] * size[1]))
        small = (torch.round(size * scale / STRIDE) * STRIDE).clamp(least, most)
        shrinks = (size >= small).all()
        rows, columns = (resampling(size[k], small[k], shrinks) for k in (0, 1))
        generator, seen = self.generator, rows @ picture @ columns.T
        posterior = generator.encode(seen)
        airlight, grid = posterior.airlight, generator.decode(posterior.mean, posterior.density)
        od = slice_grid(grid, generator.guide(picture))
        restored = (picture - airlight) * torch.exp(strength * od) + airlight
        return restored.clamp(0, 1), od, airlight.flatten(1)


def resampling(old: Tensor, new: Tensor, shrinks: Tensor) -> Tensor:
    """Matrix (new, old) that resamples a line: means over areas where it `shrinks`, else linear interpolation.

    Parameters
    ----------
    old, new
        Lengths, float scalars.
    shrinks
        Bool scalar.
    """
    target, source = _count(new)[:, None], _count(old)[None]
    step = old / new
    overlap = torch.minimum((target + 1) * step, source + 1) - torch.maximum(target * step, source)
    place = torch.minimum(((target + 0.5) * step - 0.5).clamp(min=0), old - 1)
    return torch.where(shrinks, overlap.clamp(min=0) / step, (1 - (place - source).abs()).clamp(min=0))


def _count(length: Tensor) -> Tensor:
    """0, 1, ... as floats; the length is a tensor, so that it stays part of the graph."""
    return torch.arange(length).float()  # type: ignore[call-overload]


def export_onnx(path: str | Path, weights: str | Path = "fast") -> float:
    """Write the restoration of some weights as an ONNX file, if ONNX Runtime computes the same as PyTorch.

    Parameters
    ----------
    path
        File to write; replaced if it is there.
    weights
        Released weights by name, or a file.

    Returns
    -------
    float
        Largest difference from PyTorch that was seen, over restored pixels, optical depth and airlight.

    Raises
    ------
    WeightsError
        The weights cannot be read.
    SettingsError
        onnx or onnxruntime is not installed.
    FileError
        The file cannot be written, or does not compute what PyTorch does; nothing is left behind then.
    """
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"{' and '.join(missing)} not installed, which export needs: pip install 'clairvoy[export]'"
        )
    module = ExportedRestorer(load_weights(weights).generator).eval().requires_grad_(False)
    data = _described(_exported(module), str(weights))
    gap = _largest_gap(module, data)
    if not gap <= TOLERANCE:
        raise FileError(
            f"{path}: not written, since ONNX Runtime differs from PyTorch by {gap:.2g}; try other versions of "
            "torch and onnxruntime"
        )
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        replace_file(Path(path), data)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); name a folder that can") from error
    return gap


def _exported(module: ExportedRestorer) -> bytes:
    buffer = io.BytesIO()
    free = {2: "height", 3: "width"}
    with warnings.catch_warnings(), torch.inference_mode():
        # The tracing exporter is deprecated, but the newer one cannot follow a size that is computed in the graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.rand(1, 3, 200, 333), torch.ones(1)),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=["picture", "strength"],
            output_names=["restored", "optical_depth", "airlight"],
            dynamic_axes={"picture": free, "restored": free, "optical_depth": free},
        )
    return buffer.getvalue()


def _described(data: bytes, weights: str) -> bytes:
    """The same file with a word on what it is."""
    import onnx

    model = onnx.load_from_string(data)
    model.producer_name, model.producer_version = "clairvoy", __version__
    model.doc_string = (
        "Removes haze. picture: (1, 3, H, W) RGB in [0, 1], H and W at least 16; strength: (1,) in [0, 1]. "
        "Always restores: ask clairvoy itself whether there is haze."
    )
    onnx.helper.set_model_props(model, {"weights": Path(weights).stem, "clairvoy": __version__})
    onnx.checker.check_model(model)
    described: bytes = model.SerializeToString()
    return described


def _largest_gap(module: ExportedRestorer, data: bytes) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    rng = torch.Generator().manual_seed(0)
    gaps = []
    for height, width in CHECKED:
        coarse = torch.rand(1, 3, 6, 8, generator=rng)
        picture = nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
        strength = torch.rand(1, generator=rng)
        found = session.run(None, {"picture": picture.numpy(), "strength": strength.numpy()})
        with torch.inference_mode():
            expected = module(picture, strength)
        gaps += [float(np.abs(f - e.numpy()).max()) for f, e in zip(found, expected, strict=True)]
    return max(gaps)
