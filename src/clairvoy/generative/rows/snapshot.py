"""A snapshot of a generator and its discriminator: a copy that stands still while they go on learning.

Rewards and observations that are made with weights as they are at the moment drift from one step to the next. With a
snapshot they are the same from one refresh to the next, and a saved run goes on as it would have.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError
from clairvoy.generative.rows.given import Given
from clairvoy.generative.rows.learner import RowLearner


class Snapshot:
    """What a generator of rows, and its discriminator, said at one moment.

    Parameters
    ----------
    generator
        A `RowGenerator`; it is copied.
    discriminator
        From the generator's last features to logits (B,); copied too. None: nothing can be judged yet.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module | None = None) -> None:
        self.generator: Any = _still(generator)
        # A discriminator is trained on the features of the generator that learns, not of its average.
        self._judged_by: Any = self.generator
        self.discriminator = None if discriminator is None else _still(discriminator)

    def take(self, learner: RowLearner) -> None:
        """Be a copy of what a learner has come to: its averaged generator, and its discriminator."""
        self.generator = _still(learner.averaged)
        self._judged_by = _still(learner.generator)
        self.discriminator = _still(learner.discriminator)

    @torch.no_grad()
    def complete(self, rows: Tensor, seen: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Rows (B, ...) whose entries that are not ``seen`` (B, ...) bool are made up; see `RowGenerator.complete`.

        Raises
        ------
        SettingsError
            The generator cannot do that.
        """
        if not hasattr(self.generator, "complete"):
            raise SettingsError(
                f"the generator, a {type(self.generator).__name__}, has no complete(rows, seen): give one that has, "
                "such as CompletingVAE of clairvoy.generative.rows.completing"
            )
        device = _device(self.generator)
        completed: Tensor = self.generator.complete(rows.to(device), seen.to(device), noise)
        return completed.to(rows.device)

    @torch.no_grad()
    def imagine(self, count: int, noise: torch.Generator, given: Given | None = None) -> Tensor:
        """New rows (count, ...); with ``given``, such as hold what is given."""
        asked = () if given is None else (given,)
        rows: Tensor = self.generator.decode(self.generator.imagine(count, noise, *asked))
        return rows.cpu()

    @torch.no_grad()
    def judge(self, rows: Tensor) -> Tensor:
        """The discriminator's logit (B,) of each row: the log ratio of the densities of real and generated rows.

        Raises
        ------
        SettingsError
            The snapshot was made without a discriminator.
        """
        if self.discriminator is None:
            raise SettingsError("this snapshot has no discriminator; hand one in, or take it of a learner")
        features = self._judged_by.last_features(self._judged_by.encode(rows.to(_device(self._judged_by))))
        logits: Tensor = self.discriminator(features)
        return logits.to(rows.device)

    @torch.no_grad()
    def surprise(self, rows: Tensor, noise: torch.Generator) -> Tensor:
        """How little the generator understands each row, (B,): its loss."""
        encoded = self.generator.encode(rows.to(_device(self.generator)))
        loss: Tensor = self.generator.loss(encoded, noise)
        return loss.to(rows.device)

    def state_dict(self) -> dict[str, Any]:
        """All weights, as they stand."""
        return {name: copy.deepcopy(part.state_dict()) for name, part in self._parts().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Be what `state_dict` was taken of."""
        if self._judged_by is self.generator:
            self._judged_by = _still(self.generator)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, nn.Module]:
        parts = {"generator": self.generator, "judged_by": self._judged_by}
        return parts if self.discriminator is None else parts | {"discriminator": self.discriminator}


def _still(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).eval().requires_grad_(False)


def _device(module: nn.Module) -> torch.device:
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device
