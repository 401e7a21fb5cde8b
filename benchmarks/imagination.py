"""Pictures painted from imagination, judged by networks that had no part in it: a table on stderr, a sheet on request.

python benchmarks/imagination.py --write DIGITS                      # the pictures to learn from, as PNG
clairvoy train imagine DIGITS --most 400 --out RUN
python benchmarks/imagination.py RUN/imagination.safetensors --sheet sheet.png

The set: handwritten digits (UCI, CC BY 4.0; they come with scikit-learn). Every second one is learnt from. Of the others
one half trains the judges, and the other half is what paintings are compared with. Judges:

told apart   a network learns to tell paintings from those that the search made of pictures of the set; its AUROC on others,
             0.5 is as good. (From the pictures themselves it tells every painting: no stroke has a soft edge.)
distance     Frechet distance between the features of a classifier of digits, on paintings and on pictures; less is better
sure         how sure that classifier is which digit it sees, in the mean; and over how many digits they spread
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from clairvoy.painting.imagination import BRUSH, Imagination, stroke_of
from clairvoy.painting.painting import Painting, Stroke, on_paper
from clairvoy.painting.proposals import new_shapes
from clairvoy.painting.sheet import sheet_pixels
from clairvoy.painting.target import target_of
from clairvoy.scenarios.painting.set_strokes import paint_set

PIXELS = 16
STORED = 32
COUNT = 400


def main() -> int:
    parser = argparse.ArgumentParser(description="Pictures painted from imagination, judged.")
    parser.add_argument(
        "weights", type=Path, nargs="?", metavar="FILE", help="what `clairvoy train imagine` wrote"
    )
    parser.add_argument("--write", type=Path, metavar="DIR", help="write the pictures to learn from")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="set, random strokes, generator alone, with agent"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    pictures, labels = digits()
    if args.write is not None:
        args.write.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures[0::2]):
            cv2.imwrite(str(args.write / f"{number:04}.png"), picture)
    if args.weights is None:
        return 0
    imagination = Imagination.load(args.weights)
    rows = []
    for seed in args.seeds:
        others = np.random.default_rng(seed).permutation(np.arange(1, len(pictures), 2))
        judging, compared = others[: len(others) // 2], others[len(others) // 2 :][:COUNT]
        classifier = classifier_of(small(pictures[judging]), labels[judging], seed)
        made = arms(imagination, pictures[judging], seed)
        real = small(pictures[compared])
        of_real = drawn(searched(imagination, pictures[compared], seed + 200))
        for name, canvases in [("set", small(pictures[judging][:COUNT])), *made.items()]:
            rows.append((name, told_apart(canvases, of_real, seed), *described(classifier, canvases, real)))
    for name in dict.fromkeys(row[0] for row in rows):
        mine = np.array([row[1:] for row in rows if row[0] == name])
        mean, low, high = mine.mean(axis=0), mine.min(axis=0), mine.max(axis=0)
        print(
            f"{name:18} told apart {mean[0]:.3f} [{low[0]:.3f}, {high[0]:.3f}]  distance {mean[1]:6.1f} "
            f"[{low[1]:.1f}, {high[1]:.1f}]  sure {mean[2]:.2f}  digits {mean[3]:.1f}",
            file=sys.stderr,
        )
    if args.sheet is not None:
        write_sheet(args.sheet, imagination, pictures)
    return 0


def digits() -> tuple[np.ndarray, np.ndarray]:
    """(N, STORED, STORED) uint8, white on black, and which digit each is."""
    data = load_digits()
    enlarged = [
        cv2.resize(one / 16.0, (STORED, STORED), interpolation=cv2.INTER_CUBIC) for one in data.images
    ]
    return np.round(np.clip(enlarged, 0, 1) * 255).astype(np.uint8), data.target


def small(pictures: np.ndarray) -> np.ndarray:
    """(N, PIXELS, PIXELS) in [0, 1]."""
    return (
        np.array([cv2.resize(one, (PIXELS, PIXELS), interpolation=cv2.INTER_AREA) for one in pictures])
        / 255.0
    )


def arms(imagination: Imagination, pictures: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Canvases (N, PIXELS, PIXELS) of every way to paint."""
    rng = np.random.default_rng(seed + 100)
    of_set = searched(imagination, pictures[:COUNT], seed + 100)
    mixed = [list(column) for column in zip(*(painting.strokes for painting in of_set), strict=True)]
    for column in mixed:
        rng.shuffle(column)
    shuffled = [
        Painting((256, 256), imagination.ground, list(strokes)) for strokes in zip(*mixed, strict=True)
    ]
    ways: dict[str, Callable[[], list[Painting]]] = {
        "search, a target": lambda: of_set,
        "agent + generator": lambda: imagination.imagine(COUNT, rng),
        "generator alone": lambda: imagination.imagine(COUNT, rng, agent=False),
        "strokes shuffled": lambda: shuffled,
        "random strokes": lambda: [at_random(imagination, rng) for _ in range(COUNT)],
    }
    return {name: drawn(way()) for name, way in ways.items()}


