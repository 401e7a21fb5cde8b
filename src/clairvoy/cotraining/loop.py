"""Co-training: one loop in which a generator, a discriminator and a Q-learning agent train each other.

    act           the agent acts in the environment; what it saw becomes history
    learn agent   Q-learning from history
    learn models  the generator and the discriminator learn from real data and from what the agent brings
    refresh       the generator gives the agent new scenes, and new beliefs about them

The loop knows no scenario: the parts are handed in. Each feedback path has a switch, so that anybody can test whether
each half helps the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from clairvoy.errors import SettingsError, above, at_least, between
from clairvoy.processes.ranks import ALONE, Ranks
from clairvoy.qlearning.dqn import DQN, Replay, learn_from_history
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.policy import linear_schedule
from clairvoy.qlearning.rounds import Limits, Report, run_rounds
from clairvoy.qlearning.transitions import Observation


@dataclass(frozen=True)
class Feedback:
    """A switch for each path by which one part teaches another."""

    agent_to_generator: bool = True
    """What the agent met, weighed by how little the generator understood it, is part of what the generator learns from; off:
    real data alone, drawn evenly."""
    generated_scenes: bool = True
    """The generator simulates scenes for the agent."""
    beliefs: bool = True
    """What the generator and the discriminator believe is part of the agent's state."""
    gate: bool = True
    """The discriminator decides which generated scenes the agent meets; off: all of them."""


@dataclass(frozen=True)
class CotrainSettings:
    """The rhythm of the loop, counted in updates of the generator."""

    budget: int = 4000
    """Updates of the generator."""
    act_every: int = 1
    """The agent acts once in each of its environments, and learns, at every n-th update."""
    agent_updates: int = 2
    """Q-learning updates each time."""
    agent_batch: int = 128
    """Transitions in each."""
    warm_up: int = 20
    """Actions in each environment before Q-learning begins."""
    epsilon: tuple[float, float] = (1.0, 0.05)
    """Exploration, from and to."""
    exploration: float = 0.5
    """Part of the budget over which it falls, in (0, 1]."""
    refresh_every: int = 20
    """New scenes come at every n-th update."""
    save_seconds: float = 180.0
    """Time between two checkpoints."""
    seed: int = 0
    """Of the agent's exploration."""
    feedback: Feedback = field(default_factory=Feedback)
    """See `Feedback`."""

    def __post_init__(self) -> None:
        at_least(self, 1, "budget", "act_every", "agent_updates", "agent_batch", "refresh_every")
        at_least(self, 0, "warm_up")
        above(self, 0, "exploration")
        between(self, 0, 1, "exploration", "epsilon")


class RunHistory(Replay, Protocol):
    """What the agent does is kept in: a `History`, or something of its kind."""

    def append(self, observation: Observation, action: Tensor, step: Step) -> int:
        """Take one step of all environments; see `History.append`."""
        ...

    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state: dict[str, Any]) -> None: ...  # noqa: D102


