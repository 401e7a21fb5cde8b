"""The loop of DQN: act, keep what happened, learn from all that was kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from clairvoy.errors import SettingsError, above, at_least, between
from clairvoy.qlearning.dqn import DQN, learn_from_history
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.history import History
from clairvoy.qlearning.policy import linear_schedule
from clairvoy.qlearning.resumable import restore_environment, save_environment
from clairvoy.qlearning.rollout import collect
from clairvoy.qlearning.transitions import Observation
from clairvoy.qlearning.units import Settling


@dataclass(frozen=True)
class DQNTrainingSettings:
    """The rhythm of a `DQNTraining`."""

    act: int = 4
    """Steps of each environment in a round."""
    updates: int = 4
    """Updates in a round."""
    batch_size: int = 64
    """Transitions in each."""
    warm_up: int = 1000
    """Steps of all environments together before learning begins; until then actions are drawn at random."""
    epsilon: tuple[float, float] = (1.0, 0.05)
    """Exploration, from and to."""
    exploration: float = 0.5
    """Share of the budget over which it falls, in (0, 1]."""

    def __post_init__(self) -> None:
        at_least(self, 1, "act", "updates", "batch_size")
        at_least(self, 0, "warm_up")
        above(self, 0, "exploration")
        between(self, 0, 1, "exploration", "epsilon")


class DQNTraining:
    """Rounds of acting and of learning from history; what `online.train_online` drives.

    Parameters
    ----------
    agent
        A `DQN`; learns in place.
    history
        Built for as many environments and actions as the environment has.
    environment
        Any `BatchedEnvironment`; reset here.
    budget
        Steps of all environments together that the exploration is planned for.
    settings
        See `DQNTrainingSettings`.
    seed
        Of episodes and exploration. The history has its own generator.

    Attributes
    ----------
    steps
        Steps of all environments together so far.
    """

    def __init__(
        self,
        agent: DQN,
        history: History,
        environment: BatchedEnvironment,
        budget: int,
        settings: DQNTrainingSettings | None = None,
        seed: int = 0,
    ) -> None:
        if budget < 1:
            raise SettingsError(f"budget is {budget}; training takes at least 1 step")
        self.agent, self.history, self.environment, self.budget = agent, history, environment, budget
        self.settings = settings or DQNTrainingSettings()
        self.exploration = torch.Generator().manual_seed(seed)
        self.episodes = torch.Generator().manual_seed(seed + 1)
        self.steps = 0
        self.settling = Settling()
        self.observation: Observation = environment.reset(self.episodes)

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.steps >= self.budget

    def round(self) -> dict[str, float]:
        """Act, then learn; returns the metrics of `learn_from_history`, none during the warm-up."""
        settings = self.settings
        fall = max(1, round(settings.exploration * self.budget))
        warm = self.steps < settings.warm_up
        epsilon = 1.0 if warm else linear_schedule(*settings.epsilon, fall, self.steps)
        self.observation = collect(
            self.environment,
            lambda observation, mask: self.agent.act(observation, mask, epsilon, self.exploration),
            self.history,
            self.observation,
            settings.act,
        )
        self.steps += settings.act * self.environment.num_envs
        self.settling.from_history(self.agent.networks, self.history)
        metrics = {"epsilon": epsilon}
        if self.steps >= settings.warm_up and len(self.history) > 0:
            metrics |= learn_from_history(self.agent, self.history, settings.updates, settings.batch_size)
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """Everything that later rounds depend on, the history included."""
        return {
            "agent": self.agent.state_dict(),
            "history": self.history.state_dict(),
            "steps": self.steps,
            "settled": self.settling.settled,
            "exploration": self.exploration.get_state(),
            **save_environment(self.environment, self.observation, self.episodes),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the run that `state_dict` was taken of: exactly, if the environment could tell its state."""
        self.agent.load_state_dict(state["agent"])
        self.history.load_state_dict(state["history"])
        self.steps, self.settling.settled = int(state["steps"]), int(state["settled"])
        self.exploration.set_state(state["exploration"])
        self.observation, goes_on = restore_environment(self.environment, state, self.episodes)
        if not goes_on:
            self.history.drop_unfinished()
