"""The methods that are compared, each as a function from picture to picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clairvoy.imaging.dark_channel import restore_dark_channel

if TYPE_CHECKING:
    from clairvoy.restoring.dehazer import Dehazer

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Restored:
    """What a method gives back that also says how sure it is.

    Attributes
    ----------
    image
        (H, W, 3) in [0, 1].
    tau
        Confidence in [0, 1], higher is surer; None if the method has none.
    tau_db
        PSNR in dB that the method expects of its own result; None if it has no opinion.
    """

    image: Array
    tau: float | None = None
    tau_db: float | None = None


Restorer = Callable[[Array], Array | Restored]
"""Takes (H, W, 3) float32 in [0, 1] and gives the same, or a `Restored`."""


def with_dehazer(dehazer: Dehazer, *, force: bool = False) -> Restorer:
    """Let a loaded `Dehazer` take part, its confidence included; with `force`, it restores every picture in full."""

    def restore(rgb: Array) -> Restored:
        result = dehazer(rgb, force=force)
        return Restored(result.image, result.report.tau, result.report.tau_db)

    return restore


def standard_restorers(dehazer: Dehazer | None = None) -> dict[str, Restorer]:
    """Methods that belong in every run: doing nothing, the dark channel prior, clairvoy as it decides, and by force."""
    methods: dict[str, Restorer] = {
        "untouched": lambda rgb: rgb,
        "dark channel prior": lambda rgb: restore_dark_channel(rgb)[0],
    }
    if dehazer is not None:
        methods["clairvoy"] = with_dehazer(dehazer)
        methods["clairvoy, all restored"] = with_dehazer(dehazer, force=True)
    return methods
