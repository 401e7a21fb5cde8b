"""Q-learning from history alone: discrete CQL, plain DQN, and the policies that made the history. JSON on stdout.

python benchmarks/history_alone.py [--random 0 0.03 0.1] [--policies 1] [--seeds 0 1 2 3 4]

The history is 8,000 steps in the haze search of `small_search.py`, by searchers whose training was stopped at a return of
4. It is saved as a Minari data set, loaded, and learnt from without an environment. --random is the share of actions
that are drawn by chance. With --policies 5 it is of five searchers in equal parts. Each learner makes --updates of 64, and
its last weights count, on unseen scenes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from typing import Any

import numpy as np
import torch
from small_search import LEARNT, difference, mean_interval, search_network, search_return, small_search

from clairvoy.environments.minari_files import load_minari, save_minari
from clairvoy.qlearning.cql import CQL, CQLSettings
from clairvoy.qlearning.dqn import DQN, DQNSettings, learn_from_history
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.rollout import collect
from clairvoy.searching.glimpse import NUM_ACTIONS


def main() -> int:
    parser = argparse.ArgumentParser(description="CQL, DQN and the policies that made their history.")
    parser.add_argument("--random", type=float, nargs="+", default=[0.0, 0.03, 0.1], help="shares of actions")
    parser.add_argument("--policies", type=int, default=1, help="how many made the history, in equal parts")
    parser.add_argument(
        "--conservatism", type=float, nargs="+", default=[0.1], help="weights of CQL's penalty"
    )
    parser.add_argument("--updates", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    torch.set_num_threads(1)
    told: dict[str, Any] = {"asked": vars(args)}
    for share in args.random:
        found: dict[str, list[float]] = {}
        for seed in args.seeds:
            for name, value in of_seed(seed, share, args).items():
                found.setdefault(name, []).append(value)
            last = {name: round(values[-1], 2) for name, values in found.items()}
            print(
                f"{time.process_time():.0f} CPU s: {share:.0%} random, seed {seed}: {last}",
                file=sys.stderr,
                flush=True,
            )
        learnt = [name for name in found if name.startswith("CQL")]
        told[f"{share:.0%} random actions"] = {
            "returns": found,
            "mean": {name: mean_interval(values) for name, values in found.items()},
            "over": {
                f"{name} over {other}": difference(found[name], found[other])
                for name in learnt
                for other in ("policy", "best policy", "DQN")
            },
        }
    print(json.dumps(told, indent=2))
    return 0


def of_seed(seed: int, share: float, args: argparse.Namespace) -> dict[str, float]:
    """Returns of the policies, their mean and the best, and of what learns from their history."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        history, returns = mediocre(seed, share, args.policies)
        save_minari(history, "search/mediocre-v0")
        data = load_minari(
            "search/mediocre-v0",
            HistorySettings(len(history), n_step=1, gamma=0.97, priority_exponent=0.0),
            torch.Generator().manual_seed(seed),
        )
    learners: dict[str, DQN] = {"DQN": DQN(search_network(seed + 50), DQNSettings(5e-4, polyak=0.02))}
    for weight in args.conservatism:
        settings = CQLSettings(5e-4, polyak=0.02, conservatism=weight)
        learners[f"CQL {weight:g}"] = CQL(search_network(seed + 50), settings)
    found = {"policy": float(np.mean(returns)), "best policy": max(returns)}
    for name, agent in learners.items():
        learn_from_history(agent, data, args.updates, 64)
        found[name] = search_return(agent.act_greedily, seed)
    return found


def mediocre(seed: int, share: float, policies: int) -> tuple[History, list[float]]:
    """8,000 steps by searchers whose trainings were stopped at a return of 4, and what each of them earns."""
    generator = torch.Generator().manual_seed(seed + 300)
    history = History(HistorySettings(8000, n_step=1, gamma=0.97), 64, NUM_ACTIONS, generator)
    environment, returns = small_search(64, LEARNT), []
    for number in range(policies):
        agent = PQN(
            search_network(seed + 1000 * number), PQNSettings(gamma=0.97, minibatches=8, learning_rate=1e-3)
        )
        training = PQNTraining(agent, small_search(64, LEARNT), 150_000, seed + 200 + 1000 * number)
        train_online(training, small_search(64, LEARNT), OnlineSettings(4096, episodes=64, stop_at=4.0))

        def policy(observation: Any, mask: Any, agent: PQN = agent) -> Any:
            return agent.act(observation, mask, share, generator)

        collect(environment, policy, history, environment.reset(generator), 125 // policies)
        returns.append(search_return(policy, seed))
    return history, returns


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning)
    sys.exit(main())
