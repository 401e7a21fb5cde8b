"""A history of two kinds: what an environment did, and what a model of it made up, mixed in every batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.history import History
from clairvoy.qlearning.transitions import Observation, Transitions, joined

HELD_OUT = 10
"""Every so-many-th single step is held out: the model never learns from it, its confidence is calibrated on it."""
ENDS = 2000
"""Ends of episodes that are kept apart."""


class MixedHistory:
    """What the agent learns from, real and generated, and what the generator learns from, real alone.

    A batch has the real transitions that were asked for, and generated ones besides. So where nothing generated is trusted,
    learning from this is learning from real transitions alone, the same numbers in the same order. Within each kind the
    draw is by priority. The agent's real transitions may be of several steps; the model learns from single ones.

    Parameters
    ----------
    real
        The agent's, of n steps.
    steps
        The model's, of single steps, for as many environments.
    held_out
        Single steps likewise, for `HELD_OUT`.
    generated
        The oldest give way, so that none are much older than the model of today.
    per_real
        Generated transitions in a batch for each real one, at least 0.

    Attributes
    ----------
    trust
        In [0, 1]; a batch holds that part of the generated transitions that it might.
    """

    def __init__(
        self, real: History, steps: History, held_out: History, generated: History, per_real: float
    ) -> None:
        if not 0 <= per_real < math.inf:
            raise SettingsError(
                f"per_real is {per_real}; generated transitions for each real one are at least 0"
            )
        if steps.settings.n_step != 1 or held_out.settings.n_step != 1:
            raise SettingsError("n_step of steps and held_out must be 1: the model predicts single steps")
        self.real, self.steps, self.held_out = real, steps, held_out
        self.generated, self.per_real, self.trust = generated, per_real, 1.0
        settings = replace(steps.settings, capacity=min(ENDS, steps.settings.capacity))
        self.ends = History(settings, steps.num_envs, steps.num_actions, torch.Generator())
        """The steps among `steps` that ended an episode: seldom, and decisive."""
        self.appended, self.stepped, self.ended = 0, 0, 0

    def __len__(self) -> int:
        return len(self.real)

    def append(self, observation: Observation, action: Tensor, step: Step) -> int:
        """Take one real step of all environments; see `History.append`."""
        self.appended += 1
        if self.appended % HELD_OUT == 0:
            self.held_out.append(observation, action, step)
        else:
            newest = self.steps.recent(self.steps.append(observation, action, step))
            ended = (newest.discount == 0).nonzero()[:, 0]
            self.stepped, self.ended = self.stepped + len(newest), self.ended + len(ended)
            if len(ended):
                self.ends.add(newest.rows(ended))
        return self.real.append(observation, action, step)

    @property
    def end_rate(self) -> float:
        """Part of the single steps that ended an episode; half a step of either kind is added to what was seen."""
        return (self.ended + 0.5) / (self.stepped + 1)

    def sample(
        self, batch_size: int, importance_exponent: float | None = None, batches: int = 1
    ) -> Transitions:
        """Batches of `batch_size` real transitions each, and generated ones besides.

        ``index`` of these is negative, counted from -1.
        """
        made = round(batch_size * self.per_real * self.trust) if len(self.generated) else 0
        real = self.real.sample(batch_size, importance_exponent, batches)
        if not made:
            return real
        generated = self.generated.sample(made, importance_exponent, batches)
        assert generated.index is not None
        generated = replace(generated, index=-1 - generated.index)
        # Batch by batch, each with its share of both.
        order = torch.cat(
            [
                torch.arange(len(real)).view(batches, -1),
                len(real) + torch.arange(len(generated)).view(batches, -1),
            ],
            dim=1,
        ).flatten()
        return joined([real, generated]).rows(order)

    def update_priorities(self, index: Tensor, td_error: Tensor) -> None:
        """Set priorities from TD errors, each in the history that its transition came from."""
        made = index < 0
        self.real.update_priorities(index[~made], td_error[~made])
        if bool(made.any()):
            self.generated.update_priorities(-1 - index[made], td_error[made])

    def drop_unfinished(self) -> None:
        """See `History.drop_unfinished`."""
        for history in (self.real, self.steps, self.held_out):
            history.drop_unfinished()

    def state_dict(self) -> dict[str, Any]:
        """All histories."""
        return {
            "real": self.real.state_dict(),
            "steps": self.steps.state_dict(),
            "held_out": self.held_out.state_dict(),
            "generated": self.generated.state_dict(),
            "ends": self.ends.state_dict(),
            "counts": [self.appended, self.stepped, self.ended],
            "trust": self.trust,
            "per_real": self.per_real,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`.

        Raises
        ------
        SettingsError
            It is of a history with another `per_real`.
        """
        if state.get("per_real") != self.per_real:
            raise SettingsError(
                f"per_real is {self.per_real}, and the history saved has {state.get('per_real')}; resume with the settings "
                "and the version that the run began with"
            )
        for name in ("real", "steps", "held_out", "generated", "ends"):
            getattr(self, name).load_state_dict(state[name])
        self.appended, self.stepped, self.ended = (int(count) for count in state["counts"])
        self.trust = float(state["trust"])
