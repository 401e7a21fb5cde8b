"""Where a run stands in its episodes: saved and restored, exactly if the environment can tell its state."""

from __future__ import annotations

from typing import Any

import torch

from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.transitions import Observation


def save_environment(
    environment: BatchedEnvironment, observation: Observation, episodes: torch.Generator
) -> dict[str, Any]:
    """Copies of what the next step depends on: ``observation``, ``episodes`` and, if it tells it, ``environment``."""
    state: dict[str, Any] = {
        "observation": {name: value.clone() for name, value in observation.items()},
        "episodes": episodes.get_state(),
    }
    if hasattr(environment, "state_dict"):
        state["environment"] = environment.state_dict()
    return state


def restore_environment(
    environment: BatchedEnvironment, state: dict[str, Any], episodes: torch.Generator
) -> tuple[Observation, bool]:
    """Go on from `save_environment`.

    Returns
    -------
    observation : Observation
        To act on next.
    goes_on : bool
        Whether the episodes go on where they were; False if the environment could not tell, and begins new ones.
    """
    episodes.set_state(state["episodes"])
    if "environment" in state and hasattr(environment, "load_state_dict"):
        environment.load_state_dict(state["environment"], episodes)
        return {name: value.clone() for name, value in state["observation"].items()}, True
    return environment.reset(episodes), False
