"""Q-learning beside Stable-Baselines3 on the same thread: a table on stderr, JSON on stdout.

python benchmarks/qlearning.py all > qlearning.json          # or: pqn, updates, dqn, search; --seeds 0 1 2 3 4

    pqn      CartPole-v1: environment steps per second, learning included, and the return, against their DQN
    updates  DQN updates per second at their batch size and network
    dqn      does our DQN solve CartPole-v1 within 50,000 environment steps?
    search   the haze search on pixels: steps per second, learning included, and the return, against their DQN

Seconds are those of the CPU (`time.process_time`), one thread, so that a busy machine does less harm; runs of both sides
take turns. Returns are measured after training on episodes of their own, without exploration.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from small_search import (
    FRESH,
    LEARNT,
    UNSEEN,
    difference,
    mean_interval,
    search_network,
    search_return,
    small_search,
)
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import nn

from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.environments.stable_baselines import as_vec_env
from clairvoy.qlearning.dqn import DQN, DQNSettings, learn_from_history
from clairvoy.qlearning.dqn_training import DQNTraining, DQNTrainingSettings
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.rollout import collect, evaluate
from clairvoy.scenarios.search_agent.baselines import oracle, raster_scan

ZOO_CARTPOLE: dict[str, Any] = {
    "learning_rate": 2.3e-3, "batch_size": 64, "buffer_size": 100_000, "learning_starts": 1000, "gamma": 0.99,
    "target_update_interval": 10, "train_freq": 256, "gradient_steps": 128, "exploration_fraction": 0.16,
    "exploration_final_eps": 0.04, "policy_kwargs": {"net_arch": [256, 256]},
}  # fmt: skip
"""rl-baselines3-zoo, hyperparams/dqn.yml, CartPole-v1."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Q-learning beside Stable-Baselines3, one thread.")
    rows = {
        "pqn": pqn,
        "updates": updates,
        "dqn": dqn,
        "search": search,
    }
    parser.add_argument("row", choices=["all", *rows])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    torch.set_num_threads(1)
    _warm_up()
    result: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "stable_baselines3": stable_baselines3.__version__,
        "gymnasium": gymnasium.__version__,
        "seeds": args.seeds,
    }
    for name, measure in rows.items():
        if args.row in ("all", name):
            result[name] = measure(args.seeds)
            _table(name, result[name])
    print(json.dumps(result, indent=2))
    return 0


# The rows.


def pqn(seeds: list[int]) -> dict[str, Any]:
    """500,000 steps of 128 environments of PQN in turns with 6,000 steps of their DQN."""
    budget = 500_000
    ours, theirs, returns, chosen = [], [], [], []
    for seed in seeds:
        peer = _peer_cartpole(seed)
        theirs.append(6000 / _seconds(lambda peer=peer: peer.learn(6000)))
        agent = PQN(_cartpole_network(seed, 64), PQNSettings(epochs=2, minibatches=16, learning_rate=3e-3))
        training = _Timed(PQNTraining(agent, _cartpole(128), budget, seed))
        done = train_online(training, _cartpole(32), OnlineSettings(evaluate_every=50_000))
        ours.append(training.steps / training.seconds)
        chosen.append(done.best.steps)
        returns.append(_cartpole_return(agent, seed))
    return {
        "what": f"PQN, {budget} steps, 128 environments; return of the best kept, 100 fresh episodes",
        "steps_per_second": ours,
        "sb3_steps_per_second": theirs,
        "ratio": _paired(ours, theirs),
        "returns": returns,
        "best_at_step": chosen,
    }


