"""The engine: everything that a trained dehazer computes with networks, by ONNX Runtime and on NumPy arrays.

What generator, discriminator, calibration and agent are is said once, in torch, where they learn. Here their graphs run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clairvoy.errors import WeightsError
from clairvoy.generative.density.recognition import haze_probability
from clairvoy.restoring.planes import enlarged
from clairvoy.restoring.released import Released, read_released
from clairvoy.restoring.sessions import choose_device, session, threads
from clairvoy.searching.glimpse import Observation

Float = npt.NDArray[np.float32]

SEED = 0
"""Of the draws: the same picture is restored the same way."""
_AT_A_TIME = 8
"""Draws that are judged together."""


class Perceived(NamedTuple):
    """What is believed about a picture at its working size h x w; see `generative.density.perception`."""

    grid: Float
    """Bilateral grid of optical depth, (1, bins, h/2, w/2), or finer where more sizes were perceived."""
    airlight: Float
    """(1, 3) in [0, 1]."""
    haze: Float
    """1 - transmission, (1, 1, h/2, w/2) in [0, 1]."""
    spread: Float
    """Standard deviation of the transmission, (1, 1, h/16, w/16)."""
    clear: Float
    """The discriminator's belief that the picture is a clear one, (1, 1, h/16, w/16) in [0, 1]."""
    tau_map: Float
    """Confidence in each cell, (1, 1, h/16, w/16) in [0, 1]."""
    tau: Float
    """Confidence in the whole, (1,) in [0, 1]."""
    tau_db: Float
    """Expected PSNR of the restoration, (1,) in dB."""
    appearance: Float
    """What the appearance of the picture adds to the logit of haze, (1,)."""
    signs: Float
    """What tau is computed from, see `signs.SIGNS`, (1, S, h/16, w/16)."""

    @property
    def beliefs(self) -> tuple[Float, Float, Float, Float]:
        """The maps that a search goes by, see `searching.beliefs.pool_beliefs`."""
        return self.haze, self.spread, self.clear, self.tau_map


class Engine:
    """Trained weights at work. Sessions are made when they are first needed.

    Parameters
    ----------
    released
        The weights.
    device
        "auto", or one of `sessions.PROVIDERS`, perhaps with a number ("cuda:1").

    Attributes
    ----------
    device
        The one that was chosen.
    threads
        How many work at a time.
    """

    def __init__(self, released: Released, device: str = "auto") -> None:
        self.released, self.device, self.threads = released, choose_device(device), threads()

    @classmethod
    def load(cls, name_or_path: str | Path = "fast", device: str = "auto") -> Engine:
        """Read weights by released name or path.

        Raises
        ------
        WeightsError
            They cannot be read, or hold no graphs.
        SettingsError
            The device is not there.
        """
        chosen = choose_device(device)
        engine = cls(read_released(name_or_path), chosen)
        _ = (
            engine._perception
        )  # what is wrong with weights or device is said now, and not of the first picture
        return engine

    def perceive(self, picture: Float, other_sizes: Sequence[Float] = ()) -> Perceived:
        """Perceive a picture.

        Parameters
        ----------
        picture
            (1, 3, h, w) in [0, 1], multiples of 16.
        other_sizes
            The same picture at other sizes. With any, optical depth and airlight are means over all sizes, each seen as it
            is and mirrored: their errors are partly each one's own.
        """
        height, width = picture.shape[2:]
        nothing = np.zeros((1, self.released.bins, height // 2, width // 2), np.float32)
        if not other_sizes:
            return self._perceive(picture, nothing, np.zeros((1, 3), np.float32), 0.0)
        grids, lights = [], []
        for number, size in enumerate((picture, *other_sizes)):
            for mirrored in (False, True)[number == 0 :]:
                seen = self.perceive(np.ascontiguousarray(size[..., ::-1]) if mirrored else size)
                grids.append(seen.grid[..., ::-1] if mirrored else seen.grid)
                lights.append(seen.airlight)
        finest = max((grid.shape[2:] for grid in grids), key=lambda size: size[0] * size[1])
        share = len(grids) / (len(grids) + 1)
        return self._perceive(
            picture,
            np.mean([enlarged(grid, finest) for grid in grids], axis=0),
            np.mean(lights, axis=0),
            share,
        )

    def best_draw(self, picture: Float, samples: int) -> tuple[Float, Float] | None:
        """Draw restorations of a picture (1, 3, h, w); the most believed of them, or None if that is the likeliest one.

        Parameters
        ----------
        picture
            At its working size.
        samples
            How many, the likeliest one among them.

        Returns
        -------
        tuple or None
            Grid (1, bins, h/2, w/2) and airlight (1, 3).
        """
        rng, (height, width) = np.random.default_rng(SEED), picture.shape[2:]
        shape = (self.released.latent, height // 16, width // 16)
        best: tuple[float, Float, Float] | None = None
        likeliest = -np.inf
        for begin in range(0, samples, _AT_A_TIME):
            count = min(_AT_A_TIME, samples - begin)
            noise = [rng.standard_normal((count, *part), dtype=np.float32) for part in (shape, (), ())]
            if begin == 0:
                for part in noise:
                    part[0] = 0
            names = ("field", "density", "brightness")
            grid, light, belief = self._draws.run(
                None, {"picture": picture, **dict(zip(names, noise, strict=True))}
            )
            if begin == 0:
                likeliest = float(belief[0])
            place = int(np.argmax(belief))
            if best is None or belief[place] > best[0]:
                best = float(belief[place]), grid[place : place + 1], light[place : place + 1]
        assert best is not None
        return None if best[0] <= likeliest else best[1:]

    def q_values(self, observation: Observation) -> Float:
        """The agent's values of the five actions, (N, 5), from what `glimpse.observe_window` tells."""
        values: Float = self._agent.run(None, observation)[0]
        return values

    def haze_probability(self, value: float, haze: float, appearance: float) -> float:
        """Probability in [0, 1] that a picture has haze, see `recognition.haze_probability`."""
        return haze_probability(self.released.recognition, value, haze, appearance)

    def _perceive(self, picture: Float, grid: Float, airlight: Float, share: float) -> Perceived:
        inputs = {
            "picture": picture, "others_grid": grid, "others_airlight": airlight, "others_share": np.float32(share),
        }  # fmt: skip
        asked = {name: np.asarray(value, np.float32) for name, value in inputs.items()}
        return Perceived(*self._perception.run(None, asked))

    @cached_property
    def _perception(self) -> Any:
        perception = session(self.released.graph("perception"), self.device)
        told = tuple(output.name for output in perception.get_outputs())
        if told != Perceived._fields:
            path = self.released.path
            raise WeightsError(
                f"{path}: its graphs are of another version; make them anew: clairvoy export --weights {path} "
                f"-o {path} --overwrite (needs pip install 'clairvoy[train]')"
            )
        return perception

    @cached_property
    def _draws(self) -> Any:
        return session(self.released.graph("draws"), self.device)

    @cached_property
    def _agent(self) -> Any:
        # A hundred thousand weights, asked a few times: the way to another device would take longer.
        return session(self.released.graph("agent"), "cpu")
