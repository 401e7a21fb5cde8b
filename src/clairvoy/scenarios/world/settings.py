"""Sizes and rhythm of a world that is learnt."""

from __future__ import annotations

from dataclasses import dataclass, field

from clairvoy.errors import SettingsError, at_least, between
from clairvoy.generative.transitions.learner import TransitionLearnerSettings
from clairvoy.generative.transitions.vae import TransitionVAESettings
from clairvoy.qlearning.dqn import DQNSettings


@dataclass(frozen=True)
class WorldSettings:
    """Sizes and rhythm of a `WorldScenario`."""

    per_real: float = 1.0
    """Generated transitions for each real one in the agent's batches, as far as the gate admits any."""
    horizon: int = 3
    """Steps of a generated rollout at most, 1 to 100; the gate may end it sooner."""
    rollouts: int = 128
    """Rollouts at each refresh."""
    fresh: int = 20
    """Refreshes whose rollouts are kept; older ones give way."""
    widen: float = 0.0
    """How far from real states rollouts begin, in units of how much a step changes them; of numbers only."""
    exploration: float = 0.5
    """Part of the rollouts whose first action is drawn at random; all others are those that the agent thinks best."""
    least_events: int = 2
    """Ends, or rewards other than the usual one, that the generator has seen before the agent meets anything of it."""
    least_tau: float = 0.5
    """Least confidence in a rollout that the gate admits, as the product of its steps' taus."""
    least_worth: float = 0.5
    """Least worth (`qlearning/worth.py`) of generated transitions: where it is less, nothing generated is learnt from."""
    shuffled_gate: bool = False
    """The gate admits as many as it would, but any of them: to see whether its judgement matters."""
    generate_after: int = 100
    """Updates of the generator before the agent meets anything of it."""
    batch: int = 128
    """Transitions in a batch of the generator."""
    generator_updates: int = 2
    """Updates of the generator for one of the loop's."""
    surprising: float = 0.25
    """Part of the generator's batch that is drawn by how little it understood it, and not evenly."""
    ends: float = 0.125
    """Part of the generator's batch that ended an episode: seldom among all steps, and worth more than any other."""
    gamma: float = 0.99
    """Discount of one step."""
    n_step: int = 1
    """Rewards in the agent's real transitions."""
    capacity: int = 100_000
    """Real steps remembered."""
    seed: int = 0
    """Of everything but exploration and episodes."""
    agent: DQNSettings = field(default_factory=lambda: DQNSettings(learning_rate=1e-3))
    """How the agent learns."""
    learner: TransitionLearnerSettings = field(default_factory=TransitionLearnerSettings)
    """How generator and discriminator learn."""
    model: TransitionVAESettings = field(default_factory=TransitionVAESettings)
    """The generators' size."""

    def __post_init__(self) -> None:
        between(self, 1, 100, "horizon")
        at_least(self, 1, "rollouts", "fresh", "batch", "generator_updates")
        at_least(self, 0, "widen")
        between(self, 0, 1, "exploration", "least_tau", "least_worth", "surprising", "ends")
        if self.surprising + self.ends >= 1:
            raise SettingsError(
                f"surprising is {self.surprising} and ends {self.ends}; something must be left of the batch to draw evenly"
            )
