"""Painting from imagination, trained: the generator from the search, then agent and discriminator against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, at_least
from clairvoy.generative.adversary import accept, discriminator_step
from clairvoy.painting.imagination import FORMAT, Imagination
from clairvoy.painting.target import Target
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.dqn_training import DQNTraining, DQNTrainingSettings
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.qnetwork import initialise
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.painting.imagination_game import Finished, ImaginationGame
from clairvoy.scenarios.painting.set_strokes import (
    LATENTS,
    StrokeVAE,
    learn_set_strokes,
    paint_set,
    replayed,
)
from clairvoy.storage.weights_file import write_weights

Say = Callable[[str], None]
_BATCH = 64
_RECENT = 1024
_R1 = 2.0
_LOGIT = 4.0


@dataclass(frozen=True)
class ImaginationTraining:
    """How long everything is trained."""

    strokes: int = 6
    """Of each painting."""
    updates: int = 6000
    """Of the generator from the search's paintings; a third as many again after the feedback."""
    steps: int = 24_000
    """Of the agent, in all its paintings together."""
    environments: int = 32
    """Paintings side by side."""
    feedback: bool = True
    """Half way, the agent's paintings that the discriminator accepts are given to the generator to learn from as well."""
    seed: int = 0
    """Of all randomness."""

    def __post_init__(self) -> None:
        at_least(self, 1, "strokes", "updates", "steps", "environments")


class AfterstateNetwork(nn.Module):
    """The value of a canvas, the same for each that is offered."""

    def __init__(self, features: int, width: int = 96) -> None:
        super().__init__()
        self.value = nn.Sequential(
            nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )
        self.register_buffer("ground", torch.zeros(features - 1))

    ground: Tensor

    def forward(self, observation: Observation) -> Tensor:
        """Q-values (N, K) of canvases (N, K, features - 1)."""
        after, part = observation["after"].float() / 255.0 - self.ground, observation["painted"].float()
        part = part[:, None].expand(-1, after.shape[1], -1)
        values: Tensor = self.value(torch.cat([after, part], dim=2))[..., 0]
        return values


def discriminator_of(pixels: int) -> nn.Sequential:
    """Logits (N, 1) of canvases (N, 3, pixels, pixels): like a painting of the set, or not."""
    side = (pixels + 3) // 4
    return nn.Sequential(
        nn.Conv2d(3, 24, 4, 2, 1 + pixels % 2), nn.LeakyReLU(0.2),
        nn.Conv2d(24, 48, 4, 2, 1), nn.LeakyReLU(0.2), nn.AdaptiveAvgPool2d(side), nn.Flatten(),
        nn.Linear(48 * side * side, 1),
    )  # fmt: skip


class Critic:
    """The discriminator and how it learns: the search's paintings of the set against the agent's.

    Parameters
    ----------
    real
        (N, H, H, 3) in [0, 1].
    generator
        Of batches.
    """

    def __init__(self, real: np.ndarray, generator: torch.Generator) -> None:
        self.real, self.generator = _planes(real), generator
        self.network = discriminator_of(real.shape[1])
        self.optimizer = torch.optim.Adam(self.network.parameters(), 5e-4, betas=(0.5, 0.9))

    def learn(self, finished: Sequence[Finished], updates: int) -> dict[str, float]:
        """Learn from the latest paintings; returns what was measured last."""
        fake = _planes(np.stack([one.canvas for one in finished[-_RECENT:]]))
        for _ in range(updates):
            real, made = (
                rows[torch.randint(len(rows), (_BATCH,), generator=self.generator)]
                for rows in (self.real, fake)
            )
            step = discriminator_step(self.optimizer, self.network, real, made, _R1)
        return {name: float(value) for name, value in step.terms.items()}

    @torch.no_grad()
    def logits(self, canvases: np.ndarray) -> Tensor:
        """(N,) of canvases (N, H, H, 3)."""
        logits: Tensor = self.network(_planes(canvases))[:, 0]
        return logits

    def believed(self, canvases: np.ndarray) -> np.ndarray:
        """(N,) in [-1, 1], the reward: belief as a squashed logit, which still tells bad from worse."""
        return np.asarray(torch.tanh(self.logits(canvases) / _LOGIT))


