"""Training of the search agent: scenes on grids of several sizes, then PQN on all of them at once.

Generator, discriminator and calibration stay as they are. The agent meets episodes with and without a thumbnail, with
thumbnails that are noisy or of another scene, and budgets of a tenth of the windows up to all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError, between
from clairvoy.qlearning.evaluated import EvaluatedTraining, Trained
from clairvoy.qlearning.policy import greedy, linear_schedule
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.rounds import Limits, Report, run_rounds
from clairvoy.releasing.parts import Parts, new_agent
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.search_agent.baselines import explorer
from clairvoy.scenarios.search_agent.mixed_search import MixedSearch
from clairvoy.scenarios.search_agent.scenes import (
    DENSE,
    THIN,
    ClearViews,
    HazyView,
    Thumbnail,
    generated_haze,
    no_haze,
    physical_haze,
    scene_set,
)  # fmt: skip

WINDOW_PIXELS = 32


@dataclass(frozen=True)
class GridSettings:
    """The scenes of one grid size."""

    side: int
    """Windows along each side."""
    scenes: int
    """How many."""
    searches: int
    """Episodes side by side."""
    perceived_whole: bool = False
    """The beliefs are those of the whole scene perceived at once, as for a photograph."""


@dataclass(frozen=True)
class SearchTrainingSettings:
    """Sizes of a training of the search agent."""

    grids: tuple[GridSettings, ...] = (
        GridSettings(8, 96, 32, perceived_whole=True),
        GridSettings(8, 96, 32),
        GridSettings(16, 64, 64),
        GridSettings(32, 24, 64),
    )
    """Scenes to learn from; one in eight more of each is held out."""
    steps: int = 800_000
    """Steps of all episodes together."""
    clear: float = 0.12
    """Part of the scenes that has no haze."""
    generated: float = 0.35
    """Part of the scenes whose haze the generator simulates."""
    thin: float = 0.2
    """Part of the scenes of physical haze in which it is thin."""
    search: HazeSearchSettings = field(
        default_factory=lambda: HazeSearchSettings(
            budget=2.5,
            reads=(0.1, 1.0),
            preview=0.55,
            end_when_found=False,
            go_on=True,
            step=0.03,
            false_alarm=0.4,
            wall=0.05,
        )
    )
    """The episodes and the reward's restraint terms."""
    pqn: PQNSettings = field(
        default_factory=lambda: PQNSettings(
            gamma=0.93, trace_decay=0.8, stretch=16, minibatches=6, learning_rate=1.5e-3, epsilon=(0.15, 0.02)
        )
    )
    """How the agent learns."""
    led: tuple[float, float] = (0.7, 0.3)
    """Part of the episodes that `baselines.explorer` leads at first, and part of the budget over which it falls to 0."""
    turn_every: int = 20
    """Rounds after which all scenes are mirrored or turned."""
    judge_every: int = 60
    """Rounds between two evaluations on the held-out scenes."""
    seed: int = 0
    """Of everything."""

    def __post_init__(self) -> None:
        if not self.grids:
            raise SettingsError("there is no grid to train on; give at least one")
        between(self, 0, 1, "clear", "generated", "thin")


def draw_view(
    views: ClearViews, parts: Parts, side: int, settings: SearchTrainingSettings, seed: Sequence[int]
) -> HazyView:
    """One scene of `side` x `side` windows, a function of `seed` and the settings alone."""
    rng = np.random.default_rng(list(seed))
    noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
    clear = views(side * WINDOW_PIXELS, rng)
    kind = rng.random()
    if kind < settings.clear:
        return no_haze(clear)
    if kind < settings.clear + settings.generated * (1 - settings.clear):
        return generated_haze(clear, rng, noise, parts.generator)
    return physical_haze(clear, rng, noise, THIN if rng.random() < settings.thin else DENSE)