def searched(imagination: Imagination, pictures: np.ndarray, seed: int) -> list[Painting]:
    """What the search makes of pictures, with as many strokes."""
    targets = [target_of(np.repeat(one[..., None], 3, axis=2), PIXELS) for one in pictures]
    rows = paint_set(targets, imagination.strokes, imagination.ground, np.random.default_rng(seed)).rows
    return [Painting((256, 256), imagination.ground, [stroke_of(row) for row in strokes]) for strokes in rows]


def at_random(imagination: Imagination, rng: np.random.Generator) -> Painting:
    shapes = new_shapes(BRUSH, rng.random((imagination.strokes, 2)), rng)
    greys = rng.random(imagination.strokes)
    strokes = [Stroke(BRUSH, shape, np.full(3, grey), 1.0) for shape, grey in zip(shapes, greys, strict=True)]
    return Painting((256, 256), imagination.ground, strokes)


def drawn(paintings: list[Painting]) -> np.ndarray:
    return np.array([on_paper(painting.draw(PIXELS)).mean(axis=2) for painting in paintings])


def network(outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 16, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, outputs),
    )  # fmt: skip


def learnt(
    model: nn.Sequential,
    canvases: np.ndarray,
    loss: Callable[[Tensor, Tensor], Tensor],
    wanted: np.ndarray,
    seed: int,
) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3, weight_decay=1e-4)
    shown, told = torch.as_tensor(canvases).float()[:, None], torch.as_tensor(wanted)
    for _ in range(500):
        at = torch.randint(len(shown), (64,), generator=generator)
        optimizer.zero_grad()
        loss(model(shown[at]), told[at]).backward()
        optimizer.step()
    return model.eval()


def classifier_of(canvases: np.ndarray, labels: np.ndarray, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return learnt(network(10), canvases, F.cross_entropy, labels, seed)


def told_apart(made: np.ndarray, real: np.ndarray, seed: int) -> float:
    """AUROC of a network that has learnt from half of both."""
    half = min(len(made), len(real)) // 2
    both = np.concatenate([made[:half], real[:half]])
    torch.manual_seed(seed + 1)
    belief = np.repeat([0.0, 1.0], half).astype(np.float32)[:, None]
    judge = learnt(network(1), both, F.binary_cross_entropy_with_logits, belief, seed)
    rest = np.concatenate([made[half : 2 * half], real[half : 2 * half]])
    with torch.no_grad():
        logits = judge(torch.as_tensor(rest).float()[:, None])[:, 0].numpy()
    return float(roc_auc_score(belief[:, 0], logits))


def described(classifier: nn.Sequential, made: np.ndarray, real: np.ndarray) -> tuple[float, float, float]:
    """Frechet distance, mean of the surest digit's probability, and exp of the entropy over digits."""
    features = []
    with torch.no_grad():
        for canvases in (made, real):
            shown = torch.as_tensor(canvases).float()[:, None]
            features.append(classifier[:-2](shown).double().numpy())
        probabilities = classifier(torch.as_tensor(made).float()[:, None]).softmax(dim=1).double().numpy()
    mean = probabilities.mean(axis=0)
    spread = float(np.exp(-(mean * np.log(mean + 1e-12)).sum()))
    return frechet(*features), float(probabilities.max(axis=1).mean()), spread


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """Of normal distributions of the same means and covariances: |m - n|^2 + tr(S + T - 2 (S T)^1/2)."""
    s, t = np.cov(one.T), np.cov(other.T)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(s @ t).real, 0.0))
    return float(
        ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * roots.sum()
    )


def write_sheet(path: Path, imagination: Imagination, pictures: np.ndarray) -> None:
    """Four squares of sixteen: pictures of the set, random strokes, the generator alone, agent and generator."""
    rng = np.random.default_rng(0)
    shown = [cv2.resize(one, (80, 80), interpolation=cv2.INTER_CUBIC) for one in pictures[1:32:2]]
    of_set = sheet_pixels(imagination.imagine(16, rng), 80)
    gap = max(1, round(80 * 0.06))
    for number, picture in enumerate(shown):
        y, x = (gap + (80 + gap) * at for at in divmod(number, 4))
        of_set[y : y + 80, x : x + 80] = picture[..., None]
    others = [
        [at_random(imagination, rng) for _ in range(16)],
        imagination.imagine(16, rng, agent=False),
        imagination.imagine(16, rng),
    ]
    parts = [of_set, *(sheet_pixels(paintings, 80) for paintings in others)]
    cv2.imwrite(str(path), np.concatenate(parts, axis=1)[..., ::-1])


if __name__ == "__main__":
    sys.exit(main())
