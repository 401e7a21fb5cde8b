"""The environment that a generator has learnt: rollouts, dreams and agents all step it by `LearntWorld.imagine`.

An agent that acts in what a generative model makes up is the idea of Ha and Schmidhuber (*World Models*, 2018,
arXiv:1803.10122) and of DIAMOND (Alonso et al., NeurIPS 2024), whose world model is an environment like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from clairvoy.errors import InputError, SettingsError
from clairvoy.generative.transitions.learner import TransitionLearner
from clairvoy.generative.transitions.tau import TransitionTau
from clairvoy.qlearning.environment import ObservationSpec, Step, check_actions
from clairvoy.qlearning.transitions import GENERATED, Observation

Starts = Callable[[int, torch.Generator], Tensor]
"""Draws so many states (B, ...) to begin in."""


class Imagined(NamedTuple):
    """What would follow B states and actions, on the CPU."""

    state: Tensor
    """Seen then, (B, ...), of the same dtype as the states before."""
    reward: Tensor
    """(B,) float32."""
    ended: Tensor
    """Whether the episode would end by its own rules, (B,) bool."""
    tau: Tensor
    """Confidence, (B,) in [0, 1]."""
    logit: Tensor
    """The discriminator's logit, (B,)."""
    finite: Tensor
    """Whether reward and all numbers of the state are finite, (B,) bool; what is not is nothing to go on from."""


class LearntWorld:
    """A `BatchedEnvironment` in which a generator says what happens.

    Episodes begin in states of `starts`, usually real ones. They terminate where an end is drawn. They are truncated
    after `longest` steps, and where the generator makes up what is no number (the reward is 0 then, the tau too, and the
    last observation the one before). `Step.info` holds ``provenance`` (all `GENERATED`) and ``tau``.

    Parameters
    ----------
    learner, tau
        Generators, discriminator and confidence.
    specs
        Of the one part that is observed, by its name.
    starts
        See `Starts`.
    num_envs
        Number of episodes side by side N.
    longest
        Steps of an episode at most: what a generator makes up strays from the world, the longer the further.
    noise
        Of what chance decides; None: the learner's own. `reset` takes another.
    """

    def __init__(
        self,
        learner: TransitionLearner,
        tau: TransitionTau,
        specs: Mapping[str, ObservationSpec],
        num_actions: int,
        starts: Starts,
        num_envs: int = 1,
        *,
        longest: int = 1000,
        noise: torch.Generator | None = None,
    ) -> None:
        if num_envs < 1 or longest < 1:
            raise SettingsError(f"num_envs is {num_envs} and longest {longest}; both must be at least 1")
        self.learner, self.tau, self.starts, self.longest = learner, tau, starts, longest
        self.observation_specs, (self.name,) = specs, specs
        self.num_envs, self.num_actions, self.noise = num_envs, num_actions, noise
        self._state = torch.zeros(0)
        self._steps = torch.zeros(num_envs, dtype=torch.int64)

    @torch.no_grad()
    def imagine(self, states: Tensor, actions: Tensor) -> Imagined:
        """Draw what would follow states (B, ...) and actions (B,) int64, whatever B is; no episode is touched."""
        known = states.to(self.learner.device)
        encoded = self.learner.outcomes.encode_state(known)
        made = self.learner.make(encoded, actions.to(self.learner.device), self.noise)
        then, reward, ended = (part.cpu() for part in self.learner.outcomes.decode(known, made.outcome))
        # What is not finite is believed by nobody.
        tau, logit = self.tau(made).nan_to_num(0.0), made.logit.cpu().nan_to_num(-1e4)
        finite = torch.isfinite(reward) & torch.isfinite(then.float()).flatten(1).all(dim=1)
        return Imagined(then, reward, ended, tau, logit, finite)

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere; ``generator`` decides starts and chance from now on."""
        self.noise = generator
        self._state, self._steps = self.starts(self.num_envs, generator), torch.zeros_like(self._steps)
        return {self.name: self._state}

    def step(self, actions: Tensor) -> Step:
        """Act in every episode; see `Step` for the autoreset."""
        if self.noise is None or not len(self._state):
            raise InputError("no episode has begun in the learnt world; call reset first")
        check_actions(actions, self.num_envs)
        made = self.imagine(self._state, actions)
        finite = made.finite.view(-1, *[1] * (self._state.ndim - 1))
        final = torch.where(finite, made.state, self._state)
        self._steps = self._steps + 1
        terminated = made.ended & made.finite
        truncated = ((self._steps >= self.longest) | ~made.finite) & ~terminated
        done = (terminated | truncated).nonzero()[:, 0]
        state = final
        if len(done):
            state = final.index_copy(0, done, self.starts(len(done), self.noise))
            self._steps = self._steps.index_fill(0, done, 0)
        self._state = state
        info = {
            "provenance": torch.full((self.num_envs,), GENERATED, dtype=torch.uint8),
            "tau": torch.where(made.finite, made.tau, 0.0),
        }
        reward = torch.where(made.finite, made.reward, 0.0)
        return Step(
            {self.name: state},
            reward,
            terminated,
            truncated,
            {self.name: final},
            self.action_mask(),
            info,
        )

    def action_mask(self) -> Tensor:
        """All actions, always: ``(N, A)`` bool."""
        return torch.ones(self.num_envs, self.num_actions, dtype=torch.bool)

    def state_dict(self) -> dict[str, Any]:
        """Where the episodes stand; the learner and what `starts` draws from are others' to save."""
        if self.noise is None:
            raise InputError("no episode has begun in the learnt world; call reset first")
        return {
            "state": self._state.clone(),
            "steps": self._steps.clone(),
            "noise": self.noise.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any], generator: torch.Generator) -> None:
        """Go on where `state_dict` was taken; ``generator`` is used from now on and set to the saved state."""
        self._state, self._steps = state["state"].clone(), state["steps"].clone()
        self.noise = generator
        self.noise.set_state(state["noise"])