class CotrainableScenario(Protocol):
    """What the loop asks of a scenario: an environment, an agent with history, and models that learn."""

    environment: Any
    """A batched environment; `state_dict` and `load_state_dict` make resume exact."""
    agent: DQN

    @property
    def history(self) -> RunHistory:
        """What the agent did, and learns from."""
        ...

    def refresh(self, feedback: Feedback) -> dict[str, float]:
        """Put new scenes, real and generated, and new beliefs into the environment."""
        ...

    def experience(self, step: Step, feedback: Feedback) -> None:
        """Take note of what the agent met."""
        ...

    def learn_models(self, feedback: Feedback) -> dict[str, float]:
        """One update of the generator and, when it is its turn, of the discriminator."""
        ...

    def finish(self) -> dict[str, float]:
        """Calibrate and settle what is left when the budget is spent."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything of the models and the data that later updates depend on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        ...


@dataclass
class Run:
    """What a co-training gave."""

    scenario: CotrainableScenario
    updates: int
    """Updates done so far; below the budget after an interruption."""
    metrics: dict[str, float]
    """The latest value of each."""
    interrupted: bool

    @property
    def agent(self) -> DQN:
        """The trained agent."""
        return self.scenario.agent


def cotrain(
    scenario: CotrainableScenario,
    settings: CotrainSettings | None = None,
    *,
    budget: int | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
    deadline: float | None = None,
    pause: Callable[[], None] | None = None,
    ranks: Ranks = ALONE,
) -> Run:
    """Train all parts of a scenario together.

    Parameters
    ----------
    scenario
        Its parts are trained in place.
    settings, budget
        See `CotrainSettings`; `budget`, at least 1, overrides that of the settings.
    checkpoint
        File that the whole state is saved to every few minutes, at the end, and at Ctrl-C.
    resume
        Continue the run saved there, exactly.
    report
        Called after each update with its number and its metrics. The training stops where it gives False.
    deadline
        `time.monotonic()` at which to stop as if interrupted.
    pause
        Called before every update; it may raise KeyboardInterrupt, which stops as Ctrl-C does.
    ranks
        Those that train together, each with a scenario of its own; see `run_rounds`.

    Returns
    -------
    Run
        Interrupted or finished.
    """
    settings = settings or CotrainSettings()
    loop = Cotraining(scenario, settings, budget, ranks)
    finished = run_rounds(
        loop,
        Limits(deadline, pause),
        checkpoint=checkpoint,
        resume=resume,
        report=report,
        save_seconds=settings.save_seconds,
        ranks=ranks,
    )
    metrics = loop.metrics | scenario.finish() if finished else loop.metrics
    return Run(scenario, loop.update, metrics, not finished)


class Cotraining:
    """The state of the loop and one round of it; `qlearning.online.train_online` can drive it too.

    `cotrain` is what most need. Hand a `Cotraining` to `train_online` where the agent is to be evaluated at intervals,
    and the best one kept.

    Parameters
    ----------
    scenario
        Its parts are trained in place.
    settings
        See `CotrainSettings`.
    total
        Updates of the generator; None takes the settings' budget.
    ranks
        Those that train together.

    Attributes
    ----------
    update
        Updates of the generator so far.
    """

    def __init__(
        self,
        scenario: CotrainableScenario,
        settings: CotrainSettings | None = None,
        total: int | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.scenario, self.settings = scenario, settings or CotrainSettings()
        self.ranks, self._ready = ranks, False
        settings = self.settings
        self.total = settings.budget if total is None else total
        if self.total < 1:
            raise SettingsError(f"budget is {self.total}; it must be at least 1")
        self.exploration = torch.Generator().manual_seed(settings.seed)
        self.episodes = torch.Generator().manual_seed(settings.seed + 1)
        self.update, self.acted, self.whole = 0, 0, True
        self.observation: dict[str, Tensor] = {}
        self.running = torch.zeros(0)
        self.metrics: dict[str, float] = {}

    @property
    def agent(self) -> DQN:
        """What is trained."""
        return self.scenario.agent

    @property
    def count(self) -> int:
        """Updates of the generator so far."""
        return self.update

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.update >= self.total

    @property
    def steps(self) -> int:
        """Steps of all environments together so far."""
        return self.acted * int(self.scenario.environment.num_envs)

    @property
    def budget(self) -> int:
        """Steps of all environments together that the updates come to."""
        return -(-self.total // self.settings.act_every) * int(self.scenario.environment.num_envs)

    def round(self) -> dict[str, float]:
        """Act, learn agent, learn models, refresh; returns metrics. The first begins the first episodes."""
        settings, scenario = self.settings, self.scenario
        self.whole = False
        if not self.observation:
            self._begin()
        metrics: dict[str, float] = {}
        if self.update % settings.act_every == 0:
            metrics |= self._act()
            if self._has_enough_history():
                learnt = learn_from_history(
                    scenario.agent, scenario.history, settings.agent_updates, settings.agent_batch
                )
                metrics |= {f"agent/{name}": value for name, value in learnt.items()}
        metrics |= scenario.learn_models(settings.feedback)
        self.update += 1
        if self.update % settings.refresh_every == 0:
            metrics |= scenario.refresh(settings.feedback)
        self.metrics |= metrics
        self.whole = True
        return metrics

    def _has_enough_history(self) -> bool:
        """Whether Q-learning can begin: of processes that train together, in all of them, for all must go the same way."""
        if not self._ready:
            enough = len(self.scenario.history) >= self.settings.agent_batch
            self._ready = not self.ranks.any(self.acted < self.settings.warm_up or not enough)
        return self._ready

    def _begin(self) -> None:
        self.metrics |= self.scenario.refresh(self.settings.feedback)
        self.observation = self.scenario.environment.reset(self.episodes)
        self.running = torch.zeros(self.scenario.environment.num_envs)

    def _act(self) -> dict[str, float]:
        scenario, environment = self.scenario, self.scenario.environment
        fall = max(1, int(self.total * self.settings.exploration))
        epsilon = linear_schedule(*self.settings.epsilon, fall, self.update)
        action = scenario.agent.act(self.observation, environment.action_mask(), epsilon, self.exploration)
        # A copy: an environment that shows one tensor, changed at each step, must not change what was seen.
        self.observation = {name: value.clone() for name, value in self.observation.items()}
        step = environment.step(action)
        scenario.history.append(self.observation, action, step)
        scenario.experience(step, self.settings.feedback)
        self.observation = step.observation
        self.acted += 1
        self.running = self.running + step.reward.cpu()
        done = step.done.cpu()
        metrics = {"agent/epsilon": epsilon}
        if bool(done.any()):
            metrics["agent/return"] = float(self.running[done].mean())
            self.running = torch.where(done, 0.0, self.running)
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """The whole state of the run."""
        return {
            "update": self.update,
            "acted": self.acted,
            "observation": self.observation,
            "running": self.running,
            "exploration": self.exploration.get_state(),
            # Before the first round no episode has begun, and there is no state to tell.
            "environment": self.scenario.environment.state_dict() if self.observation else None,
            "agent": self.scenario.agent.state_dict(),
            "history": self.scenario.history.state_dict(),
            "scenario": self.scenario.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the run that `state_dict` was taken of."""
        self.update, self.acted = state["update"], state["acted"]
        self.observation, self.running = state["observation"], state["running"]
        self.exploration.set_state(state["exploration"])
        self.scenario.load_state_dict(state["scenario"])
        if state["environment"] is not None:
            self.scenario.environment.load_state_dict(state["environment"], self.episodes)
        self.scenario.agent.load_state_dict(state["agent"])
        self.scenario.history.load_state_dict(state["history"])
