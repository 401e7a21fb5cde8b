"""All that looks around in a panorama, in one file: completion, discriminator, values of all directions, tau."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from clairvoy.errors import ClairvoyError, WeightsError
from clairvoy.generative.rows.learner import RowLearner
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.scenarios.panorama.completion import new_learner
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.tau import SphereTau
from clairvoy.scenarios.panorama.values import ValueNetwork, by_values
from clairvoy.storage.weights_file import read_weights, write_weights

FORMAT = "clairvoy-looking-1"


class LookingModel(NamedTuple):
    """A completion that stands still, and what was learnt on top of it."""

    looking: Looking
    """The rules."""
    snapshot: Snapshot
    """Generator and discriminator."""
    values: ValueNetwork
    """The agent."""
    tau: SphereTau
    """How far to trust a completion."""

    def choose(self, panoramas: Tensor) -> Tensor:
        """Directions (B, glimpses) that the agent looks in, in order, of panoramas (B, 3, H, 2 H) uint8."""
        return by_values(self.values, self.looking, self.snapshot, panoramas)

    def save(self, path: str | Path, notes: Mapping[str, Any] | None = None) -> None:
        """Write it, whole or not at all; `notes` go along, as JSON.

        Raises
        ------
        FileError
            The disk refuses.
        """
        generator = self.snapshot.generator
        sizes = {
            "height": self.looking.height,
            "glimpses": self.looking.glimpses,
            "width": generator.settings.width,
            "draws": self.tau.draws,
        }
        header = {**{name: str(size) for name, size in sizes.items()}, "notes": json.dumps(dict(notes or {}))}
        write_weights(Path(path), FORMAT, _tensors(self), header)


def new_model(looking: Looking, learner: RowLearner) -> LookingModel:
    """A trained completion, with values that are not learnt and a tau that is not fitted yet."""
    snapshot = Snapshot(learner.averaged, learner.discriminator)
    snapshot.take(learner)
    return LookingModel(looking, snapshot, ValueNetwork(looking.views), SphereTau(looking))


def load_model(path: str | Path) -> LookingModel:
    """What `LookingModel.save` wrote.

    Raises
    ------
    WeightsError
        No such file, or of something else.
    """
    header, held = read_weights(Path(path), FORMAT, "give a file that benchmarks/panorama_values.py writes")
    try:
        looking = Looking(int(header["height"]), int(header["glimpses"]))
        few = torch.zeros(2, 3, looking.height, 2 * looking.height, dtype=torch.uint8)
        model = new_model(looking, new_learner(few, looking.views, int(header["width"])))
        model.tau.draws = int(header["draws"])
    except (ClairvoyError, KeyError, ValueError) as error:
        raise WeightsError(f"{path}: does not say what it is of ({error}); get the file again") from error
    tau = _part(held, "tau")
    asked = _tensors(model) | {f"tau.{name}": value for name, value in tau.items()}
    wrong = sorted(held.keys() ^ asked.keys()) or [
        name for name, value in asked.items() if held[name].shape != value.shape
    ]
    if wrong:
        raise WeightsError(f"{path}: does not hold what it says, at {wrong[0]}; get the file again")
    model.snapshot.load_state_dict({name: _part(held, name) for name in model.snapshot.state_dict()})
    model.values.load_state_dict(_part(held, "values"))
    if tau:
        model.tau.right.load_state_dict(tau)
    return model


def _tensors(model: LookingModel) -> dict[str, Tensor]:
    parts: dict[str, Mapping[str, Any]] = {**model.snapshot.state_dict(), "values": model.values.state_dict()}
    if model.tau.right.fitted:
        parts["tau"] = model.tau.right.state_dict()
    return {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}


def _part(held: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    begins = f"{name}."
    return {key.removeprefix(begins): value for key, value in held.items() if key.startswith(begins)}
