"""Where to look on a sphere, by values of all directions: beside every rule, in one run, with one completion.

    python benchmarks/panorama_values.py --out RUNS --panoramas FOLDER > values.json

Steps, each kept in RUNS and not done again: panoramas are rendered; a completion is trained on them; glimpses in all
directions are simulated; a masked autoencoder is trained for attention entropy; for each seed of the agent values are
learnt, from states at random and, if asked, from states that a first agent brings about. Measured on other rendered
panoramas, and on photographs, each turned by eighths, as the first glimpse looks ahead. Nothing is chosen by what is
measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from panorama import HEIGHT, HELD_OUT, LIST_FROM, photographs, rendered
from torch import Tensor

from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.scenarios.panorama.attention import AttendingAutoencoder, learn_attention
from clairvoy.scenarios.panorama.baselines import (
    along_the_equator,
    best_list,
    by_attention,
    by_chance,
    by_oracle,
    by_variance,
    error_after,
    from_list,
)
from clairvoy.scenarios.panorama.completion import learn_completion, new_learner
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS
from clairvoy.scenarios.panorama.gains import Lookout, simulate
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.model import LookingModel, new_model
from clairvoy.scenarios.panorama.values import ValueNetwork, by_values, learn_values

MOST = 5
"""Glimpses that values are learnt for."""
LIST = 8
"""Glimpses of the list that the agent is to equal with fewer."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Values of all directions, beside every rule.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--panoramas", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--completion-seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=8000)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--states", type=int, default=2600)
    parser.add_argument("--own-states", type=int, default=0, help="states that a first agent brings about")
    parser.add_argument("--value-updates", type=int, default=300)
    parser.add_argument("--horizon", type=int, default=2, help="glimpses that the agent looks ahead at most")
    parser.add_argument("--attention-updates", type=int, default=400)
    parser.add_argument("--measured", type=int, default=64)
    parser.add_argument("--turns", type=int, default=2, help="eighths by which photographs are turned")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    real = _kept(args.out / "real.pt", lambda: rendered(0, args.scenes))
    held = _kept(args.out / "held.pt", lambda: rendered(LIST_FROM, 256))
    shown = {
        "rendered": _kept(args.out / "test.pt", lambda: rendered(HELD_OUT, args.measured))[: args.measured]
    }
    if args.panoramas:
        eighth = 2 * HEIGHT // AROUND
        shown["photographs"] = torch.cat(
            [
                photographs(args.panoramas).roll(turn * AROUND // args.turns * eighth, dims=3)
                for turn in range(args.turns)
            ]
        )
    model = _completion(args, real)
    trained = {seed: _values(args, model, real, seed) for seed in args.seeds}
    attention = AttendingAutoencoder(HEIGHT)
    attention.load_state_dict(
        _kept(
            args.out / "attention.pt",
            lambda: learn_attention(real, model.looking.views, updates=args.attention_updates).state_dict(),
        )
    )
    told = {
        kind: _measured(
            args, model, trained, attention, pictures, held, args.turns if kind == "photographs" else 1
        )
        for kind, pictures in shown.items()
    }
    print(json.dumps(told, indent=1))
    return 0


def _kept(path: Path, make: Callable[[], Any]) -> Any:
    """What was made before, or is made now."""
    if not path.exists():
        begun = time.process_time()
        torch.save(make(), path)
        print(f"{path.name}: {time.process_time() - begun:.0f} CPU s", file=sys.stderr, flush=True)
    return torch.load(path, weights_only=False)


def _completion(args: argparse.Namespace, real: Tensor) -> LookingModel:
    looking, seed = Looking(HEIGHT, MOST), args.completion_seed
    learner = new_learner(real, looking.views, args.width, seed)
    learner.load_state_dict(
        _kept(
            args.out / f"completion{seed}.pt",
            lambda: learn_completion(
                real, looking.views, updates=args.updates, width=args.width, seed=seed, few_bits=True
            ).state_dict(),
        )
    )
    torch.manual_seed(seed)
    return new_model(looking, learner)


class _FewBits(Snapshot):
    """Completes in bfloat16, for histories."""

    def complete(self, rows: Tensor, seen: Tensor, noise: torch.Generator | None = None) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return super().complete(rows, seen, noise)


def _values(args: argparse.Namespace, model: LookingModel, real: Tensor, seed: int) -> ValueNetwork:
    """Values learnt with a seed; all seeds share the simulated states, the first agent's are of seed -1."""
    looking = model.looking
    few = _FewBits(model.snapshot.generator)

    def learnt(states: Lookout, number: int) -> ValueNetwork:
        torch.manual_seed(number + 1000)
        network = ValueNetwork(looking.views)
        learn_values(network, states, horizon=args.horizon, updates=args.value_updates, seed=number + 1000)
        return network

    def states() -> Lookout:
        rng = torch.Generator().manual_seed(args.completion_seed)
        return simulate(looking, few, real[: args.states], rng)

    def own() -> Lookout:
        rng = torch.Generator().manual_seed(args.completion_seed + 1)
        first = learnt(at_random, -1)
        others = real[args.states : args.states + args.own_states]
        return simulate(looking, few, others, rng, lambda some: by_values(first, looking, few, some))

    name = args.completion_seed
    together = at_random = Lookout(*_kept(args.out / f"states{name}.pt", lambda: tuple(states())))
    if args.own_states:
        its_own = Lookout(*_kept(args.out / f"own{name}.pt", lambda: tuple(own())))
        together = Lookout(*(torch.cat(parts) for parts in zip(at_random, its_own, strict=True)))
    network = ValueNetwork(looking.views)
    network.load_state_dict(
        _kept(args.out / f"values{name}-{seed}.pt", lambda: learnt(together, seed).state_dict())
    )
    return network


def _measured(
    args: argparse.Namespace,
    model: LookingModel,
    trained: dict[int, ValueNetwork],
    attention: AttendingAutoencoder,
    shown: Tensor,
    held: Tensor,
    turns: int,
) -> dict[str, Any]:
    """Error of each way after each number of glimpses, panorama by panorama."""
    snapshot, looking = model.snapshot, model.looking
    four = Looking(HEIGHT, 4)
    best = _kept(
        args.out / f"list{args.completion_seed}.pt", lambda: best_list(looking, snapshot, held[:48], MOST)
    )
    ways = {
        "by chance": by_chance(len(shown), MOST, torch.Generator().manual_seed(0)),
        "along the equator": from_list(along_the_equator(LIST), len(shown)),
        "best list": from_list(best, len(shown)),
        "largest variance": by_variance(looking, snapshot, shown, MOST),
        "attention entropy": by_attention(looking, attention, shown, MOST),
        "oracle": by_oracle(looking, snapshot, shown, MOST),
    }
    for seed, network in trained.items():
        ways[f"values {seed}"] = by_values(network, four, snapshot, shown, horizon=args.horizon)
        ways[f"values {seed}, five"] = by_values(network, looking, snapshot, shown, horizon=args.horizon)
        ways[f"values {seed}, one ahead"] = by_values(network, looking, snapshot, shown, horizon=1)
    told: dict[str, Any] = {}
    for name, order in ways.items():
        assert int(order.max()) < DIRECTIONS
        after = [error_after(looking, snapshot, shown, order[:, :n]) for n in range(1, order.shape[1] + 1)]
        told[name] = [[round(float(one), 5) for one in errors] for errors in after]
        means = " ".join(f"{float(errors.mean()):.4f}" for errors in after)
        print(f"{name:28} {means}", file=sys.stderr, flush=True)
    for name in ways:
        if name.startswith("values"):
            continue
        for number in (4, 5):
            agents = np.array(
                [told[f"values {seed}" + ", five" * (number == 5)][number - 1] for seed in trained]
            )
            told[f"agent with {number} against {name}"] = _against(
                agents, np.array(told[name][number - 1]), turns
            )
    agents = np.array([told[f"values {seed}, five"][4] for seed in trained])
    told["agent with 5 against the equator with 8"] = _against(
        agents, np.array(told["along the equator"][LIST - 1]), turns
    )
    return told


def _against(agents: NDArray[Any], rule: NDArray[Any], turns: int) -> list[float]:
    """Relative difference of the mean errors, and 95 % of it over panoramas and seeds drawn again."""
    agents, rule = agents.reshape(len(agents), turns, -1).mean(axis=1), rule.reshape(turns, -1).mean(axis=0)
    rng, found = np.random.default_rng(0), []
    for _ in range(4000):
        panoramas = rng.integers(len(rule), size=len(rule))
        seeds = rng.integers(len(agents), size=len(agents))
        found.append(agents[seeds][:, panoramas].mean() / rule[panoramas].mean() - 1)
    return [float(agents.mean() / rule.mean() - 1), *np.percentile(found, [2.5, 97.5]).tolist()]


if __name__ == "__main__":
    sys.exit(main())
