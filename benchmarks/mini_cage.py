"""MiniCAGE: Q-learning against the scripts that come with the game and Stable-Baselines3; lines of JSON on stdout.

PYTHONPATH=FOLDER_OF_THE_CLONE python benchmarks/mini_cage.py --red B_line --seeds 0 1 2 >> mini_cage.jsonl

Points lost in an episode of 100 steps, mean over 256 fresh episodes; the scripts play the same ones. Training sees `--steps`
steps of all games together. Ours is evaluated at intervals, and keeps the best weights; the peers are as they end. All
learners are told rewards in tens of points, but for DQN, in fours, and `PQN in points`. Seconds are those of the CPU,
evaluations included. `DQN` and `PQN` have the network that hosts share, `DQN, perceptron` one that sees numbers only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.environments.mini_cage import (
    HOSTS,
    PACKAGE,
    REDS,
    MiniCAGEGames,
    MiniCAGESettings,
    as_the_game_shows,
)
from clairvoy.environments.stable_baselines import as_vec_env
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.dqn_training import DQNTraining, DQNTrainingSettings
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.rollout import evaluate

EPISODES, FRESH, GAMES, FEW = 256, 900_000, 64, 16
TENS, GAMMA = 10.0, 0.95
"""Unit of the rewards, discount."""
FOURS, FAR_GAMMA = 4.0, 0.98
"""The same for DQN: what a held host costs is paid for long, and is a tenth of a point in each step."""
SCRIPTS = {"sleep": "Blue_sleep", "React-Restore": "React_restore_minimal", "React-Decoy": "Restore_decoys"}


def main() -> int:
    parser = argparse.ArgumentParser(description="MiniCAGE: Q-learning against the scripts of the game.")
    parser.add_argument("--red", choices=REDS, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, script in SCRIPTS.items():
        tell(args.red, name, points=played(args.red, Script(script)))
    for seed in args.seeds:
        for name in args.learners:
            began = time.process_time()
            policy = LEARNERS[name](args.red, seed, args.steps)
            seconds = time.process_time() - began
            points = played(args.red, policy)
            tell(args.red, name, points=points, seed=seed, steps=args.steps, seconds=round(seconds, 1))
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
        action = self.script.get_action(observation=as_the_game_shows(observation[HOSTS]).double().numpy())
        return torch.from_numpy(np.asarray(action).reshape(-1).astype(np.int64))


def played(red: str, policy: Any) -> float:
    """Mean points lost, as a return: at most 0."""
    games = games_of(red, GAMES, 1.0)
    return evaluate(games, policy, EPISODES, torch.Generator().manual_seed(FRESH)).mean_return


def games_of(red: str, count: int = FEW, unit: float = TENS) -> MiniCAGEGames:
    """Games to learn in."""
    return MiniCAGEGames(red, count, MiniCAGESettings(unit=unit, masked=True))


def network(games: MiniCAGEGames, seed: int, shared: bool = True) -> nn.Module:
    """Untrained; `shared` by all hosts, or a perceptron of all numbers."""
    specs = {
        name: replace(spec, entities=spec.entities * shared) for name, spec in games.observation_specs.items()
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return network_for(specs, games.num_actions)


def trained(training: Any, red: str, steps: int) -> Any:
    """The policy of a training, its best weights."""
    train_online(training, games_of(red, GAMES), OnlineSettings(evaluate_every=steps // 10, episodes=GAMES))
    return training.agent.act_greedily


def dqn(red: str, seed: int, steps: int, shared: bool = True) -> Any:
    """Double dueling DQN on replayed history, six updates for 64 steps."""
    games = games_of(red, unit=FOURS)
    agent = DQN(network(games, seed, shared), DQNSettings(learning_rate=3e-4, huber_delta=2.0, average=0.005))
    history = History(
        HistorySettings(capacity=100_000, n_step=3, gamma=FAR_GAMMA),
        FEW,
        games.num_actions,
        torch.Generator().manual_seed(seed),
    )
    settings = DQNTrainingSettings(
        act=4, updates=6, batch_size=128, warm_up=2000, epsilon=(1.0, 0.02), exploration=0.1
    )
    return trained(DQNTraining(agent, history, games, steps, settings, seed), red, steps)


def pqn(red: str, seed: int, steps: int, unit: float = TENS) -> Any:
    """PQN, no history."""
    games = games_of(red, GAMES, unit)
    agent = PQN(network(games, seed), PQNSettings(exploration=0.4))
    return trained(PQNTraining(agent, games, steps, seed), red, steps)


def peer(red: str, seed: int, steps: int, name: str) -> Any:
    """Stable-Baselines3's DQN or PPO, with as many games; DQN with as many updates of as many transitions as ours."""
    import stable_baselines3

    if name == "DQN":
        settings: dict[str, Any] = {
            "learning_rate": 5e-4, "batch_size": 128, "buffer_size": 100_000, "learning_starts": 2000, "train_freq": 4,
            "gradient_steps": 4, "target_update_interval": 1000, "exploration_fraction": 0.3, "exploration_final_eps": 0.02,
        }  # fmt: skip
    else:
        settings = {"n_steps": 100, "batch_size": 200, "ent_coef": 0.01}
    model = getattr(stable_baselines3, name)(
        "MultiInputPolicy", as_vec_env(games_of(red), seed), gamma=GAMMA, seed=seed, device="cpu", **settings
    )
    model.learn(steps)

    def act(observation: dict[str, Tensor], mask: Tensor | None = None) -> Tensor:
        shown = {name: value.numpy() for name, value in observation.items()}
        return torch.from_numpy(model.predict(shown, deterministic=True)[0].astype(np.int64))

    return act


LEARNERS: dict[str, Any] = {
    "DQN": dqn,
    "DQN, perceptron": partial(dqn, shared=False),
    "PQN": pqn,
    "PQN in points": partial(pqn, unit=1.0),
    "Stable-Baselines3 DQN": partial(peer, name="DQN"),
    "Stable-Baselines3 PPO": partial(peer, name="PPO"),
}


def tell(red: str, policy: str, **told: Any) -> None:
    """A line of JSON."""
    print(json.dumps({"red": red, "policy": policy, **told}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
