"""The flagship scenario, put together: photographs become hazy scenes, generator and agent learn from one another.

Agent to generator: a part of each batch are scenes in which the agent recognised haze, drawn by how much the
generator has to learn from the windows recognised. Generator to agent: a part of the scenes is haze that the generator
simulated on clear photographs, admitted by the discriminator, and its beliefs are part of the agent's state.

Fresh scenes, scenes met and the models' noise have a random stream each, so that runs that differ in a switch learn
from the same fresh scenes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.cotraining.loop import Feedback
from clairvoy.generative.adversary import accept
from clairvoy.generative.density.discriminator import HAZY
from clairvoy.generative.density.learner import GeneratorLearner, HazyPairs, LearnerSettings
from clairvoy.generative.density.perception import Perceiver, Perception
from clairvoy.generative.density.signs import GOOD_DB, SIGNS, to_db
from clairvoy.generative.losses import LossWeights
from clairvoy.generative.perceptual import SqueezeFeatures
from clairvoy.imaging.haze import HazeSettings
from clairvoy.imaging.synthesis.views import SyntheticPairs, ViewPool, haze_views
from clairvoy.processes.ranks import ALONE, Ranks
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.releasing.parts import Parts
from clairvoy.scenarios.haze.calibrate import calibrate, squared_error_of_cells
from clairvoy.scenarios.haze.met_scenes import MetScenes
from clairvoy.scenarios.haze.scene_set import SceneSet, hazy_windows, windows_of
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import GRID
from clairvoy.searching.glimpse import BELIEF_CHANNELS, WINDOW

AT_A_TIME = 64
"""Views that recognition is learnt on together, for the memory."""


@dataclass(frozen=True)
class HazeScenarioSettings:
    """Sizes of a haze co-training."""

    updates: int = 4000
    """Updates of the generator that the learning rate is planned for."""
    batch: int = 16
    """Pictures in a batch of the generator."""
    from_agent: int = 4
    """How many of them come from what the agent met."""
    scenes: int = 48
    """Scenes that the agent's episodes are drawn from at a time."""
    generated: float = 0.25
    """Part of them that the generator simulates."""
    remembered: int = 4
    """Sets of scenes that the agent's visits are remembered of."""
    searches: int = 128
    """Environments side by side: with 32 the agent met so few scenes that what it brought the generator did harm."""
    new_views: int = 1
    """Views made anew at each update."""
    pool: int = 1500
    """Views to learn from that are kept at a time."""
    held_out: int = 160
    """Views of other photographs, to calibrate on."""
    calibration: int = 480
    """Held-out views, at most, to calibrate on at the end; 0: the calibration of the last scenes met stays."""
    recognition: int = 1280
    """Views, learnt from or not, to learn recognition on at the end."""
    seed: int = 0
    """Of everything but the agent's exploration."""
    search: HazeSearchSettings = field(
        default_factory=lambda: HazeSearchSettings(
            preview=0.7, reads=(0.1, 1.0), go_on=True, false_alarm=1.0, step=0.01, wall=0.05
        )
    )
    """The reward's restraint terms."""
    haze: HazeSettings = field(default_factory=HazeSettings)
    """What haze is drawn."""
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    """How the generator learns."""
    losses: LossWeights = field(default_factory=LossWeights)
    """Weights of its objective."""
    agent: DQNSettings = field(default_factory=DQNSettings)
    """How the agent learns."""
    history: HistorySettings = field(default_factory=lambda: HistorySettings(capacity=16_000))
    """Of the agent."""


