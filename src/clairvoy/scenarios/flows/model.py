"""A trained triage: what it makes of flows that it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.generative.rows.completing import CompletingVAE
from clairvoy.generative.rows.data_kinds import DataKind
from clairvoy.qlearning.policy import greedy
from clairvoy.scenarios.flows.beliefs import Beliefs
from clairvoy.scenarios.flows.confidence import Confidence
from clairvoy.scenarios.flows.records.encoding import Encoding
from clairvoy.scenarios.flows.records.table import FlowTable
from clairvoy.scenarios.flows.rows import field_of_numbers, fields_of, group_of_numbers, labelled
from clairvoy.scenarios.flows.triage import OPEN, Triage, TriageSettings
from clairvoy.scenarios.own.scene_environment import BELIEF

AT_A_TIME = 8192
"""Flows in a batch."""


@dataclass(frozen=True)
class Verdicts:
    """What was made of R flows.

    Attributes
    ----------
    encoded
        Fields as numbers, (R, W).
    opened
        Groups that were looked at, (R, G) bool.
    end
        How the agent ended: `triage.PASS`, `ALARM` or `PERSON`, (R,) int64.
    logits
        Of the classes, before calibration, (R, C).
    probability
        Calibrated, of the classes, (R, C).
    surprise
        How little the generator understands each, (R,) in nats for each entry.
    """

    encoded: Tensor
    opened: Tensor
    end: Tensor
    logits: Tensor
    probability: Tensor
    surprise: Tensor


@dataclass
class FlowModel:
    """The trained parts, and what they need to know.

    Attributes
    ----------
    encoding, kind
        How flows become rows, and the kind of labelled rows.
    classes, benign
        Names of the classes, of which the first `benign` are no attack.
    beliefs, agent, generator
        The networks: what a flow is, what to do next, how rows of each class look.
    confidence
        Calibrates beliefs where the agent stopped looking.
    confidence_of_all
        The same where all groups are open.
    strange_from
        A flow that surprises the generator more is unlike anything seen.
    notes
        What is to be said of the training, as JSON holds it.
    """

    encoding: Encoding
    kind: DataKind
    classes: tuple[str, ...]
    benign: int
    beliefs: Beliefs
    agent: nn.Module
    generator: CompletingVAE
    confidence: Confidence
    confidence_of_all: Confidence
    strange_from: float = float("inf")
    settings: TriageSettings = field(default_factory=TriageSettings)
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def triage(self) -> Triage:
        """The rules that the agent plays by."""
        costs = torch.tensor([self.encoding.schema.costs[group] for group in self.encoding.schema.groups])
        return Triage(self.kind, self.beliefs, self.benign, costs, self.settings)

    def encoded(self, table: FlowTable) -> Tensor:
        """Fields of flows as numbers, (R, W)."""
        rows = self.encoding.rows(table)
        return fields_of(self.kind, labelled(rows, torch.zeros(len(rows))))

    def judge(self, table: FlowTable, *, look_at_all: bool = False) -> Verdicts:
        """Look at flows, as far as the agent cares to, or at all of each; no randomness that is not seeded.

        Parameters
        ----------
        table
            Of the model's schema; labels are not looked at.
        look_at_all
            Open every group instead of asking the agent.
        """
        encoded = self.encoded(table)
        parts = [self._judge(part, look_at_all) for part in encoded.split(AT_A_TIME)]
        return Verdicts(encoded, *(torch.cat(column) for column in zip(*parts, strict=True)))

    @torch.no_grad()
    def look(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """What the agent opens of each (R, G) bool, and how it ends (R,), without exploration."""
        triage = self.triage
        opened = torch.zeros(len(encoded), len(triage.share), dtype=torch.bool)
        end = torch.full((len(encoded),), -1)
        while len(live := (end < 0).nonzero()[:, 0]):
            seen = triage.seen(encoded[live], opened[live])
            # The belief about a whole scene would tell what is not opened yet: nobody is told it here.
            q = self.agent({**seen, BELIEF: torch.zeros(len(live), 2)})
            action = greedy(q, triage.allowed(opened[live]))
            over = action < OPEN
            end[live[over]] = action[over]
            opened[live[~over], action[~over] - OPEN] = True
        return opened, end

    @torch.no_grad()
    def surprise(self, encoded: Tensor, believed: Tensor) -> Tensor:
        """How little the generator understands encoded fields (R, W) taken for the classes ``believed`` (R,)."""
        count = self.kind.choices[-1][1]
        whole = torch.cat([encoded.clamp(-20, 20), nn.functional.one_hot(believed, count).float()], dim=1)
        seen = torch.zeros(len(whole), *self.kind.shape, dtype=torch.bool)
        seen[:, -1] = True
        loss: Tensor = self.generator.loss(whole, torch.Generator().manual_seed(0), seen)
        return loss

    @torch.no_grad()
    def decisive(self, encoded: Tensor, opened: Tensor) -> tuple[list[str], Tensor]:
        """Which fields decided: for each field of the schema, what it adds to the log-odds of an attack, (R, F).

        A field's part is how much the log-odds fall when it alone is set to its usual value; 0 where it was not opened.
        """
        names, parts = self._parts(encoded, lambda rows: self._log_odds(rows, opened))
        return names, parts * opened[:, [self._group_of[name] for name in names]]

    @torch.no_grad()
    def odd(self, encoded: Tensor, believed: Tensor) -> Tensor:
        """Which fields surprise: how much `surprise` falls when each alone is set to its usual value, (R, F)."""
        return self._parts(encoded, lambda rows: self.surprise(rows, believed))[1]

    @property
    def usual(self) -> Tensor:
        """An encoded flow of usual values, (W,): the mean of numbers, and each category in equal parts unknown."""
        count = len(self.kind.numbers) + len(self.kind.bits)
        return torch.cat([torch.zeros(count), *(torch.full((k,), 1 / k) for _, k in self.kind.choices[:-1])])

    @property
    def _group_of(self) -> dict[str, int]:
        names = field_of_numbers(self.encoding, self.kind)
        return dict(zip(names, group_of_numbers(self.encoding, self.kind).tolist(), strict=True))

    def _parts(self, encoded: Tensor, score: Callable[[Tensor], Tensor]) -> tuple[list[str], Tensor]:
        """What each field of the schema adds to a score of encoded rows, (R, F)."""
        names = field_of_numbers(self.encoding, self.kind)
        fields = [entry.name for entry in self.encoding.schema.fields]
        usual, whole = self.usual, score(encoded)
        without = [
            torch.where(torch.tensor([name == field for name in names]), usual, encoded) for field in fields
        ]
        return fields, torch.stack([whole - score(rows) for rows in without], dim=1)

    def _log_odds(self, encoded: Tensor, opened: Tensor) -> Tensor:
        """Of an attack, (R,)."""
        told: Tensor = self.beliefs(encoded, opened).log_softmax(dim=1)
        return told[:, self.benign :].logsumexp(dim=1) - told[:, : self.benign].logsumexp(dim=1)

    @torch.no_grad()
    def _judge(self, encoded: Tensor, look_at_all: bool) -> tuple[Tensor, ...]:
        opened, end = self.look(encoded)
        if look_at_all:
            opened = torch.ones_like(opened)
        logits = self.beliefs(encoded, opened)
        tau = (self.confidence_of_all if look_at_all else self.confidence)(logits).exp()
        return opened, end, logits, tau, self.surprise(encoded, tau.argmax(dim=1))
