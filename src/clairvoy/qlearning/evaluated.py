"""A training that is evaluated at intervals, so that the best weights are kept and not the last ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from clairvoy.errors import SettingsError
from clairvoy.qlearning.agent import Agent


class Training(Protocol):
    """What learns in rounds, such as `pqn.PQNTraining`, `dqn_training.DQNTraining` and `cotraining.loop.Cotraining`."""

    @property
    def steps(self) -> int:
        """Steps of all environments together so far."""
        ...

    @property
    def budget(self) -> int:
        """Steps to train for."""
        ...

    @property
    def over(self) -> bool:
        """Whether all is done that was to be."""
        ...

    @property
    def agent(self) -> Agent:
        """What is trained."""
        ...

    def round(self) -> dict[str, float]:
        """Act and learn; returns metrics."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that later rounds depend on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        ...


Evaluate = Callable[[], tuple[float, dict[str, float]]]
"""Measures the agent as it is now: a score, by which the best is chosen, and metrics."""


@dataclass
class Best:
    """The best agent so far, by its evaluation."""

    score: float = float("-inf")
    """Of the evaluation that chose it: the mean return, in `online.train_online`. The best of several: measure the agent
    anew, on other episodes, to report it."""
    steps: int = 0
    """Steps trained when it was evaluated."""
    metrics: dict[str, float] = field(default_factory=dict)
    """All metrics of this evaluation."""
    network: dict[str, Any] = field(default_factory=dict)
    """Its weights."""


@dataclass
class Trained:
    """What a training with evaluations gave."""

    best: Best
    evaluations: list[tuple[int, float]]
    """Steps and score of all of them, in order."""
    finished: bool
    """False if it was interrupted before the budget was spent; resume it then."""


class EvaluatedTraining:
    """Rounds of a training, an evaluation when it is time, and the best weights kept.

    Parameters
    ----------
    training
        Its agent is trained in place.
    evaluate
        See `Evaluate`. It may be stopped in the middle; when the run is resumed it is done again.
    every
        Steps of all environments together between two evaluations; there is one more at the end.
    stop_at
        Score at which training ends; None goes on to the budget.
    same
        Further settings that a resumed run must share with the one that it continues.
    """

    def __init__(
        self,
        training: Training,
        evaluate: Evaluate,
        every: int,
        *,
        stop_at: float | None = None,
        same: Mapping[str, Any] | None = None,
    ) -> None:
        self.training, self.evaluate, self.every, self.stop_at = training, evaluate, every, stop_at
        self.same = {"budget": training.budget, "evaluate_every": every, **(same or {})}
        self.best, self.whole = Best(), True
        self.due = False
        """Whether the training stands before an evaluation."""
        self.latest: dict[str, float] = {}
        """Metrics of the latest round."""
        self.evaluations: list[tuple[int, float]] = []

    @property
    def count(self) -> int:
        """Steps of all environments together so far."""
        return self.training.steps

    @property
    def over(self) -> bool:
        """Whether the budget is spent, or the score wanted was reached."""
        enough = self.stop_at is not None and self.best.score >= self.stop_at
        return not self.due and (enough or self.training.over)

    def round(self) -> dict[str, float]:
        """One round and, when it is time, an evaluation; what a run stopped in the middle of is done again."""
        if not self.due:
            self.whole = False
            before = self.training.steps
            self.latest = self.training.round()
            self.due = self.training.steps // self.every > before // self.every or self.training.over
            self.whole = True
        metrics = dict(self.latest)
        if self.due:
            metrics |= self._evaluate()
            self.due = False
        return metrics

    def result(self, finished: bool) -> Trained:
        """Give the agent the best weights, if there was an evaluation, and tell of all of them."""
        if self.best.network:
            self.training.agent.take_weights(self.best.network)
        return Trained(self.best, self.evaluations, finished)

    def _evaluate(self) -> dict[str, float]:
        score, metrics = self.evaluate()
        self.evaluations.append((self.training.steps, score))
        if score > self.best.score:
            weights = copy.deepcopy(self.training.agent.acting.state_dict())
            self.best = Best(score, self.training.steps, metrics, weights)
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """The whole state of the run."""
        return {
            "training": self.training.state_dict(),
            "same": dict(self.same),
            "best": asdict(self.best),
            "evaluations": [list(evaluation) for evaluation in self.evaluations],
            "due": self.due,
            "latest": dict(self.latest),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the run that `state_dict` was taken of.

        Raises
        ------
        SettingsError
            It had other settings.
        """
        for name, now in self.same.items():
            was = state["same"][name]
            if was != now:
                raise SettingsError(f"{name} is {now}, the saved run had {was}; resume it with that")
        self.training.load_state_dict(state["training"])
        self.best = Best(**state["best"])
        self.evaluations = [(int(steps), float(value)) for steps, value in state["evaluations"]]
        self.due, self.latest = bool(state["due"]), dict(state["latest"])
