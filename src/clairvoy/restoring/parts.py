"""The trained parts of a dehazer, and the file that holds them: safetensors, with settings and version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from clairvoy._version import __version__
from clairvoy.errors import WeightsError
from clairvoy.generative.density.discriminator import Discriminator
from clairvoy.generative.density.perception import Calibration
from clairvoy.generative.density.vae import DensityVAE, VAESettings
from clairvoy.searching.network import SearchQNetwork
from clairvoy.storage.atomic import replace_file

FORMAT = "clairvoy-weights-1"
RELEASED = Path(__file__).parents[1] / "weights"


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
    """Write released weights, in half precision; the calibration stays in single."""
    tensors: dict[str, Tensor] = {}
    for name, module in parts.modules().items():
        for key, value in module.state_dict().items():
            small = value.half() if name in ("generator", "discriminator", "agent") else value
            tensors[f"{name}.{key}"] = small.detach().cpu().contiguous()
    header = {
        "format": FORMAT,
        "version": __version__,
        "settings": json.dumps(asdict(parts.generator.settings)),
        "notes": json.dumps(dict(notes or {})),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, save(tensors, metadata=header))


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
    path = RELEASED / f"{name_or_path}.safetensors"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        names = sorted(p.stem for p in RELEASED.glob("*.safetensors") if p.stem != "squeezenet1_1")
        raise WeightsError(
            f"{name_or_path}: no such weights; name one of {', '.join(names)} or a .safetensors file"
        )
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a weights file ({error}); train or download it again") from error
    if header.get("format") != FORMAT:
        found = header.get("format", "none")
        raise WeightsError(
            f"{path}: weights of format {found!r}, this version reads {FORMAT!r}; use weights that `clairvoy train` "
            f"of version {__version__} wrote"
        )
    try:
        parts = Parts.new(VAESettings(**json.loads(header["settings"])))
        for name, module in parts.modules().items():
            if fresh_agent and module is parts.agent:
                continue
            begin = f"{name}."
            state = {key[len(begin) :]: value for key, value in tensors.items() if key.startswith(begin)}
            module.load_state_dict(state)
            module.eval().requires_grad_(False)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: weights do not fit this version ({error}); train them again") from error
    return parts
