"""Training with an environment: rounds, evaluation at intervals, the best agent kept, exact resume.

Three phases, three functions, never mixed: `train_online` learns while it acts, `dqn.learn_from_history` learns with
no environment, `rollout.evaluate` acts without exploration and learns nothing.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from clairvoy.errors import SettingsError
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.rollout import evaluate
from clairvoy.run_file import load_run, save_run


class Training(Protocol):
    """What learns in rounds: `pqn.PQNTraining` and `dqn_training.DQNTraining`."""

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


@dataclass(frozen=True)
class OnlineSettings:
    """Settings of `train_online`."""

    evaluate_every: int = 10_000
    """Steps of all environments together between two evaluations; there is one more at the end."""
    episodes: int = 32
    """Episodes of each."""
    seed: int = 1_000_003
    """Of their starts: the same in every evaluation, so that agents are compared on the same episodes."""
    stop_at: float | None = None
    """Mean return of an evaluation at which training ends; None goes on to the budget."""
    save_seconds: float = 180.0
    """Time between two checkpoints."""

    def __post_init__(self) -> None:
        for name in ("evaluate_every", "episodes"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass
class Best:
    """The best agent so far, by its evaluation."""

    mean_return: float = float("-inf")
    """Of the evaluation that chose it. The best of several: measure it anew, on other episodes, to report it."""
    steps: int = 0
    """Steps trained when it was evaluated."""
    network: dict[str, Any] = field(default_factory=dict)
    """Its weights."""


@dataclass
class Trained:
    """What `train_online` gave."""

    best: Best
    evaluations: list[tuple[int, float]]
    """Steps and mean return of all of them, in order."""
    finished: bool
    """False if it was interrupted before the budget was spent; resume it then."""


Report = Callable[[int, dict[str, float]], None]


def train_online(
    training: Training,
    evaluation_environment: BatchedEnvironment,
    settings: OnlineSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
    deadline: float | None = None,
) -> Trained:
    """Train to the budget; the agent then holds the best weights that any evaluation found, not the last ones.

    Parameters
    ----------
    training
        Its agent is trained in place.
    evaluation_environment
        Of the same kind as the one trained in, and not the same object: it is reset for every evaluation.
    settings
        See `OnlineSettings`.
    checkpoint
        File that the whole state is saved to every few minutes, at the end, and at Ctrl-C.
    resume
        Continue the run saved there: exactly, if the environment has ``state_dict``.
    report
        Called after each round with the steps so far and the metrics, ``evaluation/return`` among them when there
        was one.
    deadline
        `time.monotonic()` at which to stop as if interrupted.

    Raises
    ------
    SettingsError
        ``resume`` without ``checkpoint``, or other settings than the saved run had.
    """
    settings = settings or OnlineSettings()
    run = _Run(training, evaluation_environment, settings)
    if resume:
        if checkpoint is None:
            raise SettingsError("resume needs a checkpoint; name the file to continue from")
        run.load_state_dict(load_run(checkpoint))
    interrupted, saved = False, time.monotonic()
    try:
        while not run.over and (deadline is None or time.monotonic() < deadline):
            metrics = run.round()
            if report is not None:
                report(training.steps, metrics)
            if checkpoint is not None and time.monotonic() - saved > settings.save_seconds:
                save_run(checkpoint, run.state_dict())
                saved = time.monotonic()
    except KeyboardInterrupt:
        interrupted = True
    # An interrupt inside a round leaves it half done; what was saved before it still counts.
    if checkpoint is not None and run.whole:
        save_run(checkpoint, run.state_dict())
    if run.best.network:
        training.agent.take_weights(run.best.network)
    return Trained(run.best, run.evaluations, run.over and not interrupted)


class _Run:
    """The state of a run and one round of it."""

    def __init__(
        self, training: Training, evaluation_environment: BatchedEnvironment, settings: OnlineSettings
    ) -> None:
        self.training, self.environment, self.settings = training, evaluation_environment, settings
        self.best, self.whole = Best(), True
        self.evaluations: list[tuple[int, float]] = []

    @property
    def over(self) -> bool:
        """Whether the budget is spent, or the return wanted was reached."""
        stop = self.settings.stop_at
        return self.training.steps >= self.training.budget or (
            stop is not None and self.best.mean_return >= stop
        )

    def round(self) -> dict[str, float]:
        """One round and, when it is time, an evaluation."""
        self.whole = False
        every, before = self.settings.evaluate_every, self.training.steps
        metrics = self.training.round()
        after = self.training.steps
        if after // every > before // every or after >= self.training.budget:
            metrics["evaluation/return"] = self._evaluate()
        self.whole = True
        return metrics

    def _evaluate(self) -> float:
        agent = self.training.agent
        played = evaluate(
            self.environment,
            agent.act_greedily,
            self.settings.episodes,
            torch.Generator().manual_seed(self.settings.seed),
        )
        self.evaluations.append((self.training.steps, played.mean_return))
        if played.mean_return > self.best.mean_return:
            self.best = Best(
                played.mean_return, self.training.steps, copy.deepcopy(agent.acting.state_dict())
            )
        return played.mean_return

    def state_dict(self) -> dict[str, Any]:
        """The whole state of the run."""
        return {
            "training": self.training.state_dict(),
            "budget": self.training.budget,
            "settings": asdict(self.settings),
            "best": asdict(self.best),
            "evaluations": [list(evaluation) for evaluation in self.evaluations],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the run that `state_dict` was taken of."""
        for name, was, now in (
            ("budget", state["budget"], self.training.budget),
            ("evaluate_every", state["settings"]["evaluate_every"], self.settings.evaluate_every),
            ("episodes", state["settings"]["episodes"], self.settings.episodes),
            ("seed", state["settings"]["seed"], self.settings.seed),
        ):
            if was != now:
                raise SettingsError(f"{name} is {now}, the saved run had {was}; resume it with that")
        self.training.load_state_dict(state["training"])
        self.best = Best(**state["best"])
        self.evaluations = [(int(steps), float(value)) for steps, value in state["evaluations"]]
