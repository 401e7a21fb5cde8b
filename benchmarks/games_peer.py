"""Stable-Baselines3's DQN in a MinAtar game: one run, one line of JSON on stdout.

python benchmarks/games_peer.py --game Breakout --seed 0 --steps 50000 --evaluate-every 5000 >> games.jsonl

The network is MinAtar's (16 filters of 3 x 3, 128 units), as are batch, replay, target update, discount and the last
epsilon (Young and Tian, 2019, table 1); Adam at their rate instead of RMSProp. What they stretch over 5 million steps is
scaled to a short run: epsilon falls over a part of it (`--exploration`), learning begins after a fiftieth, at least 1000. A
gradient step follows every step, so that it learns as much from each as it can with these settings.

Evaluations are as in `worlds.py`: the same 20 episodes every time, without exploration, the best of them kept, and 100
other episodes played by it at the end; the line has the same keys, so that `worlds.py report` takes it as one more arm.
Seconds are those of the CPU, one thread, evaluations left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from clairvoy.environments.minatar import GAMES, PLANES, MinAtarGames
from clairvoy.environments.to_gymnasium import GymnasiumEnv
from clairvoy.qlearning.online import OnlineSettings
from clairvoy.qlearning.rollout import evaluate

FINAL_EPISODES, FRESH = 100, 900_000
"""As in `worlds.py`: episodes that no choice of weights has seen."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Stable-Baselines3's DQN in a MinAtar game.")
    parser.add_argument("--game", required=True, choices=GAMES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=50_000, help="steps in the game (50000)")
    parser.add_argument(
        "--evaluate-every", type=int, default=5000, help="steps between two evaluations (5000)"
    )
    parser.add_argument("--episodes", type=int, default=20, help="episodes of an evaluation (20)")
    parser.add_argument("--exploration", type=float, default=0.2, help="part in which epsilon falls (0.2)")
    parser.add_argument("--learning-rate", type=float, default=2.5e-4, help="of Adam (2.5e-4)")
    args = parser.parse_args()
    if min(args.steps, args.evaluate_every, args.episodes) < 1 or not 0 < args.exploration <= 1:
        parser.error(
            "steps, evaluate-every and episodes are at least 1; exploration is above 0 and at most 1"
        )
    torch.set_num_threads(1)
    print(json.dumps(train(args)))
    return 0


def train(args: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    settings: dict[str, Any] = {
        "learning_rate": args.learning_rate, "batch_size": 32, "buffer_size": min(100_000, args.steps),
        "learning_starts": min(5000, max(1000, args.steps // 50)), "gamma": 0.99, "train_freq": 1, "gradient_steps": 1,
        "target_update_interval": 1000, "exploration_fraction": args.exploration, "exploration_final_eps": 0.1,
    }  # fmt: skip
    peer = stable_baselines3.DQN(
        "MlpPolicy",
        _Planes(GymnasiumEnv(MinAtarGames(args.game, 1))),
        seed=args.seed,
        device="cpu",
        policy_kwargs={"features_extractor_class": _MinAtarNetwork, "net_arch": []},
        **settings,
    )
    evaluations: list[list[float]] = []
    best: dict[str, Any] = {}
    # One call of `learn`, so that its schedule is one; the evaluations are made from within it, off the clock.
    clock = {"began": 0.0, "away": 0.0}

    def look(values: dict[str, Any], _: Any) -> bool:
        if peer.num_timesteps % args.evaluate_every and peer.num_timesteps != args.steps:
            return True
        left = time.process_time()
        value = _returns(peer, args, args.episodes, args.episodes, OnlineSettings().seed)
        evaluations.append([peer.num_timesteps, value])
        print(f"{peer.num_timesteps} steps: {value:.2f}", file=sys.stderr)
        if not best or value > best["value"]:
            kept = {name: weight.clone() for name, weight in peer.policy.state_dict().items()}
            best.update(value=value, steps=peer.num_timesteps, policy=kept)
        clock["away"] += time.process_time() - left
        return True

    clock["began"] = time.process_time()
    peer.learn(args.steps, callback=look, log_interval=None)
    seconds = time.process_time() - clock["began"] - clock["away"]
    peer.policy.load_state_dict(best["policy"])
    return {
        "env": f"MinAtar/{args.game}", "arm": "stable-baselines3", "game": args.game, "seed": args.seed,
        "steps": args.steps, "evaluations": evaluations, "best_at_step": best["steps"],
        "return": _returns(peer, args, FINAL_EPISODES, args.episodes, args.seed + FRESH), "seconds": seconds,
        "settings": settings, "stable_baselines3": stable_baselines3.__version__,
    }  # fmt: skip


def _returns(peer: Any, args: argparse.Namespace, episodes: int, num_envs: int, seed: int) -> float:
    def greedy(observation: dict[str, Tensor], mask: Tensor) -> Tensor:
        return torch.from_numpy(peer.predict(observation[PLANES].numpy(), deterministic=True)[0])

    games = MinAtarGames(args.game, num_envs)
    return evaluate(games, greedy, episodes, torch.Generator().manual_seed(seed)).mean_return


class _Planes(gymnasium.ObservationWrapper[Any, Any, Any]):
    """The planes alone, instead of a dictionary that holds nothing else."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = spaces.Box(0, 1, env.observation_space[PLANES].shape, np.bool_)

    def observation(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        return observation[PLANES]


class _MinAtarNetwork(BaseFeaturesExtractor):
    """16 filters of 3 x 3 and 128 units; the Q-values follow from these by one linear layer."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=128)
        channels = observation_space.shape[0]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 8 * 8, 128), nn.ReLU()
        )

    def forward(self, planes: Tensor) -> Tensor:
        return self.layers(planes)


if __name__ == "__main__":
    sys.exit(main())