def train_imagination(
    targets: Sequence[Target], settings: ImaginationTraining, say: Say
) -> dict[str, Tensor]:
    """Weights of generator and agent; see `painting.imagination.Imagination`.

    Parameters
    ----------
    targets
        Square pictures of the set, all of one size.
    settings
        See `ImaginationTraining`.
    say
        Told what is being done.

    Raises
    ------
    InputError
        There are too few pictures, or they are not square.
    """
    if len(targets) < 8:
        raise InputError(
            f"{len(targets)} pictures; give at least 8, and hundreds to learn what a set looks like"
        )
    shapes = {target.weight.shape for target in targets}
    if len(shapes) > 1 or len(set(next(iter(shapes)))) > 1:
        raise InputError(f"pictures of {sorted(shapes)} pixels; give square ones of one size")
    ground = border_colour(targets)
    strokes = paint_set(targets, settings.strokes, ground, np.random.default_rng(settings.seed))
    wrong = np.mean(
        [
            ((canvas - target.pixels) ** 2).mean()
            for canvas, target in zip(strokes.finished, targets, strict=True)
        ]
    )
    say(f"{len(targets)} pictures painted by the search: {-10 * np.log10(wrong):.1f} dB")
    pixels = targets[0].weight.shape[0]
    features = pixels**2 * 3 + 1
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model, critic = StrokeVAE(features, strokes.rows), Critic(strokes.finished, generator)
        network = AfterstateNetwork(features)
    learn_set_strokes(model, strokes, ground, settings.updates, generator)
    initialise(network, torch.Generator().manual_seed(settings.seed + 1))
    network.ground.copy_(torch.as_tensor(np.tile(ground, pixels**2)))
    game = ImaginationGame(
        imagination_of(model, network, pixels, settings.strokes, ground),
        critic.believed,
        settings.environments,
    )
    history = History(
        HistorySettings(capacity=8192, gamma=1.0), settings.environments, game.num_actions,
        torch.Generator().manual_seed(settings.seed + 2),
    )  # fmt: skip
    agent = DQN(network, DQNSettings(learning_rate=5e-4, average=0.99))
    training = DQNTraining(
        agent, history, game, settings.steps,
        DQNTrainingSettings(warm_up=settings.environments * settings.strokes, updates=4, batch_size=64),
        settings.seed + 3,
    )  # fmt: skip
    fed = not settings.feedback
    judged = 0
    while not training.over:
        training.round()
        if len(game.finished) > judged:
            judged = len(game.finished)
            told = critic.learn(game.finished, 4)
            if judged // 512 > (judged - settings.environments) // 512:
                paid = critic.believed(np.stack([one.canvas for one in game.finished[-256:]])).mean()
                say(f"{judged} paintings: belief {paid:.2f}, {told}")
        if not fed and training.steps >= settings.steps // 2:
            fed = True
            kept = accepted(game.finished[-_RECENT:], critic, generator)
            say(f"{len(kept)} paintings are given to the generator")
            if len(kept):
                both = np.concatenate([strokes.rows, kept])
                learn_set_strokes(
                    model, replayed(both, ground, pixels), ground, max(1, settings.updates // 3), generator
                )
                game.imagination = imagination_of(model, network, pixels, settings.strokes, ground)
    acting = agent.acting
    assert isinstance(acting, AfterstateNetwork)
    return exported(model, acting, pixels, settings.strokes, ground)


def border_colour(targets: Sequence[Target]) -> np.ndarray:
    """(3,), the median of what lies along the border of the pictures, in steps of 1/255."""
    pixels = np.array([target.pixels for target in targets])
    border = np.ones(pixels.shape[1:3], bool)
    border[1:-1, 1:-1] = False
    median: np.ndarray = np.median(pixels[:, border], axis=(0, 1))
    return np.round(median * 255.0) / 255.0


def accepted(finished: Sequence[Finished], critic: Critic, generator: torch.Generator) -> np.ndarray:
    """Strokes (M, strokes, NUMBERS) of the paintings that pass the discriminator's rejection sampling."""
    keep = accept(critic.logits(np.stack([one.canvas for one in finished])), generator).numpy()
    return np.array([one.rows for one, kept in zip(finished, keep, strict=True) if kept])


def imagination_of(
    model: StrokeVAE, network: AfterstateNetwork, pixels: int, strokes: int, ground: np.ndarray
) -> Imagination:
    """What is trained, at work."""
    weights = exported(model, network, pixels, strokes, ground)
    return Imagination({name: value.numpy() for name, value in weights.items()})


def exported(
    model: StrokeVAE, network: AfterstateNetwork, pixels: int, strokes: int, ground: np.ndarray
) -> dict[str, Tensor]:
    """What `Imagination` needs."""
    values = {
        name: value.clone() for name, value in network.state_dict().items() if name.startswith("value.")
    }
    return {
        **model.exported(), **values,
        "latents": torch.tensor(float(LATENTS)), "pixels": torch.tensor(float(pixels)),
        "strokes": torch.tensor(float(strokes)), "ground": torch.as_tensor(ground).float(),
    }  # fmt: skip


def save_imagination(path: Path, weights: dict[str, Tensor]) -> None:
    """Write what `Imagination.load` reads: networks in half precision."""
    write_weights(
        path, FORMAT,
        {name: value.half() if "." in name else value.float() for name, value in weights.items()},
    )  # fmt: skip


def _planes(canvases: np.ndarray) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(canvases.transpose(0, 3, 1, 2))).float()
