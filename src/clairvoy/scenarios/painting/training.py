"""All that paints, trained: generator and discriminator from strokes that were kept, then the agent by Q-learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, at_least
from clairvoy.painting.learnt import FORMAT, Learnt
from clairvoy.painting.looking import REGION_NUMBERS, WHOLE_NUMBERS
from clairvoy.painting.target import Target
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.dqn_training import DQNTraining, DQNTrainingSettings
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.qnetwork import initialise
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.painting.environment import PaintingGame
from clairvoy.scenarios.painting.kept_strokes import KeptStrokes, strokes_of
from clairvoy.scenarios.painting.stroke_vae import LATENT, StrokeVAE, learn_strokes, tensors_of
from clairvoy.storage.weights_file import write_weights

Say = Callable[[str], None]
HELD_OUT = 10
"""One picture in so many is kept to calibrate the expected gain."""


@dataclass(frozen=True)
class PainterTraining:
    """How long everything is trained."""

    strokes: int = 60
    """Painted by the search in each photograph, twice."""
    updates: int = 6000
    """Of generator and discriminator."""
    steps: int = 20_000
    """Of the agent, in all its paintings together."""
    environments: int = 8
    """Paintings side by side."""
    seed: int = 0
    """Of all randomness."""

    def __post_init__(self) -> None:
        at_least(self, 1, "strokes", "updates", "steps", "environments")


class RegionQNetwork(nn.Module):
    """The same value for a region wherever it stands in the list; two more values of the canvas as a whole."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.value = nn.Sequential(
            nn.Linear(REGION_NUMBERS + WHOLE_NUMBERS, width), nn.ReLU(), nn.Linear(width, 1)
        )
        self.rest = nn.Sequential(nn.Linear(WHOLE_NUMBERS, width // 2), nn.ReLU(), nn.Linear(width // 2, 2))

    def forward(self, observation: Observation) -> Tensor:
        """Q-values (N, K + 2): a stroke in each region, improving, stopping."""
        regions, whole = observation["regions"], observation["whole"]
        both = torch.cat([regions, whole[:, None].expand(-1, regions.shape[1], -1)], dim=2)
        return torch.cat([self.value(both)[..., 0], self.rest(whole)], dim=1)


def train_painter(targets: Sequence[Target], settings: PainterTraining, say: Say) -> dict[str, Tensor]:
    """Weights of everything that paints; see `Learnt`.

    Parameters
    ----------
    targets
        Photographs, reduced to what the search looks at.
    settings
        See `PainterTraining`.
    say
        Told what is being done.

    Raises
    ------
    InputError
        There are too few photographs.
    """
    if len(targets) < 2:
        raise InputError(f"{len(targets)} photographs; give at least 2, and hundreds to learn anything")
    rng = np.random.default_rng(settings.seed)
    held = max(1, len(targets) // HELD_OUT)
    kept = strokes_of(targets[held:], settings.strokes, rng)
    for_calibration = strokes_of(targets[:held], settings.strokes, rng)
    say(f"{len(kept.rows)} strokes kept, {len(for_calibration.rows)} to calibrate by")
    model = learn_strokes(
        kept, settings.updates, settings.seed,
        lambda update, losses: say(f"generator {update}: {losses}") if update % 1000 == 0 else None,
    )  # fmt: skip
    weights = exported(model, calibrated(model, for_calibration), RegionQNetwork())
    agent = train_agent(targets[held:], weights, settings, say)
    return exported(model, weights["gain_scale"].numpy(), agent)


def train_agent(
    targets: Sequence[Target], weights: dict[str, Tensor], settings: PainterTraining, say: Say
) -> RegionQNetwork:
    """The agent, by DQN, with the generator as it is."""
    learnt = Learnt({name: value.numpy() for name, value in weights.items()})
    game = PaintingGame(targets, learnt, settings.environments)
    network = RegionQNetwork()
    initialise(network, torch.Generator().manual_seed(settings.seed))
    history = History(
        HistorySettings(n_step=3, gamma=0.9), settings.environments, game.num_actions,
        torch.Generator().manual_seed(settings.seed + 1),
    )  # fmt: skip
    agent = DQN(network, DQNSettings(learning_rate=1e-3, average=0.995))
    training = DQNTraining(
        agent,
        history,
        game,
        settings.steps,
        DQNTrainingSettings(updates=4, batch_size=128),
        settings.seed + 2,
    )
    said = 0
    while not training.over:
        metrics = training.round()
        if training.steps // 4000 > said:
            said = training.steps // 4000
            say(f"agent {training.steps}: {metrics}")
    return agent.acting if isinstance(agent.acting, RegionQNetwork) else network


def calibrated(model: StrokeVAE, strokes: KeptStrokes) -> np.ndarray:
    """Slope and offset that take the expected log gain to that of strokes which were not learnt from (least squares)."""
    data = tensors_of(strokes)
    with torch.no_grad():
        expected = model.expect(model.features(data["views"], data["families"]))[:, 0].numpy()
    slope, offset = np.polyfit(expected, data["log_gains"].numpy(), 1)
    return np.array([slope, offset])


def exported(model: StrokeVAE, gain_scale: np.ndarray, agent: nn.Module) -> dict[str, Tensor]:
    """What `Learnt` needs, in half precision."""
    parts = model.state_dict() | {f"agent.{name}": value for name, value in agent.state_dict().items()}
    kept = {name: value.half() for name, value in parts.items() if not name.startswith("encode.")}
    return kept | {"gain_scale": torch.as_tensor(gain_scale).float(), "latent": torch.tensor(float(LATENT))}


def save_painter(path: Path, weights: dict[str, Tensor]) -> None:
    """Write what `Learnt.load` reads."""
    write_weights(path, FORMAT, weights)