def make_scenes(
    paths: Sequence[Path],
    parts: Parts,
    settings: SearchTrainingSettings,
    grid: GridSettings,
    count: int,
    seed: int,
    done: Callable[[], None] | None = None,
) -> SceneSet:
    """Scenes of one grid size, each with thumbnails that are right, spoilt, and of another scene."""
    views = ClearViews(paths)
    drawn = [
        draw_view(views, parts, grid.side, settings, (seed, grid.side, int(grid.perceived_whole), k))
        for k in range(count)
    ]
    spoilt = Thumbnail(contrast=0.5, noise=0.06, blur=0.7)
    made = scene_set(
        drawn,
        parts,
        grid.side,
        (Thumbnail(), spoilt),
        perceived_whole=grid.perceived_whole,
        seed=seed,
        done=done,
    )
    plain, bad = made.previews.unbind(dim=1)
    versions = [plain] if grid.perceived_whole else [plain, plain, plain, bad, plain.roll(1, dims=0)]
    return SceneSet.of(made.windows, made.hazy, made.beliefs, previews=torch.stack(versions, dim=1))


def turned(scenes: SceneSet, way: int) -> SceneSet:
    """The same scenes in one of 8 orientations: mirrored if `way` is odd, then turned by `way` // 2 quarters."""

    def turn(maps: Tensor, down: int, across: int) -> Tensor:
        maps = maps.flip(across) if way % 2 else maps
        return maps.rot90(way // 2, (down, across))

    windows = turn(turn(scenes.windows, 1, 2), 4, 5)
    return SceneSet.of(
        windows.contiguous(), turn(scenes.hazy, 1, 2).contiguous(), turn(scenes.beliefs, 2, 3).contiguous(),
        previews=turn(scenes.previews, 3, 4).contiguous(),
    )  # fmt: skip


@dataclass(frozen=True)
class Judgement:
    """What an agent earns on scenes that were not learnt from."""

    score: float
    """Return over that of an agent that finds all haze without a false alarm or a step, mean over all episodes."""
    found: float
    """Part of the hazy windows that it recognised."""
    read: float
    """Part of the windows that it read."""


@torch.no_grad()
def judge(
    agent: nn.Module,
    sets: Sequence[SceneSet],
    search: HazeSearchSettings,
    seed: int = 0,
    device: str | torch.device = "cpu",
    pause: Callable[[], None] | None = None,
) -> Judgement:
    """Let an agent search each scene once, half of the episodes with a thumbnail, without exploration.

    Parameters
    ----------
    agent
        Q-network.
    sets
        Scenes of any grids that hold some haze.
    search
        Episodes and penalties; the start, preview and reads of it are not used.
    seed
        Of the starts.
    device
        Where the agent lies.
    pause
        Called before every step; what it raises ends the evaluation.
    """
    scores, found, read = [], [], []
    for scenes in sets:
        kept = scenes.hazy.flatten(1).any(dim=1)
        hazy = SceneSet.of(
            scenes.windows[kept], scenes.hazy[kept], scenes.beliefs[kept], previews=scenes.previews[kept, :1]
        )
        for preview in (0.0, 1.0):
            settings = replace(search, preview=preview, reads=(1.0, 1.0), start="centre", budget=1.6)
            environment = HazeSearch(hazy, len(hazy), settings, device)
            generator = torch.Generator().manual_seed(seed)
            observation = environment.reset_each(generator)
            earned = torch.zeros(len(hazy), device=device)
            running = torch.ones(len(hazy), dtype=torch.bool, device=device)
            last: dict[str, Tensor] = {}
            while bool(running.any()):
                if pause is not None:
                    pause()
                step = environment.step(greedy(agent(observation), environment.action_mask()))
                earned += step.reward * running
                last = {
                    name: torch.where(running, step.info[name], last.get(name, step.info[name]))
                    for name in ("found", "hazy", "read")
                }
                running &= ~step.done
                observation = step.observation
            scores.append(earned / last["hazy"])
            found.append(last["found"] / last["hazy"])
            read.append(last["read"] / hazy.hazy[0].numel())
    return Judgement(*(float(torch.cat(values).mean()) for values in (scores, found, read)))


class SearchTraining:
    """A training of the search agent, in rounds; a `qlearning.evaluated.Training`. `train_search` drives it.

    Parameters
    ----------
    learn, held_out
        Scenes, one set for each of the settings' grids.
    settings
        See `SearchTrainingSettings`.
    device
        Where the agent learns and the scenes lie.
    """

    def __init__(
        self,
        learn: Sequence[SceneSet],
        held_out: Sequence[SceneSet],
        settings: SearchTrainingSettings | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings, self.device = settings or SearchTrainingSettings(), torch.device(device)
        self.learn, self.held_out = list(learn), list(held_out)
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            network = new_agent()
        searches = [
            HazeSearch(scenes, grid.searches, self.settings.search, self.device)
            for scenes, grid in zip(self.learn, self.settings.grids, strict=True)
        ]
        self.environment = MixedSearch(searches, explorer)
        self.loop = PQNTraining(
            PQN(network, self.settings.pqn, self.device),
            self.environment,
            self.settings.steps,
            self.settings.seed,
        )
        self.rounds = 0
        self.turns = np.random.default_rng(self.settings.seed)
        self.ways = [0] * len(searches)
        """The orientation that each grid's scenes are shown in, see `turned`."""

    @property
    def agent(self) -> PQN:
        """What is trained."""
        return self.loop.agent

    @property
    def steps(self) -> int:
        """Steps of all episodes together so far."""
        return self.loop.steps

    @property
    def budget(self) -> int:
        """Steps to train for."""
        return self.loop.budget

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.loop.over

    @property
    def steps_of_a_round(self) -> int:
        """Steps of all episodes together in one round."""
        return self.settings.pqn.stretch * self.environment.num_envs

    @property
    def planned_rounds(self) -> int:
        """Rounds that the whole budget comes to."""
        return -(-self.budget // self.steps_of_a_round)

    def round(self) -> dict[str, float]:
        """One stretch, what is learnt from it, and, when it is their turn, new orientations."""
        lead, until = self.settings.led
        self.environment.led = linear_schedule(
            lead, 0.0, max(1, round(until * self.settings.steps)), self.steps
        )
        metrics = self.loop.round()
        self.rounds += 1
        if self.rounds % self.settings.turn_every == 0:
            self._turn([int(self.turns.integers(8)) for _ in self.ways])
        return {f"agent/{name}": value for name, value in metrics.items()}

    def judge(self, pause: Callable[[], None] | None = None) -> Judgement:
        """What the agent as it is now earns on the scenes held out; for `pause` see `judge`."""
        return judge(self.agent.network, self.held_out, self.settings.search, device=self.device, pause=pause)

    def state_dict(self) -> dict[str, Any]:
        """Everything that later rounds depend on, but for the scenes: make the training on the same ones."""
        return {
            "loop": self.loop.state_dict(),
            "rounds": self.rounds,
            "turns": json.dumps(self.turns.bit_generator.state),
            "ways": list(self.ways),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.rounds = int(state["rounds"])
        self.turns.bit_generator.state = json.loads(state["turns"])
        self._turn([int(way) for way in state["ways"]])
        self.loop.load_state_dict(state["loop"])

    def _turn(self, ways: list[int]) -> None:
        """Show later episodes each grid's scenes in these orientations."""
        self.ways = ways
        for search, scenes, way in zip(self.environment.searches, self.learn, ways, strict=True):
            search.set_scenes(turned(scenes, way))


def train_search(
    training: SearchTraining,
    limits: Limits | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
) -> Trained:
    """Train the search agent; it then holds the weights that judged best on held-out scenes.

    Parameters
    ----------
    training
        Its agent is trained in place.
    limits, checkpoint, resume, report
        See `qlearning.rounds.run_rounds`. A run is resumed on the same scenes.

    Returns
    -------
    Trained
        ``best.metrics`` holds ``held_out/score``, ``held_out/found`` and ``held_out/read``, see `Judgement`.
    """
    limits = limits or Limits()

    def judged() -> tuple[float, dict[str, float]]:
        found = training.judge(limits.check)
        return found.score, {f"held_out/{name}": value for name, value in asdict(found).items()}

    every = training.settings.judge_every * training.steps_of_a_round
    run = EvaluatedTraining(training, judged, every, same={"seed": training.settings.seed})
    finished = run_rounds(run, limits, checkpoint=checkpoint, resume=resume, report=report)
    return run.result(finished)