class HazeScenario:
    """A `CotrainableScenario`.

    Parameters
    ----------
    pool
        Views to learn from.
    held_out
        Views of other photographs, to calibrate on.
    settings
        See `HazeScenarioSettings`.
    parts
        To go on from; new ones if not given.
    device
        Where the networks compute.
    pairs
        Real hazy and clear pictures (P, 3, S, S) uint8 each, to learn from as well; their haze is not known.
    ranks
        Those that train together. The sizes in the settings are then those of this process's part, and each has scenes,
        environments and a history of its own.
    """

    def __init__(
        self,
        pool: ViewPool,
        held_out: ViewPool,
        settings: HazeScenarioSettings | None = None,
        parts: Parts | None = None,
        device: str | torch.device = "cpu",
        pairs: tuple[Tensor, Tensor] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.settings = settings or HazeScenarioSettings()
        self.pool, self.held_out, self.pairs = pool, held_out, pairs
        self.device, self.ranks = torch.device(device), ranks
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            self.parts = (parts or Parts.new()).to(self.device)
        for module in self.parts.modules().values():
            module.requires_grad_(True).train()
            # Convolutions of few channels run about half as fast again in this layout on a CPU.
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        perceptual = (
            SqueezeFeatures().requires_grad_(False).to(self.device)
            if self.settings.losses.perceptual
            else None
        )
        self.learner = GeneratorLearner(
            self.parts.generator, self.parts.discriminator, self.settings.updates,
            weights=self.settings.losses, settings=self.settings.learner, perceptual=perceptual, seed=self.settings.seed,
            ranks=ranks,
        )  # fmt: skip
        seed = ranks.seed(self.settings.seed)
        self.rng = torch.Generator().manual_seed(seed + 2)
        self.rng_met = torch.Generator().manual_seed(seed + 5)
        self.rng_noise = torch.Generator().manual_seed(seed + 6)
        self.agent = DQN(self.parts.agent, self.settings.agent, self.device, ranks)
        self.history = History(
            self.settings.history, self.settings.searches, 5, torch.Generator().manual_seed(seed + 3)
        )
        if len(pool) == 0:
            pool.extend(min(pool.clear.shape[0], 400))
        self.met = MetScenes(self.settings.scenes, self.settings.remembered, pool.maker.size)
        self.measured: list[tuple[Tensor, Tensor]] = []
        self.beliefs_told = True
        self.environment = HazeSearch(
            _placeholder(self.settings.scenes), self.settings.searches, self.settings.search
        )

    # What the loop asks for.

    def refresh(self, feedback: Feedback) -> dict[str, float]:
        """New scenes, of them a part simulated by the generator and admitted by the discriminator."""
        self.beliefs_told = feedback.beliefs
        pairs = self.pool.draw(self.settings.scenes, self.rng_met, self.settings.haze)
        real = torch.ones(self.settings.scenes, dtype=torch.bool)
        metrics: dict[str, float] = {}
        if feedback.generated_scenes:
            kept, metrics = self._simulate(pairs, feedback.gate)
            real[: len(kept)] = ~kept
        seen, squared_error = self._perceive(pairs)
        # Known before it is learnt from: a measure of tau on scenes that it was not fitted to.
        metrics |= self._calibrate(seen.signs.cpu(), squared_error, real)
        maps = pool_beliefs(*self.perceiver.beliefs(seen)).cpu()
        error = F.adaptive_avg_pool2d(F.interpolate(squared_error, scale_factor=GRID), GRID)[:, 0].sqrt()
        self.environment.set_scenes(
            SceneSet.of(
                windows_of(pairs.hazy),
                hazy_windows(pairs.optical_depth),
                maps if feedback.beliefs else torch.zeros_like(maps),
                provenance=(~real).to(torch.uint8),
                tau=torch.where(real, torch.ones(len(real)), maps[:, 3].mean(dim=(1, 2))).clamp(0, 1),
            )
        )
        self.met.add(pairs, error, real)
        return metrics

    def experience(self, step: Step, feedback: Feedback) -> None:
        """Note where haze was recognised."""
        info = step.info
        hit = info["recognised"]
        # The environment began with a set of its own, before the first one of `met`.
        self.met.recognise(
            info["scene_set"][hit].cpu() - 1, info["scene"][hit].cpu(), info["position"][hit].cpu()
        )

    def learn_models(self, feedback: Feedback) -> dict[str, float]:
        """One update, on fresh views and on scenes that the agent met."""
        settings = self.settings
        self.pool.extend(settings.new_views)
        batches = [self.met.draw(settings.from_agent, self.rng_met, feedback.agent_to_generator)]
        if settings.batch > settings.from_agent:
            batches.insert(0, self.pool.draw(settings.batch - settings.from_agent, self.rng, settings.haze))
        hazy, clear, od, airlight, depth = (
            torch.cat([getattr(batch, name) for batch in batches])
            for name in ("hazy", "clear", "optical_depth", "airlight", "depth")
        )
        known = torch.ones(settings.batch, dtype=torch.bool)
        if self.pairs is not None:
            chosen = torch.randint(len(self.pairs[0]), (settings.batch // 4,), generator=self.rng)
            hazy[: len(chosen)] = self.pairs[0][chosen].float() / 255
            clear[: len(chosen)] = self.pairs[1][chosen].float() / 255
            known[: len(chosen)] = False
        hazy, clear = (x.contiguous(memory_format=torch.channels_last) for x in (hazy, clear))
        return self.learner.update(HazyPairs(hazy, clear, od, airlight, depth, known).to(self.device))

    def finish(self) -> dict[str, float]:
        """Calibrate tau and the probability of haze on held-out views; the averaged weights become the generator's.

        So do those of the agent's target, a moving average too: the last iterate of Q-learning is a matter of luck.
        """
        self.parts.generator.load_state_dict(self.learner.averaged.state_dict())
        self.parts.agent.load_state_dict(self.agent.target.state_dict())
        if not self.settings.calibration or not self.ranks.first:  # which is the one that writes
            return {}
        self.held_out.extend(max(0, len(self.held_out.clear) - len(self.held_out)))
        count = min(self.settings.calibration, 3 * len(self.held_out))
        rng = torch.Generator().manual_seed(self.settings.seed + 4)
        pairs = self.held_out.draw(count, rng, HazeSettings(clear=0.4))
        wanted = self.settings.recognition
        self.pool.extend(max(0, min(wanted, len(self.pool.clear)) - len(self.pool)))
        some = [min(AT_A_TIME, wanted - begin) for begin in range(0, wanted, AT_A_TIME)]
        learnt = (self.pool.draw(count, rng, HazeSettings(clear=0.5)) for count in some)
        return calibrate(self.parts, pairs, learnt, rng)

    def examples(self, count: int) -> SyntheticPairs:
        """The first held-out views under haze that is always the same, to look at; the run does not notice."""
        made = [self.held_out.maker(index) for index in range(count)]
        clear = torch.stack([torch.from_numpy(rgb).permute(2, 0, 1).float() / 255 for rgb, _ in made])
        depth = torch.stack([torch.from_numpy(depth)[None] for _, depth in made])
        return haze_views(clear, depth, torch.Generator().manual_seed(0), HazeSettings(clear=0.0))

    # How it is done.

    def _simulate(self, pairs: SyntheticPairs, gate: bool) -> tuple[Tensor, dict[str, float]]:
        """Let the generator put haze on the first views, in place; those that the discriminator rejects stay real.

        Returns which of them are simulated now, (wanted,) bool, and metrics.
        """
        wanted = round(len(pairs.hazy) * self.settings.generated)
        asked = torch.exp(torch.rand(wanted, generator=self.rng_noise) * 3.2 - 2.2)
        clear, airlight = (x[:wanted].to(self.device) for x in (pairs.clear, pairs.airlight))
        with torch.no_grad():
            generator = self.learner.averaged
            made = generator.simulate(clear, asked.to(self.device), airlight, self.rng_noise)
            judged = self.parts.discriminator.judge(generator, made.hazy, HAZY)
        logits = judged.mean(dim=(1, 2, 3)).cpu()
        kept = accept(logits, self.rng_noise) if gate else torch.ones(wanted, dtype=torch.bool)
        pairs.hazy[:wanted][kept] = made.hazy.cpu()[kept]
        pairs.optical_depth[:wanted][kept] = made.optical_depth.cpu()[kept]
        return kept, {
            "simulated/admitted": int(kept.sum()) / max(1, wanted),
            "simulated/logit": float(logits.mean()),
        }

    def _perceive(self, pairs: SyntheticPairs) -> tuple[Perception, Tensor]:
        """What the generator believes of the pairs, and the squared error of its restoration of each cell."""
        perceiver = self.perceiver
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.learner.bf16):
            seen = perceiver.perceive(pairs.hazy, self.rng_noise)
        return seen, squared_error_of_cells(perceiver, pairs, seen)

    @property
    def perceiver(self) -> Perceiver:
        """What the averaged generator, which is what will be used, and the discriminator see."""
        return Perceiver(self.learner.averaged, self.parts.discriminator, self.parts.calibration)

    def _calibrate(self, signs: Tensor, squared_error: Tensor, real: Tensor) -> dict[str, float]:
        """Measure tau on the real ones of new scenes, then fit it to those of the last sets and these."""
        signs, squared_error = signs[real], squared_error[real]
        db = to_db(squared_error.mean(dim=(1, 2, 3)))
        tau, predicted = (x.cpu() for x in self.parts.calibration.of_picture(signs.to(self.device)))
        self.measured = [*self.measured, (signs, squared_error)][-self.settings.remembered :]
        measured = [sets for held in self.ranks.gather(self.measured) for sets in held]
        if sum(len(part) for part, _ in measured) > 2 * len(SIGNS):
            calibration = self.parts.calibration.cpu()
            all_signs, all_errors = (torch.cat(part) for part in zip(*measured, strict=True))
            calibration.fit(all_signs, all_errors)
            calibration.to(self.device)
        if not len(db):
            return {}
        return {
            "tau/error_db": float((predicted - db).abs().mean()),
            "tau/too_sure": float((tau - (db >= GOOD_DB).float()).mean()),
            "tau/restored_db": float(db.mean()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Models, scenes and random states."""
        return {
            "learner": self.learner.state_dict(),
            "calibration": self.parts.calibration.state_dict(),
            "made": self.pool.made,
            "met": self.met.state_dict(),
            "measured": [list(pair) for pair in self.measured],
            "rng": [rng.get_state() for rng in (self.rng, self.rng_met, self.rng_noise)],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.learner.load_state_dict(state["learner"])
        self.parts.calibration.load_state_dict(state["calibration"])
        self.pool.rewind(state["made"])
        self.met.load_state_dict(state["met"])
        self.measured = [(signs, error) for signs, error in state["measured"]]
        for rng, held in zip((self.rng, self.rng_met, self.rng_noise), state["rng"], strict=True):
            rng.set_state(held)


def _placeholder(scenes: int) -> SceneSet:
    """Black scenes without haze, for the environment to begin with; the first `refresh` replaces them."""
    return SceneSet.of(
        torch.zeros(scenes, GRID, GRID, 3, WINDOW, WINDOW, dtype=torch.uint8),
        torch.zeros(scenes, GRID, GRID, dtype=torch.bool),
        torch.zeros(scenes, len(BELIEF_CHANNELS), GRID, GRID),
    )
