"""Can a small classifier tell the generator's haze from physical haze? Its accuracy on new photographs; 50 % is chance.

python benchmarks/simulated_haze.py --photographs DIR [DIR ...] [--scenes 600] [--seeds 3] > simulated.json

Each clear view is taken once: with haze drawn by the physics over its depth, or with haze that the generator simulates
for the same mean optical depth and airlight. Both then pass the same coding. The classifier learns from the views of
two thirds of the photographs and is asked about the others. A control tells two lots of physical haze apart.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.imaging.files import find_photographs
from clairvoy.imaging.haze import HazeSettings, add_haze, draw_haze
from clairvoy.imaging.synthesis.camera import store
from clairvoy.imaging.synthesis.views import Photographs, ViewMaker
from clairvoy.releasing.parts import load_weights

BATCH = 16


def main() -> int:
    parser = argparse.ArgumentParser(description="Can the generator's haze be told from physical haze?")
    parser.add_argument("--photographs", type=Path, nargs="+", required=True)
    parser.add_argument("--weights", default="fast")
    parser.add_argument("--scenes", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    args = parser.parse_args()
    paths = list(chain.from_iterable(map(find_photographs, args.photographs)))
    generator = load_weights(args.weights).generator
    found: dict[str, list[float]] = {"simulated": [], "control": []}
    for seed in range(args.seeds):
        order = np.random.default_rng(seed).permutation(len(paths))
        cut = 2 * len(paths) // 3
        splits = [[paths[k] for k in part] for part in (order[:cut], order[cut:])]
        for name in found:
            used = generator if name == "simulated" else None
            learn = scenes(splits[0], args.scenes, used, 2 * seed)
            test = scenes(splits[1], args.scenes // 2, used, 2 * seed + 1)
            found[name].append(accuracy(learn, test, args.epochs, seed))
            print(f"seed {seed}, {name}: {found[name][-1]:.3f}", file=sys.stderr)
    print(json.dumps({"accuracy": found, "tested_on": args.scenes // 2, "seeds": args.seeds}, indent=2))
    return 0


@torch.no_grad()
def scenes(paths: list[Path], count: int, generator: nn.Module | None, seed: int) -> tuple[Tensor, Tensor]:
    """Hazy views (n, 3, 128, 128) in [0, 1] and whether their haze is of the other kind, (n,)."""
    maker, rng = ViewMaker(Photographs(paths), seed=seed), torch.Generator().manual_seed(seed)
    pictures, labels = [], []
    for begin in range(0, count, BATCH):
        made = [maker(k) for k in range(begin, begin + BATCH)]
        clear = torch.stack([torch.from_numpy(rgb).permute(2, 0, 1) for rgb, _ in made]).float() / 255
        depth = torch.stack([torch.from_numpy(d)[None] for _, d in made])
        haze = draw_haze(depth, rng, HazeSettings(clear=0))
        label = torch.rand(BATCH, generator=rng) < 0.5
        hazy = add_haze(clear, haze.transmission, haze.airlight)
        if generator is not None:
            asked = haze.optical_depth.mean(dim=(1, 2, 3))
            simulated = generator.simulate(clear, asked, haze.airlight, rng).hazy
            hazy = torch.where(label[:, None, None, None], simulated, hazy)
        coded = store(hazy.clamp(0, 1), rng)
        pictures.append(F.avg_pool2d(coded, 2))
        labels.append(label)
    return torch.cat(pictures), torch.cat(labels).float()


def accuracy(learn: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], epochs: int, seed: int) -> float:
    """Train a small convolutional network on one set, and give the part of the other that it labels rightly."""
    torch.manual_seed(seed)
    channels = (3, 24, 48, 96, 96)
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(96, 1))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    pictures, labels = learn
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * (len(pictures) // 32))
    for _ in range(epochs):
        for part in torch.randperm(len(pictures))[: len(pictures) // 32 * 32].view(-1, 32):
            batch = pictures[part]
            batch = torch.where(torch.rand(32, 1, 1, 1) < 0.5, batch.flip(-1), batch)
            loss = F.binary_cross_entropy_with_logits(model(batch)[:, 0], labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        said = torch.cat([model(part)[:, 0] for part in test[0].split(64)]) > 0
    return float((said == test[1].bool()).float().mean())


if __name__ == "__main__":
    sys.exit(main())