def updates(seeds: list[int]) -> dict[str, Any]:
    """Updates per second, 10 stretches of 128 for each seed, in turns."""
    kinds = {
        "uniform, single": {"priority_exponent": 0.0, "double": False},
        "uniform, double": {"priority_exponent": 0.0, "double": True},
        "prioritised, double": {"priority_exponent": 0.6, "double": True},
    }
    rates: dict[str, list[float]] = {name: [] for name in ("sb3", *kinds)}
    for seed in seeds:
        peer = _peer_cartpole(seed)
        peer.learn(2000)
        calls: dict[str, Callable[[], Any]] = {"sb3": lambda peer=peer: peer.train(128, 64)}
        for name, kind in kinds.items():
            agent = DQN(
                _cartpole_network(seed, 256, normalise=False),
                DQNSettings(2.3e-3, polyak=1.0, target_period=128, double=kind["double"]),
            )
            history = _random_history(seed, 2000, kind["priority_exponent"])
            calls[name] = lambda a=agent, h=history: learn_from_history(a, h, 128, 64)
        for call in calls.values():
            call()
        for _ in range(10):
            for name, call in calls.items():
                rates[name].append(128 / _seconds(call))
    return {
        "what": "updates per second, batch 64, two layers of 256, target network moved every 128 updates as theirs",
        "updates_per_second": {name: mean_interval(values) for name, values in rates.items()},
        "ratio": {name: _paired(rates[name], rates["sb3"]) for name in kinds},
    }


def dqn(seeds: list[int]) -> dict[str, Any]:
    """The zoo's hyperparameters, double and prioritised; at most 50,000 steps, over when 32 episodes average 495."""
    steps, returns, seconds = [], [], []
    for seed in seeds:
        agent = DQN(
            _cartpole_network(seed, 256, normalise=False), DQNSettings(2.3e-3, polyak=1.0, target_period=128)
        )
        history = History(
            HistorySettings(100_000, n_step=1, gamma=0.99), 8, 2, torch.Generator().manual_seed(seed + 2)
        )
        rhythm = DQNTrainingSettings(
            act=32, updates=128, batch_size=64, warm_up=1000, epsilon=(1.0, 0.04), exploration=0.16
        )
        training = _Timed(DQNTraining(agent, history, _cartpole(8), 50_000, rhythm, seed))
        settings = OnlineSettings(evaluate_every=1000, episodes=32, stop_at=495.0)
        done = train_online(training, _cartpole(32), settings)
        steps.append(done.best.steps)
        seconds.append(training.seconds)
        returns.append(_cartpole_return(agent, seed))
    return {
        "what": "our DQN, 8 environments, at most 50,000 steps; return of the best kept, 100 fresh episodes",
        "steps": steps,
        "seconds": seconds,
        "returns": returns,
        "solved": sum(value >= 475 for value in returns),
    }


def search(seeds: list[int]) -> dict[str, Any]:
    """8 x 8 windows, half of the budget that would see all; ours 150,000 steps, theirs as much time as ours."""
    ours, theirs, mine, peers, peer_steps, times = [], [], [], [], [], []
    for seed in seeds:
        agent = PQN(search_network(seed), PQNSettings(gamma=0.97, minibatches=8, learning_rate=1e-3))
        training = PQNTraining(agent, small_search(128, LEARNT), 150_000, seed)
        began = time.process_time()
        while training.steps < training.budget:
            training.round()
        seconds = time.process_time() - began
        peer, took, done = _peer_search(seed, seconds)
        ours.append(training.steps / seconds)
        theirs.append(done / took)
        times.append([seconds, took])
        peer_steps.append(done)
        mine.append(search_return(agent.act_greedily, seed))
        peers.append(search_return(_as_policy(peer), seed))
    judge, start = small_search(128, UNSEEN), torch.Generator().manual_seed(FRESH)
    scan = evaluate(judge, lambda o, m: raster_scan(judge.position, judge.memory), 128, start).mean_return
    best = evaluate(judge, lambda o, m: oracle(judge.position, judge.memory, judge.hazy), 128, start)
    return {
        "what": "haze search, 8 x 8 windows of 32 px, unseen scenes; PQN against their DQN with NatureCNN, equal CPU time",
        "steps_per_second": ours,
        "sb3_steps_per_second": theirs,
        "ratio": _paired(ours, theirs),
        "returns": mine,
        "sb3_returns": peers,
        "sb3_steps": peer_steps,
        "seconds": times,
        "return_over_sb3": difference(mine, peers),
        "raster_scan_return": scan,
        "oracle_return": best.mean_return,
    }


# How it is done.


class _Timed:
    """A training whose rounds are timed, so that evaluations are not."""

    def __init__(self, training: Any) -> None:
        self._training, self.seconds = training, 0.0

    def round(self) -> dict[str, float]:
        began = time.process_time()
        told: dict[str, float] = self._training.round()
        self.seconds += time.process_time() - began
        return told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._training, name)


