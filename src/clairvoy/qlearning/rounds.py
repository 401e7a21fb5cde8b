"""One driver for everything that trains in rounds, and the rounds of a training that is evaluated at intervals.

`run_rounds` knows when to stop (budget, deadline, Ctrl-C, somebody's word) and when to save. `EvaluatedTraining` adds
evaluations to any `Training`, and keeps the best weights that one of them found.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from clairvoy.errors import SettingsError
from clairvoy.qlearning.agent import Agent
from clairvoy.storage.run_file import Checkpoint, load_run

Report = Callable[[int, dict[str, float]], bool | None]
"""Called after each round with the count so far and the metrics; what gives False ends the training."""


class OutOfTimeError(Exception):
    """The deadline passed inside a round."""


class Limits:
    """What may end a training before its budget is spent.

    Parameters
    ----------
    deadline
        `time.monotonic()` at which to stop as if interrupted; None: never.
    pause
        Called by `check`; it may raise KeyboardInterrupt, which stops as Ctrl-C does.
    """

    def __init__(self, deadline: float | None = None, pause: Callable[[], None] | None = None) -> None:
        self.deadline, self.pause = deadline, pause

    @property
    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def check(self) -> None:
        """Call it wherever a long round may be stopped.

        Raises
        ------
        OutOfTimeError
            The deadline has passed.
        KeyboardInterrupt
            `pause` said so.
        """
        if self.passed:
            raise OutOfTimeError
        if self.pause is not None:
            self.pause()


class Rounds(Protocol):
    """What `run_rounds` drives: `cotraining.loop.Cotraining` and `EvaluatedTraining`."""

    @property
    def count(self) -> int:
        """How far it is, in what it counts by: updates or steps."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the state is that between two rounds, and can be saved."""
        ...

    def round(self) -> dict[str, float]:
        """Do one round; returns metrics."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that later rounds depend on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        ...


def run_rounds(
    rounds: Rounds,
    limits: Limits | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
    save_seconds: float = 180.0,
) -> bool:
    """Go round after round until all is done or something ends it.

    Parameters
    ----------
    rounds
        What is driven.
    limits
        See `Limits`; None: only the budget ends it, or Ctrl-C.
    checkpoint
        File that the whole state is saved to every `save_seconds`, at the end, and at Ctrl-C.
    resume
        Continue the run saved there.
    report
        See `Report`.
    save_seconds
        Time between two checkpoints.

    Returns
    -------
    bool
        Whether it came to its end; False if it was interrupted.

    Raises
    ------
    SettingsError
        ``resume`` without ``checkpoint``, or other settings than the saved run had.
    FileError
        The disk refuses the last checkpoint of a run that is not finished.
    """
    limits = limits or Limits()
    if resume:
        if checkpoint is None:
            raise SettingsError("resume needs a checkpoint; name the file to continue from")
        rounds.load_state_dict(load_run(checkpoint))
    interrupted, file = False, Checkpoint(checkpoint, save_seconds)
    try:
        while not rounds.over and not limits.passed:
            metrics = rounds.round()
            if report is not None and report(rounds.count, metrics) is False:
                interrupted = True
                break
            file.now_and_then(rounds.state_dict)
    except KeyboardInterrupt:
        interrupted = True
    except OutOfTimeError:
        pass
    # An interrupt inside a round leaves it half done; what was saved before it still counts.
    finished = rounds.over and not interrupted
    if rounds.whole:
        file.at_the_end(rounds.state_dict, finished)
    return finished


class Training(Protocol):
    """What learns in rounds: `pqn.PQNTraining`, `dqn_training.DQNTraining`, `cotraining.loop.Cotraining`."""

    @property
    def steps(self) -> int:
        """Steps of all environments together so far."""
        ...

    @property
    def budget(self) -> int:
        """Steps to train for."""
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
"""Measures the agent as it is now: by what the best is chosen, and metrics."""


@dataclass
class Best:
    """The best agent so far, by its evaluation."""

    mean_return: float = float("-inf")
    """Of the evaluation that chose it. The best of several: measure it anew, on other episodes, to report it."""
    steps: int = 0
    """Steps trained when it was evaluated."""
    metrics: dict[str, float] = field(default_factory=dict)
    """All that this evaluation told."""
    network: dict[str, Any] = field(default_factory=dict)
    """Its weights."""


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
        Mean return at which training ends; None goes on to the budget.
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
        self.told: dict[str, float] = {}
        """Metrics of the round before it."""
        self.evaluations: list[tuple[int, float]] = []

    @property
    def count(self) -> int:
        """Steps of all environments together so far."""
        return self.training.steps

    @property
    def over(self) -> bool:
        """Whether the budget is spent, or the return wanted was reached."""
        enough = self.stop_at is not None and self.best.mean_return >= self.stop_at
        return not self.due and (enough or self.training.steps >= self.training.budget)

    def round(self) -> dict[str, float]:
        """One round and, when it is time, an evaluation; what a run stopped in the middle of is done again."""
        if not self.due:
            self.whole = False
            before = self.training.steps
            self.told = self.training.round()
            after = self.training.steps
            self.due = after // self.every > before // self.every or after >= self.training.budget
            self.whole = True
        metrics = dict(self.told)
        if self.due:
            metrics |= self._evaluate()
            self.due = False
        return metrics

    def take_best(self) -> None:
        """Give the agent the best weights, if there was an evaluation."""
        if self.best.network:
            self.training.agent.take_weights(self.best.network)

    def _evaluate(self) -> dict[str, float]:
        mean_return, told = self.evaluate()
        self.evaluations.append((self.training.steps, mean_return))
        if mean_return > self.best.mean_return:
            weights = copy.deepcopy(self.training.agent.acting.state_dict())
            self.best = Best(mean_return, self.training.steps, told, weights)
        return told

    def state_dict(self) -> dict[str, Any]:
        """The whole state of the run."""
        return {
            "training": self.training.state_dict(),
            "same": dict(self.same),
            "best": asdict(self.best),
            "evaluations": [list(evaluation) for evaluation in self.evaluations],
            "due": self.due,
            "told": dict(self.told),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the run that `state_dict` was taken of.

        Raises
        ------
        SettingsError
            It had other settings.
        """
        for name, now in self.same.items():
            was = state["same"].get(name)
            if was != now:
                raise SettingsError(f"{name} is {now}, the saved run had {was}; resume it with that")
        self.training.load_state_dict(state["training"])
        self.best = Best(**state["best"])
        self.evaluations = [(int(steps), float(value)) for steps, value in state["evaluations"]]
        self.due, self.told = bool(state["due"]), dict(state["told"])
