"""Depth for haze synthesis, estimated by a network that was trained to see depth in single photographs.

Any ONNX file serves that takes one picture, (1, 3, H, W) RGB from 0 to 255, and gives inverse depth (1, 1, H, W) in any
unit, larger being nearer: MiDaS's convention (Ranftl et al., PAMI 2022). Such a network tells depth up to a factor and
an offset, so both are drawn anew for each view: z = 1 / (q + a), with q its answer scaled to [0, 1].
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.synthesis.depth import ByteImage, DepthSource, FloatImage, guided_filter

OFFSET = (0.04, 0.4)
"""Log-uniform range of a: how much further the farthest is than the nearest, from 26 times to 3.5 times."""
DEFAULT_SIDE = 320
"""Side of the pictures for a network that takes any size."""
KEPT_IN_MEMORY = 1500
"""How many photographs' inverse depth is kept (0.4 MB each at 320 x 320)."""


class DepthModel:
    """Depth of photographs by an ONNX network; what it says of each photograph is kept.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    SettingsError
        ONNX Runtime is not installed.
    FileError
        Not such a file, or a network that takes or gives something else.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise SettingsError(
                "a depth network needs ONNX Runtime, which is not installed: pip install 'clairvoy[train]'"
            ) from error
        self.path = Path(path)
        if not self.path.is_file():
            raise FileError(f"{self.path}: no such file; name an ONNX file that tells inverse depth")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the same sums in the same order on every machine
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(self.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise FileError(
                f"{self.path}: not an ONNX file that can be loaded ({error}); get it again"
            ) from error
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape) if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3:
            raise FileError(
                f"{self.path}: takes {', '.join(str(one.shape) for one in inputs) or 'nothing'}; name a depth network, "
                "which takes one picture (1, 3, H, W), RGB from 0 to 255"
            )
        self._size = tuple(side if isinstance(side, int) else DEFAULT_SIDE for side in shape[2:])
        self._name = inputs[0].name
        self._kept: OrderedDict[tuple[str, int], FloatImage] = OrderedDict()

    def __call__(self, rgb: ByteImage, name: str, rng: np.random.Generator) -> FloatImage:
        """Depth (H, W) in relative units, above 0, along the edges of the photograph."""
        low, high = np.log(OFFSET)
        nearness = cv2.resize(self._nearness(rgb, name), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        grey = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) / 255).astype(np.float32)
        radius = max(2, round(min(rgb.shape[:2]) * rng.uniform(0.01, 0.03)))
        smooth = guided_filter(grey, nearness.astype(np.float32), radius, float(10 ** rng.uniform(-4, -2.5)))
        return (1 / (np.clip(smooth, 0, 1) + np.exp(rng.uniform(low, high)))).astype(np.float32)

    def _nearness(self, rgb: ByteImage, name: str) -> FloatImage:
        """The network's answer to a photograph, computed when it is first seen."""
        photograph = name, zlib.crc32(rgb.tobytes())  # two folders may hold photographs of one name
        if photograph in self._kept:
            self._kept.move_to_end(photograph)
        else:
            self._kept[photograph] = self._ask(rgb)
            if len(self._kept) > KEPT_IN_MEMORY:
                self._kept.popitem(last=False)
        return self._kept[photograph]

    def _ask(self, rgb: ByteImage) -> FloatImage:
        """The network's answer scaled to [0, 1]; its farthest hundredth is taken to be infinitely far."""
        height, width = self._size
        seen = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        try:
            answer = self._session.run(
                None, {self._name: np.ascontiguousarray(seen.transpose(2, 0, 1)[None])}
            )[0]
        except Exception as error:
            raise FileError(
                f"{self.path}: does not take a picture (1, 3, {height}, {width}) of float32 ({error}); name a network "
                "that does"
            ) from error
        nearness = np.squeeze(np.asarray(answer, np.float32))
        if nearness.ndim != 2 or not np.isfinite(nearness).all():
            raise FileError(
                f"{self.path}: gave an answer of shape {np.shape(answer)}; name a depth network, which gives finite "
                "inverse depth (1, 1, H, W)"
            )
        low, high = np.quantile(nearness, (0.01, 0.995))
        return np.clip((nearness - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)


class DepthMixture:
    """Now one source of depth, now another: what each gets wrong is not learnt for good.

    Parameters
    ----------
    usual, other
        The sources.
    share
        Part of the views whose depth is the other's, in [0, 1].
    """

    def __init__(self, usual: DepthSource, other: DepthSource, share: float) -> None:
        self.usual, self.other, self.share = usual, other, share

    def __call__(self, rgb: ByteImage, name: str, rng: np.random.Generator) -> FloatImage:
        """Depth (H, W) of the source that is drawn."""
        return (self.other if rng.random() < self.share else self.usual)(rgb, name, rng)
