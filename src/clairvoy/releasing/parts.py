"""The trained parts of a dehazer in torch, and the file that holds them: safetensors, with settings and version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.errors import WeightsError
from clairvoy.generative.density.backbone import APPEARANCE
from clairvoy.generative.density.calibration import Calibration
from clairvoy.generative.density.discriminator import Discriminator
from clairvoy.generative.density.perception import Perceiver
from clairvoy.generative.density.vae import DensityVAE, VAESettings
from clairvoy.restoring.released import FORMAT, REMEDY, find_weights
from clairvoy.searching.network import SearchQNetwork
from clairvoy.storage.weights_file import of_part, read_weights


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
        """The three that perceive pictures, as one."""
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

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds of them, by name, on the CPU: in half precision, but the calibration in single."""
        return {
            f"{name}.{key}": (value if name == "calibration" else value.half()).cpu()
            for name, module in self.modules().items()
            for key, value in module.state_dict().items()
        }

    def header(self, notes: Mapping[str, Any] | None = None) -> dict[str, str]:
        """What a file says of them, with anything else that is to be noted."""
        return {
            "settings": json.dumps(asdict(self.generator.settings)),
            "notes": json.dumps(dict(notes or {})),
        }


def new_agent() -> SearchQNetwork:
    """The Q-network of the haze search."""
    return SearchQNetwork()


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
    path = find_weights(name_or_path)
    header, tensors = read_weights(path, FORMAT, REMEDY)
    return parts_of(header, tensors, path, fresh_agent=fresh_agent)


def parts_of(
    header: Mapping[str, str], tensors: Mapping[str, Tensor], path: Path, *, fresh_agent: bool = False
) -> Parts:
    """The same of what was read from `path`."""
    try:
        parts = Parts.new(VAESettings(**json.loads(header["settings"])))
        for name, module in parts.modules().items():
            if fresh_agent and module is parts.agent:
                continue
            state = {key: value.float() for key, value in of_part(tensors, name).items()}
            module.load_state_dict(with_appearance(state) if module is parts.calibration else state)
            module.eval().requires_grad_(False)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: weights do not fit this version ({error}); train them again") from error
    return parts


def with_appearance(calibration: dict[str, Tensor]) -> dict[str, Tensor]:
    """A calibration of today; for one of the time when recognition did not go by appearance, that counts nothing."""
    recognition = calibration.get("recognition")
    if recognition is None or len(recognition) != 3:
        return calibration
    return calibration | {
        "recognition": torch.cat([recognition[:2], torch.zeros(APPEARANCE), recognition[2:]])
    }
