"""What of the room between rules and oracle can be had at all: the next glimpse, of one who sees and of one who is blind.

    python benchmarks/panorama_room.py RUNS > room.json

RUNS is the folder of `panorama_values.py`. On panoramas that nothing was trained on every direction's gain is simulated, in
states of one to four glimpses. A network that is shown no picture knows where glimpses were taken: it is the best rule that
holds for all panoramas, and so at least as good as every fixed list. One that sees learns from more and more states.
Boosted trees on features made by hand do the same (extra `peers`). Given are the part of the variance of gains within a
state that each foretells, and the mean gain of what it would choose.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from panorama_values import MOST, _FewBits, _kept
from torch import Tensor

from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.scenarios.panorama.completion import new_learner
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS, ELEVATIONS, looks_at
from clairvoy.scenarios.panorama.gains import Lookout, simulate
from clairvoy.scenarios.panorama.looking import GAIN, Looking
from clairvoy.scenarios.panorama.values import ValueNetwork, learn_values


def main() -> int:
    parser = argparse.ArgumentParser(
        description="The room between rules and oracle, and what of it can be foretold."
    )
    parser.add_argument("runs", type=Path)
    parser.add_argument("--completion-seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--updates", type=int, default=1600)
    parser.add_argument("--sizes", type=int, nargs="+", default=[650, 2600])
    args = parser.parse_args()
    torch.set_num_threads(1)
    looking, seed = Looking(32, MOST), args.completion_seed
    states = Lookout(*torch.load(args.runs / f"states{seed}.pt"))
    held = Lookout(*_kept(args.runs / f"held_states{seed}.pt", lambda: tuple(_held(args, looking))))
    told = {"chance": _chosen(torch.rand(held.gain.shape, generator=torch.Generator().manual_seed(0)), held)}
    told["oracle"] = _chosen(held.gain, held)
    for name, size in [("blind", len(states.gain)), *((f"{size} states", size) for size in args.sizes)]:
        some = Lookout(*(part[:size] for part in states))
        shown = held
        if name == "blind":
            some, shown = (one._replace(completed=torch.zeros_like(one.completed)) for one in (some, held))
        torch.manual_seed(0)
        network = ValueNetwork(looking.views)
        learn_values(network, some, horizon=1, updates=args.updates)
        with torch.no_grad():
            told[name] = _chosen(network(shown.completed, shown.taken, 1), held)
        print(name, told[name], file=sys.stderr, flush=True)
    for name, sees in (("trees, blind", False), ("trees", True)):
        told[name] = _chosen(_by_trees(looking, states, held, sees), held)
        print(name, told[name], file=sys.stderr, flush=True)
    print(json.dumps(told, indent=1))
    return 0


def _held(args: argparse.Namespace, looking: Looking) -> Lookout:
    few = torch.zeros(2, 3, 32, 64, dtype=torch.uint8)
    learner = new_learner(few, looking.views, args.width, args.completion_seed)
    kept = torch.load(args.runs / f"completion{args.completion_seed}.pt", weights_only=False)
    learner.load_state_dict(kept)
    test = torch.load(args.runs / "test.pt")
    snapshot: Snapshot = _FewBits(learner.averaged)
    return simulate(looking, snapshot, test, torch.Generator().manual_seed(5))


def _by_trees(looking: Looking, states: Lookout, held: Lookout, sees: bool) -> Tensor:
    """Gains within a state, foretold by boosted trees, (N, DIRECTIONS)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    free = ~states.taken
    gain = states.gain - (states.gain * free).sum(dim=1, keepdim=True) / free.sum(dim=1, keepdim=True)
    trees = HistGradientBoostingRegressor(
        max_iter=150, learning_rate=0.06, max_leaf_nodes=15, min_samples_leaf=60, random_state=0
    )
    trees.fit(_features(looking, states, sees)[free].numpy(), gain[free].numpy())
    told = trees.predict(_features(looking, held, sees).flatten(0, 1).numpy())
    return torch.from_numpy(told).float().view(held.gain.shape)


def _features(looking: Looking, states: Lookout, sees: bool) -> Tensor:
    """What the trees are told of each direction, (N, DIRECTIONS, features).

    Blind: how much of the view is new, angles to the three nearest glimpses, elevation, how much was seen, glimpses by
    elevation. Seeing, besides: mean and deviation of what is completed there and of what was seen, their difference, and how
    much neighbouring columns differ in either.
    """
    count = len(states.gain)
    within = F.avg_pool2d(looking.views[:, None].float(), 2)[:, 0].flatten(1)
    solid = 4 * F.avg_pool2d(looking.weights[None, None], 2).flatten()
    places = torch.tensor([looks_at(direction) for direction in range(DIRECTIONS)])
    lon, lat = places.T
    unit = torch.stack([lat.cos() * lon.sin(), lat.sin(), lat.cos() * lon.cos()], dim=1)
    angles = (unit @ unit.T).clamp(-1, 1).acos()
    seen = (states.taken.float() @ within > 0.5) * solid
    new = within * solid * (seen == 0)[:, None]
    much = new.sum(dim=2, keepdim=True)
    rows = states.taken.unflatten(1, (len(ELEVATIONS), AROUND)).sum(dim=2).float()
    nearest = torch.where(states.taken[:, None], angles, 4.0).sort(dim=2).values[..., :3]
    elevation = (torch.arange(DIRECTIONS) // AROUND).float()[:, None].expand(count, -1, 1)
    every = torch.cat([rows, seen.sum(dim=1, keepdim=True)], dim=1)[:, None].expand(-1, DIRECTIONS, -1)
    told = [much, nearest, elevation, every]
    if sees:
        picture = states.completed.float() / 255
        steps = (picture - picture.roll(1, dims=3)).abs().mean(dim=1, keepdim=True)
        planes = torch.cat([picture, picture.square(), steps], dim=1).flatten(2)
        there = torch.einsum("ndp,ncp->ndc", new, planes) / much.clamp(min=1e-4)
        known = torch.einsum("np,ncp->nc", seen, planes) / seen.sum(dim=1, keepdim=True)
        for means in (there, known[:, None].expand(-1, DIRECTIONS, -1)):
            deviation = (means[..., 3:6] - means[..., :3].square()).clamp(min=0).sqrt()
            told += [means[..., :3], deviation, means[..., 6:]]
        told.append((there[..., :3] - known[:, None, :3]).abs())
    return torch.cat(told, dim=2)


def _chosen(values: Tensor, held: Lookout) -> dict[str, float]:
    """How well values foretell gains within each state, and what the most valued direction pays, in parts of the range."""
    free = ~held.taken
    count = free.sum(dim=1, keepdim=True)

    def within(numbers: Tensor) -> Tensor:
        return (numbers - (numbers * free).sum(dim=1, keepdim=True) / count)[free]

    gain, told = within(held.gain), within(values)
    best = values.masked_fill(~free, -torch.inf).argmax(dim=1, keepdim=True)
    return {
        "variance foretold": float(1 - (gain - told).square().sum() / gain.square().sum()),
        "gain of the choice": float(held.gain.gather(1, best).mean() / GAIN),
    }


if __name__ == "__main__":
    sys.exit(main())
