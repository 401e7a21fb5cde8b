"""A stand-in for the dehazer that needs no weights, for what runs in the process of the test."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from clairvoy.errors import InputError, WeightsError
from clairvoy.imaging.files import Picture


@dataclass
class Report:
    haze: bool = True
    haze_probability: float = 0.98
    mean_transmission: float = 0.5
    tau: float = 0.75
    tau_db: float = 21.5
    seconds: float = 0.1
    sphere: bool = False

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass
class Result:
    image: np.ndarray
    report: Report
    haze: np.ndarray
    tau: np.ndarray


class FakeDehazer:
    """Adds 40 to every value, sees no haze in dark pictures, and fails by the name of the picture."""

    calls: ClassVar[list[dict]] = []
    loaded: ClassVar[list[tuple]] = []

    @classmethod
    def load(cls, name_or_path="fast", device="auto", preset=None):
        if name_or_path != "fast":
            raise WeightsError(f"{name_or_path}: there are no such weights; give 'fast' or a checkpoint")
        cls.loaded.append((name_or_path, device, preset))
        return cls()

    def __call__(self, picture: Picture, *, strength=1.0, samples=1, force=False, flat=False) -> Result:
        self.calls.append({"strength": strength, "samples": samples, "force": force, "flat": flat})
        for name, error in {
            "nan": InputError("the picture holds NaN; replace them first"),
            "fault": RuntimeError("shapes do not match"),
            "huge": MemoryError(),
            "interrupt": KeyboardInterrupt(),
        }.items():
            if Path(picture.name).stem == name:
                raise error
        clear = picture.pixels.mean() < 60 and not force
        pixels = picture.pixels if clear else picture.pixels + picture.pixels.dtype.type(40)
        haze = np.full(pixels.shape[:2], 0.25, np.float32)
        report = Report(haze=not clear, tau_db=float("inf") if clear else 21.5)
        return Result(pixels, report, haze, 1.0 - haze)
