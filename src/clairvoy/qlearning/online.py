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
from clairvoy.qlearning.rollout import LONGEST, evaluate
from clairvoy.storage.run_file import Checkpoint, load_run


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
    longest: int = LONGEST
    """Steps after which an evaluation cuts an episode."""
    stop_at: float | None = None
    """Mean return of an evaluation at which training ends; None goes on to the budget."""
    save_seconds: float = 180.0
    """Time between two checkpoints."""

    def __post_init__(self) -> None:
        for name in ("evaluate_every", "episodes", "longest"):
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


Report = Callable[[int, dict[str, float]], bool | None]
"""Called after each round with the steps so far and the metrics; what gives False ends the training."""


class _OutOfTimeError(Exception):
    """The deadline passed during an evaluation."""


def train_online(
    training: Training,
    evaluation_environment: BatchedEnvironment,
    settings: OnlineSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
    deadline: float | None = None,
    pause: Callable[[], None] | None = None,
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
        was one, and ``evaluation/cut`` if episodes of it were cut. The training stops where it gives False.
    deadline
        `time.monotonic()` at which to stop as if interrupted; also in an evaluation, which is then done again when the
        run is resumed.
    pause
        Called before every step of an evaluation; it may raise KeyboardInterrupt, which stops as Ctrl-C does.

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
    interrupted, file = False, Checkpoint(checkpoint, settings.save_seconds)

    def in_time() -> None:
        if deadline is not None and time.monotonic() >= deadline:
            raise _OutOfTimeError
        if pause is not None:
            pause()

    try:
        while not run.over and (deadline is None or time.monotonic() < deadline):
            metrics = run.round(in_time)
            if report is not None and report(training.steps, metrics) is False:
                interrupted = True
                break
            file.now_and_then(run.state_dict)
    except KeyboardInterrupt:
        interrupted = True
    except _OutOfTimeError:
        pass
    # An interrupt inside a round leaves it half done; what was saved before it still counts.
    if run.whole:
        file.at_the_end(run.state_dict, finished=run.over and not interrupted)
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
        self.due = False
        """Whether the training stands before an evaluation."""
        self.told: dict[str, float] = {}
        """Metrics of the round before it."""
        self.evaluations: list[tuple[int, float]] = []

    @property
    def over(self) -> bool:
        """Whether the budget is spent, or the return wanted was reached."""
        stop = self.settings.stop_at
        enough = stop is not None and self.best.mean_return >= stop
        return not self.due and (enough or self.training.steps >= self.training.budget)

    def round(self, pause: Callable[[], None]) -> dict[str, float]:
        """One round and, when it is time, an evaluation; what a run stopped in the middle of is done again."""
        if not self.due:
            self.whole = False
            every, before = self.settings.evaluate_every, self.training.steps
            self.told = self.training.round()
            after = self.training.steps
            self.due = after // every > before // every or after >= self.training.budget
            self.whole = True
        metrics = dict(self.told)
        if self.due:
            metrics |= self._evaluate(pause)
            self.due = False
        return metrics

    def _evaluate(self, pause: Callable[[], None]) -> dict[str, float]:
        agent, settings = self.training.agent, self.settings
        played = evaluate(
            self.environment,
            agent.act_greedily,
            settings.episodes,
            torch.Generator().manual_seed(settings.seed),
            longest=settings.longest,
            pause=pause,
        )
        self.evaluations.append((self.training.steps, played.mean_return))
        if played.mean_return > self.best.mean_return:
            self.best = Best(
                played.mean_return, self.training.steps, copy.deepcopy(agent.acting.state_dict())
            )
        told = {"evaluation/return": played.mean_return}
        return told | ({"evaluation/cut": float(played.cut)} if played.cut else {})

    def state_dict(self) -> dict[str, Any]:
        """The whole state of the run."""
        return {
            "training": self.training.state_dict(),
            "budget": self.training.budget,
            "settings": asdict(self.settings),
            "best": asdict(self.best),
            "evaluations": [list(evaluation) for evaluation in self.evaluations],
            "due": self.due,
            "told": dict(self.told),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the run that `state_dict` was taken of."""
        for name, was, now in (
            ("budget", state["budget"], self.training.budget),
            ("evaluate_every", state["settings"]["evaluate_every"], self.settings.evaluate_every),
            ("episodes", state["settings"]["episodes"], self.settings.episodes),
            ("seed", state["settings"]["seed"], self.settings.seed),
            ("longest", state["settings"]["longest"], self.settings.longest),
        ):
            if was != now:
                raise SettingsError(f"{name} is {now}, the saved run had {was}; resume it with that")
        self.training.load_state_dict(state["training"])
        self.best = Best(**state["best"])
        self.evaluations = [(int(steps), float(value)) for steps, value in state["evaluations"]]
        self.due, self.told = bool(state["due"]), dict(state["told"])
