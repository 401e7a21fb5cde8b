"""Settings of a world by what it shows, chosen on seeds that no published figure is from."""

from __future__ import annotations

from dataclasses import replace

import torch

from clairvoy.cotraining.loop import CotrainSettings, Feedback
from clairvoy.generative.transitions.learner import TransitionLearnerSettings
from clairvoy.generative.transitions.vae import TransitionVAESettings
from clairvoy.qlearning.dqn import DQNSettings
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.mixed_history import ENDS
from clairvoy.scenarios.world.scenario import CALIBRATED_ON
from clairvoy.scenarios.world.settings import WorldSettings

NUM_ENVS = 8
"""Copies of the environment that the agent acts in."""
MEMORY = 2_000_000_000
"""Bytes that the observations of all histories together may take."""


def preset(
    environment: BatchedEnvironment, steps: int, seed: int = 0, feedback: Feedback | None = None
) -> tuple[WorldSettings, CotrainSettings]:
    """Settings of a `WorldScenario` and of its `Cotraining`.

    Parameters
    ----------
    environment
        Tells by its observation what kind of world it is.
    steps
        Real steps to train for, of all copies together.
    seed
        Of all randomness.
    feedback
        Paths that are switched off; without ``generated_scenes`` this is Q-learning alone, with all else the same.
    """
    feedback = feedback or Feedback()
    grids = any(len(spec.shape) == 3 for spec in environment.observation_specs.values())
    agent = DQNSettings(learning_rate=5e-4, huber_delta=20.0, polyak=0.02, average=0.002)
    if grids:
        world = WorldSettings(
            per_real=1.0 if feedback.generated_scenes else 0.0,
            horizon=3,
            rollouts=256,
            generator_updates=1,
            batch=64,
            n_step=3,
            seed=seed,
            agent=agent,
            model=TransitionVAESettings(channels=16),
            learner=TransitionLearnerSettings(members=2, learning_rate=3e-3),
        )
        updates, batch, fall = 4, 64, 0.4
    else:
        world = WorldSettings(
            per_real=3.0 if feedback.generated_scenes else 0.0,
            horizon=20,
            widen=3.0,
            rollouts=128,
            fresh=5,
            generator_updates=8,
            n_step=3,
            seed=seed,
            agent=agent,
        )
        updates, batch, fall = 32, 32, 0.2
    world = _within_memory(world, environment)
    rhythm = CotrainSettings(
        budget=-(-steps // environment.num_envs),
        agent_updates=updates,
        agent_batch=batch,
        warm_up=40,
        refresh_every=10,
        exploration=fall,
        seed=seed,
        feedback=feedback,
    )
    return world, rhythm


def _within_memory(world: WorldSettings, environment: BatchedEnvironment) -> WorldSettings:
    """Keep fewer transitions where observations are large, so that all fit into `MEMORY`.

    Every transition holds two observations. Generated ones get a quarter at most, by keeping fewer refreshes; what those
    held out and the ends leave is shared by the real steps of agent and model, which lie in a history each. Our stacks
    of four Atari frames, 7 kB each, leave 62,000 steps; MinAtar planes and vectors all that `WorldSettings` asks for.
    """
    each = 2 * sum(
        torch.Size(spec.shape).numel() * spec.dtype.itemsize
        for spec in environment.observation_specs.values()
    )
    fresh = min(world.fresh, max(1, MEMORY // (4 * each * world.rollouts * world.horizon)))
    left = MEMORY // each - fresh * world.rollouts * world.horizon - CALIBRATED_ON - ENDS
    return replace(world, fresh=fresh, capacity=min(world.capacity, max(1000, left // 2)))
