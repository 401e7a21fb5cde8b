"""Steps in a second of a slow environment: actor processes beside one process, in one run.

The environment waits before each step, as one does that asks an emulator or a server, or computes for as long
(``--compute``), which can only be faster where there are cores for it.
"""

from __future__ import annotations

import argparse
import json
import time

import gymnasium
import numpy as np
import torch

from clairvoy.environments.by_name import EnvironmentOptions, environment_by_name
from clairvoy.environments.from_gymnasium import FromGymnasium


class Slow(gymnasium.Env[np.ndarray, int]):
    """Shows nothing of interest, late."""

    observation_space = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, seconds: float, compute: bool) -> None:
        self.seconds, self.compute = seconds, compute

    def reset(self, *, seed=None, options=None):
        """Begin, at once."""
        super().reset(seed=seed)
        return np.zeros(4, np.float32), {}

    def step(self, action):
        """Nothing, after `seconds`."""
        if self.compute:
            until = time.process_time() + self.seconds
            while time.process_time() < until:
                pass
        else:
            time.sleep(self.seconds)
        return np.zeros(4, np.float32), 0.0, False, False, {}


if "Slow-v0" not in gymnasium.registry:  # it is imported a second time, by its name
    gymnasium.register("Slow-v0", "actors:Slow")


def seconds_taken(num_envs: int, steps: int, actors: bool, arguments: dict[str, float | bool]) -> float:
    """Wall seconds of so many steps, without what it takes to begin."""
    options = EnvironmentOptions(arguments, actor_processes=actors)
    environment = FromGymnasium(environment_by_name("actors:Slow-v0", num_envs, options))
    environment.reset(torch.Generator().manual_seed(0))
    actions = torch.zeros(num_envs, dtype=torch.int64)
    environment.step(actions)
    began = time.perf_counter()
    for _ in range(steps):
        environment.step(actions)
    taken = time.perf_counter() - began
    environment.close()
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--envs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--milliseconds", type=float, default=5.0)
    parser.add_argument("--compute", action="store_true")
    asked = parser.parse_args()
    arguments = {"seconds": asked.milliseconds / 1000, "compute": asked.compute}
    one, many = (seconds_taken(asked.envs, asked.steps, actors, arguments) for actors in (False, True))
    all_steps = asked.envs * asked.steps
    print(
        json.dumps(
            {
                "one process, steps/s": all_steps / one,
                "actors, steps/s": all_steps / many,
                "ratio": one / many,
            }
        )
    )


if __name__ == "__main__":
    main()
