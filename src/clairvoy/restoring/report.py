"""What was found in a picture and done to it, as numbers: for JSON, for a page, for whoever restored it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """What was found in a picture, and how far to trust what was made of it."""

    haze: bool
    """The agent recognised haze: what is found is taken away, the more the surer the agent is."""
    haze_probability: float
    """Calibrated probability in [0, 1] that there is haze."""
    mean_transmission: float
    """Mean over the picture, in (0, 1]; 1 is no haze."""
    airlight: tuple[float, float, float]
    """RGB in [0, 1]."""
    tau: float
    """Probability that the restoration is within 20 dB PSNR of the truth."""
    tau_db: float
    """Expected PSNR against the truth, in dB."""
    seconds: float
    windows_looked_at: int
    windows: int
    size: tuple[int, int]
    """Height and width."""
    sphere: bool
    """It was taken for a panorama: no seam, and estimates weighed by solid angle."""
    strength: float
    """As asked for."""
    amount: float
    """Part of the optical depth that was taken away, in [0, 1]: the strength, or less where the agent is not sure."""
    device: str
    weights: str
    preset: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