class _PaddedExtractor(BaseFeaturesExtractor):
    """Their combined extractor; windows of 32 pixels are padded to 36, the least that NatureCNN takes."""

    def __init__(self, observation_space: Any) -> None:
        super().__init__(observation_space, features_dim=1)
        side = gymnasium.spaces.Box(0, 255, (3, 36, 36), np.uint8)
        self.cnn = NatureCNN(side, features_dim=256)
        self.others = [name for name in observation_space.spaces if name != "window"]
        flat = sum(int(np.prod(observation_space[name].shape)) for name in self.others)
        self._features_dim = 256 + flat

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        window = nn.functional.pad(observations["window"], (2, 2, 2, 2))
        return torch.cat([self.cnn(window), *(observations[name].flatten(1) for name in self.others)], dim=1)


def _warm_up() -> None:
    """What is loaded on first use is not to be timed."""
    training = PQNTraining(PQN(_cartpole_network(0, 64)), _cartpole(8), 1000)
    training.round()
    _peer_cartpole(0).learn(1300)


def _cartpole(count: int) -> FromGymnasium:
    return FromGymnasium(gymnasium.make_vec("CartPole-v1", count, vectorization_mode="vector_entry_point"))


def _cartpole_network(seed: int, width: int, normalise: bool = True) -> QNetwork:
    network = QNetwork(VectorEncoder({"observation": (4,)}, width, normalise), width, 2)
    initialise(network, torch.Generator().manual_seed(seed))
    return network


def _cartpole_return(agent: Any, seed: int) -> float:
    generator = torch.Generator().manual_seed(FRESH + seed)
    return evaluate(_cartpole(100), agent.act_greedily, 100, generator).mean_return


def _peer_cartpole(seed: int) -> Any:
    return stable_baselines3.DQN(
        "MlpPolicy", gymnasium.make("CartPole-v1"), seed=seed, device="cpu", **ZOO_CARTPOLE
    )


def _random_history(seed: int, steps: int, priority_exponent: float) -> History:
    generator = torch.Generator().manual_seed(seed)
    settings = HistorySettings(100_000, n_step=1, gamma=0.99, priority_exponent=priority_exponent)
    environment, history = _cartpole(8), History(settings, 8, 2, generator)
    seen = environment.reset(generator)
    collect(environment, lambda o, m: torch.randint(2, (8,), generator=generator), history, seen, steps // 8)
    return history


def _peer_search(seed: int, seconds: float) -> tuple[Any, float, int]:
    """Their DQN with the zoo's settings for Atari, 8 environments, and a schedule for about the time given."""

    def build() -> Any:
        return stable_baselines3.DQN(
            "MultiInputPolicy", as_vec_env(small_search(8, LEARNT), seed), learning_rate=1e-4, batch_size=32,
            buffer_size=20_000, learning_starts=500, gamma=0.97, target_update_interval=1000, train_freq=4,
            gradient_steps=8, exploration_fraction=0.5, exploration_final_eps=0.05, seed=seed, device="cpu",
            policy_kwargs={"features_extractor_class": _PaddedExtractor},
        )  # fmt: skip

    trial = build()
    rate = 1500 / _seconds(lambda: trial.learn(1500))
    peer, steps = build(), max(2000, round(rate * seconds))
    took = _seconds(lambda: peer.learn(steps))
    return peer, took, peer.num_timesteps


def _as_policy(peer: Any) -> Any:
    return lambda observation, mask: torch.from_numpy(
        peer.predict({name: value.numpy() for name, value in observation.items()}, deterministic=True)[0]
    )


def _seconds(call: Callable[[], Any]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _paired(ours: list[float], theirs: list[float]) -> dict[str, float]:
    return mean_interval([a / b for a, b in zip(ours, theirs, strict=True)])


def _table(name: str, told: dict[str, Any]) -> None:
    print(f"{name}: {told['what']}", file=sys.stderr)
    for key, value in told.items():
        if key != "what":
            print(f"    {key:24s} {_brief(value)}", file=sys.stderr)


def _brief(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "  ".join(_brief(item) for item in value)
    if isinstance(value, dict) and set(value) == {"mean", "low", "high"}:
        return f"{value['mean']:.4g} [{value['low']:.4g}, {value['high']:.4g}]"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_brief(item)}" for name, item in value.items())
    return str(value)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning)
    sys.exit(main())
