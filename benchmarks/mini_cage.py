"""MiniCAGE: Q-learning from many games at once against the scripts that come with the game; a line of JSON on stdout.

PYTHONPATH=FOLDER_OF_THE_CLONE python benchmarks/mini_cage.py --red B_line --seeds 0 1 2 >> mini_cage.jsonl

Points lost in an episode of 100 steps, mean over 256 fresh episodes; the scripts play the same ones. Training sees `--steps`
steps of all games together, is evaluated at intervals, and keeps the best weights. Seconds are those of the CPU, evaluations
included.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clairvoy.environments.mini_cage import HOSTS, PACKAGE, REDS, MiniCAGEGames
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.rollout import evaluate

EPISODES, FRESH, GAMES = 256, 900_000, 64
SCRIPTS = {"sleep": "Blue_sleep", "React-Restore": "React_restore_minimal", "React-Decoy": "Restore_decoys"}


def main() -> int:
    parser = argparse.ArgumentParser(description="MiniCAGE: Q-learning against the scripts of the game.")
    parser.add_argument("--red", choices=REDS, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=200_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, script in SCRIPTS.items():
        tell(args.red, name, points=played(args.red, Script(script)))
    for seed in args.seeds:
        began = time.process_time()
        agent = learnt(args.red, seed, args.steps)
        seconds = time.process_time() - began
        points = played(args.red, agent.act_greedily)
        tell(args.red, "PQN", points=points, seed=seed, steps=args.steps, seconds=round(seconds, 1))
    return 0


class Script:
    """A defender of the game's own as a policy; it begins anew with each episode."""

    def __init__(self, name: str) -> None:
        self.make, self.steps = getattr(import_module(f"{PACKAGE}.test_agent"), name), 0

    def __call__(self, observation: dict[str, Tensor], mask: Tensor | None = None) -> Tensor:
        """Actions (N,) of the script."""
        if self.steps % 100 == 0:
            self.script = self.make()
        self.steps += 1
        action = self.script.get_action(observation=observation[HOSTS].double().numpy())
        return torch.from_numpy(np.asarray(action).reshape(-1).astype(np.int64))


def played(red: str, policy: Any) -> float:
    """Mean points lost, as a return: at most 0."""
    games = MiniCAGEGames(red, GAMES)
    return evaluate(games, policy, EPISODES, torch.Generator().manual_seed(FRESH)).mean_return


def learnt(red: str, seed: int, steps: int) -> Any:
    """An agent trained from scratch."""
    games = MiniCAGEGames(red, GAMES)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        agent = PQN(network_for(games.observation_specs, games.num_actions), PQNSettings(exploration=0.4))
    training = PQNTraining(agent, games, steps, seed)
    train_online(
        training, MiniCAGEGames(red, GAMES), OnlineSettings(evaluate_every=steps // 10, episodes=GAMES)
    )
    return agent


def tell(red: str, policy: str, **told: Any) -> None:
    """A line of JSON."""
    print(json.dumps({"red": red, "policy": policy, **told}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
