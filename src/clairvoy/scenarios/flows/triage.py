"""Triage as a game: an agent opens groups of a flow's fields, then passes it, raises an alarm or hands it to a person.

Each flow is an episode. Looking costs, a person costs, and being wrong costs most. What the agent sees is what was opened,
and what is believed of it; the class is known to the reward alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clairvoy.errors import above, at_least
from clairvoy.generative.rows.data_kinds import DataKind
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.flows.beliefs import Beliefs
from clairvoy.scenarios.flows.rows import class_of, fields_of
from clairvoy.scenarios.own.scene_environment import Rules, State

PASS, ALARM, PERSON = 0, 1, 2
"""The three ways to end; action 3 + g opens group g."""
OPEN = 3


@dataclass(frozen=True)
class TriageSettings:
    """What ending and looking are worth. A right pass, and a right alarm of the right class, are worth 1."""

    other_class: float = 0.5
    """An alarm about an attack that is taken for another one."""
    missed: float = 2.0
    """Price of passing an attack."""
    false_alarm: float = 2.0
    """Price of an alarm about a harmless flow."""
    person: float = 0.5
    """Price of a person's time, who is always right."""
    looking: float = 0.04
    """Price of looking at everything; a group costs its share."""

    def __post_init__(self) -> None:
        above(self, 0, "missed", "false_alarm", "person")
        at_least(self, 0, "looking", "other_class")


class Triage:
    """The rules, for flows of one kind.

    Parameters
    ----------
    kind
        Of labelled rows; see `rows`.
    beliefs
        Says what a flow may be. It stands still: what the agent learns must not move under it.
    benign
        The first so many classes are no attack.
    costs
        Of each group, (G,), above 0.
    settings
        See `TriageSettings`.
    """

    def __init__(
        self,
        kind: DataKind,
        beliefs: Beliefs,
        benign: int,
        costs: Tensor,
        settings: TriageSettings | None = None,
    ) -> None:
        self.kind, self.beliefs, self.benign = kind, beliefs, benign
        self.share = costs / costs.sum()
        """What each group costs, as a part of all."""
        self.settings = settings or TriageSettings()

    @property
    def rules(self) -> Rules:
        """For a `SceneEnvironment` of labelled rows."""
        groups = len(self.share)
        return Rules(OPEN + groups, self.begin, self.show, self.act, groups + 1, self.allow)

    def begin(self, scene: Tensor, rng: torch.Generator) -> State:
        """Everything is closed."""
        return {"opened": torch.zeros(len(scene), len(self.share), dtype=torch.bool)}

    def show(self, scene: Tensor, state: State) -> Observation:
        """What is opened, and what is believed."""
        return self.seen(fields_of(self.kind, scene), state["opened"])

    @torch.no_grad()
    def seen(self, encoded: Tensor, opened: Tensor) -> Observation:
        """The same for encoded fields (N, W) and open groups (N, G), of flows whose class nobody knows."""
        believed = self.beliefs(encoded, opened).log_softmax(dim=1).clamp(min=-8)
        return {"shown": self.beliefs.shown(encoded, opened), "opened": opened, "believed": believed}

    def allow(self, scene: Tensor, state: State) -> Tensor:
        """All ends, once something is open; each closed group."""
        return self.allowed(state["opened"])

    def allowed(self, opened: Tensor) -> Tensor:
        """The same from open groups (N, G)."""
        ends = opened.any(dim=1, keepdim=True).expand(-1, OPEN)
        return torch.cat([ends, ~opened], dim=1)

    @torch.no_grad()
    def act(self, scene: Tensor, state: State, action: Tensor) -> tuple[State, Tensor, Tensor]:
        """Open a group and go on, or end."""
        opened, over = state["opened"].clone(), action < OPEN
        looked = (~over).nonzero()[:, 0]
        opened[looked, action[looked] - OPEN] = True
        reward = -self.settings.looking * self.share[(action - OPEN).clamp(min=0)]
        believed = self.beliefs(fields_of(self.kind, scene), state["opened"])
        return (
            {"opened": opened},
            torch.where(over, self.worth(action, class_of(scene), believed), reward),
            over,
        )

    def worth(self, action: Tensor, truth: Tensor, believed: Tensor) -> Tensor:
        """What each end (N,) is worth, for the true class (N,) and the logits of the classes (N, C)."""
        settings, attack = self.settings, truth >= self.benign
        right = believed[:, self.benign :].argmax(dim=1) + self.benign == truth
        alarm = torch.where(attack, torch.where(right, 1.0, settings.other_class), -settings.false_alarm)
        passed = torch.where(attack, -settings.missed, 1.0)
        person = torch.full_like(passed, 1 - settings.person)
        return torch.stack([passed, alarm, person], dim=1).gather(1, action.clamp(max=PERSON)[:, None])[:, 0]
