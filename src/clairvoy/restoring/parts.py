"""The trained parts of a dehazer, and the file that holds them: safetensors, with settings and version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy._version import __version__
from clairvoy.errors import WeightsError
from clairvoy.generative.density.calibration import Calibration
from clairvoy.generative.density.discriminator import Discriminator
from clairvoy.generative.density.perception import Perceiver
from clairvoy.generative.density.vae import DensityVAE, VAESettings
from clairvoy.searching.network import SearchQNetwork
from clairvoy.storage.weights_file import of_part, read_weights, write_weights

FORMAT = "clairvoy-weights-2"
WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"


@dataclass
class Parts:
    """The trained parts of a dehazer."""

    generator: DensityVAE
    discriminator: Discriminator
    calibration: Calibration
    agent: SearchQNetwork

    @classmethod
    def new(cls, settings: VAESettings | None = None) -> Parts:
        """Untrained parts."""
        generator = DensityVAE(settings)
        return cls(generator, Discriminator(generator.settings.width), Calibration(), new_agent())

    @property
    def perceiver(self) -> Perceiver:
        """The three that look at pictures, as one."""
        return Perceiver(self.generator, self.discriminator, self.calibration)

    def modules(self) -> dict[str, nn.Module]:
        """By the name that their tensors begin with in a file."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "calibration": self.calibration,
            "agent": self.agent,
        }

    def to(self, device: torch.device) -> Parts:
        """Move all parts, in place."""
        for module in self.modules().values():
            module.to(device)
        return self


def new_agent() -> SearchQNetwork:
    """The Q-network of the haze search."""
    return SearchQNetwork()


def save_weights(path: Path, parts: Parts, notes: Mapping[str, Any] | None = None) -> None:
    """Write released weights, in half precision; the calibration stays in single.

    Raises
    ------
    FileError
        The disk refuses.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in parts.modules().items():
        for key, value in module.state_dict().items():
            small = value.half() if name in ("generator", "discriminator", "agent") else value
            tensors[f"{name}.{key}"] = small
    header = {
        "settings": json.dumps(asdict(parts.generator.settings)),
        "notes": json.dumps(dict(notes or {})),
    }
    write_weights(path, FORMAT, tensors, header)


def load_weights(name_or_path: str | Path, *, fresh_agent: bool = False) -> Parts:
    """Read weights by released name ("fast") or path.

    Parameters
    ----------
    name_or_path
        What to read.
    fresh_agent
        Leave the agent of the file out and put an untrained one in its place: for a training of the agent, which may
        begin with the models of a version whose agent was another.

    Raises
    ------
    WeightsError
        No such file, not a weights file, or one of another format or shape.
    """
    path = WEIGHTS_FOLDER / f"{name_or_path}.safetensors"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        names = sorted(p.stem for p in WEIGHTS_FOLDER.glob("*.safetensors") if p.stem != "squeezenet1_1")
        raise WeightsError(
            f"{name_or_path}: no such weights; name one of {', '.join(names)} or a .safetensors file"
        )
    header, tensors = read_weights(
        path, FORMAT, f"use weights that `clairvoy train` of version {__version__} wrote"
    )
    try:
        parts = Parts.new(VAESettings(**json.loads(header["settings"])))
        for name, module in parts.modules().items():
            if fresh_agent and module is parts.agent:
                continue
            module.load_state_dict({key: value.float() for key, value in of_part(tensors, name).items()})
            module.eval().requires_grad_(False)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: weights do not fit this version ({error}); train them again") from error
    return parts
