"""All that paints, trained: a generator of changes for each family, then the agent from a history of climbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, at_least
from clairvoy.painting.learnt import FORMAT, ChangeGenerator
from clairvoy.painting.painter import LOOK_EVERY, STATE
from clairvoy.painting.shapes import Family
from clairvoy.painting.target import Target
from clairvoy.qlearning.dqn import DQN, DQNSettings, learn_from_history
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.qnetwork import initialise
from clairvoy.qlearning.transitions import REAL, Observation, Transitions
from clairvoy.scenarios.painting.change_vae import learn_changes
from clairvoy.scenarios.painting.kept_changes import Climbs, paint_and_record
from clairvoy.storage.weights_file import write_weights

Say = Callable[[str], None]
HELD_OUT = 10
"""One picture in so many is kept to calibrate the expected gain."""
WATCHED = 8
"""Photographs for each family from which the agent learns when to stop."""
PRICES = (1e-5, 1e-2)
"""Of a round, see `PainterSettings.price`: the agent learns for any between these."""
GO_ON, STOP = 0, 1
UNIT = 0.01
"""dB that the agent counts as 1."""


@dataclass(frozen=True)
class PainterTraining:
    """How long everything is trained."""

    strokes: int = 60
    """Painted in each photograph with each family."""
    generations: int = 3
    """Of generators: each learns from the changes that were kept of what the one before drew; the first, of chance."""
    updates: int = 2000
    """Of each generator."""
    agent_updates: int = 3000
    """Of the agent."""
    seed: int = 0
    """Of all randomness."""

    def __post_init__(self) -> None:
        at_least(self, 1, "strokes", "generations", "updates", "agent_updates")


class StoppingNetwork(nn.Module):
    """Q-values of going on and of stopping. Stopping brings nothing, which need not be learnt."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(STATE, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, observation: Observation) -> Tensor:
        """Q-values (N, 2), in units of `UNIT`."""
        going_on = self.layers(observation["climb"])
        return torch.cat([going_on, torch.zeros_like(going_on)], dim=1)


def train_painter(
    targets: Sequence[Target], families: Sequence[Family], settings: PainterTraining, say: Say
) -> dict[str, Tensor]:
    """Weights of everything that paints; see `painting.learnt.Learnt`.

    Parameters
    ----------
    targets
        Photographs, reduced to what the search looks at.
    families
        That a generator is trained for.
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
        raise InputError(f"{len(targets)} photographs; give at least 2, and dozens to learn anything")
    rng = np.random.default_rng(settings.seed)
    held = max(1, len(targets) // HELD_OUT)
    weights: dict[str, Tensor] = {}
    learnt_from: list[Climbs] = []
    held_out: list[Climbs] = []
    for family in families:
        generator, part = _generations(family, targets[held:], settings, rng, say)
        weights |= {f"{family.name}.{name}": value for name, value in part.items()}
        for pictures, climbs in ((targets[held:][-WATCHED:], learnt_from), (targets[:held], held_out)):
            record = paint_and_record(pictures, family, settings.strokes, generator, rng)
            climbs.append(record.all_climbs())
    agent = learn_to_stop(_joined(learnt_from), settings.agent_updates, settings.seed)
    slope, offset, rank = calibrated(agent, _joined(held_out), settings.seed)
    say(
        f"expected gain: slope {slope:.2f}, offset {offset:.5f} dB, rank correlation {rank:.2f} on {held} held out"
    )
    values = {f"agent.{name}": value for name, value in agent.layers.state_dict().items()}
    return weights | values | {"agent.calibration": torch.tensor([slope, offset])}


def _generations(
    family: Family, targets: Sequence[Target], settings: PainterTraining, rng: np.random.Generator, say: Say
) -> tuple[ChangeGenerator, dict[str, Tensor]]:
    generator: ChangeGenerator | None = None
    parts = np.array_split(np.arange(len(targets)), settings.generations)
    for number, part in enumerate(parts):
        pictures = [targets[k] for k in part] or list(targets)
        record = paint_and_record(pictures, family, settings.strokes, generator, rng)
        kept = record.kept_changes()
        model = learn_changes(kept, settings.updates, settings.seed + number)
        exported = model.exported()
        generator = ChangeGenerator({name: value.numpy() for name, value in exported.items()})
        say(f"{family.name}, generation {number + 1}: {len(kept.moves)} changes of {len(pictures)} pictures")
    assert generator is not None
    return generator, exported


def learn_to_stop(climbs: Climbs, updates: int, seed: int) -> StoppingNetwork:
    """Q-values from history alone: what going on brought is known of every climb."""
    history = History(HistorySettings(capacity=len(climbs.won)), 1, 2, torch.Generator().manual_seed(seed))
    history.add(_transitions(climbs, np.random.default_rng(seed)))
    network = StoppingNetwork()
    initialise(network, torch.Generator().manual_seed(seed + 1))
    agent = DQN(network, DQNSettings(learning_rate=2e-3, average=0.99))
    learn_from_history(agent, history, updates, batch_size=256)
    assert isinstance(agent.acting, StoppingNetwork)
    return agent.acting


def calibrated(agent: StoppingNetwork, climbs: Climbs, seed: int) -> tuple[float, float, float]:
    """Slope and offset from what the agent expects of going on to what it brought, of climbs that it did not learn from.

    Returns
    -------
    slope, offset, rank
        By least squares, in dB; and the rank correlation of the two.
    """
    looks = _transitions(climbs, np.random.default_rng(seed + 2))
    with torch.no_grad():
        now, then = agent(looks.observation), agent(looks.next_observation)
    expected = now[:, GO_ON].double().numpy()
    came = UNIT * (looks.reward + looks.discount * then.max(dim=1).values).double().numpy()
    slope, offset = np.polyfit(expected, came, 1)
    rank = np.corrcoef(expected.argsort().argsort(), came.argsort().argsort())[0, 1]
    return float(max(slope, 1e-4)), float(offset), float(rank)


def _transitions(climbs: Climbs, rng: np.random.Generator) -> Transitions:
    """Going on at every look as it went, each at a price of its own."""
    count = len(climbs.won)
    low, high = np.log10(PRICES)
    log_price = rng.uniform(low, high, count)
    states, following = climbs.states.copy(), climbs.next_states.copy()
    states[:, -1] = following[:, -1] = log_price + 3.0
    reward = (climbs.won - LOOK_EVERY * 10.0**log_price) / UNIT
    return Transitions(
        {"climb": torch.as_tensor(states).float()},
        torch.full((count,), GO_ON),
        torch.as_tensor(reward).float(),
        torch.as_tensor(~climbs.last).float(),
        {"climb": torch.as_tensor(following).float()},
        torch.ones(count, 2, dtype=torch.bool),
        torch.full((count,), REAL, dtype=torch.uint8),
        torch.ones(count),
    )


def _joined(parts: Sequence[Climbs]) -> Climbs:
    names = ("states", "won", "next_states", "last")
    return Climbs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def save_painter(path: Path, weights: dict[str, Tensor]) -> None:
    """Write what `Learnt.load` reads, in half precision but for the calibration."""
    write_weights(
        path,
        FORMAT,
        {
            name: value.float() if name == "agent.calibration" else value.half()
            for name, value in weights.items()
        },
    )
