"""The flagship scenario, put together: photographs become hazy scenes, generator and agent learn from one another.

Agent to generator: a part of each batch are scenes that the agent visited, drawn in proportion to how much the
generator misunderstood the windows visited. Generator to agent: a part of the scenes is haze that the generator
simulated on clear photographs, admitted by the discriminator, and its beliefs are part of the agent's state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.checkpoint import Parts
from clairvoy.cotrain import Feedback
from clairvoy.generative.confidence import RESTORE_FROM, perceive
from clairvoy.generative.discriminator import HAZY
from clairvoy.generative.learner import GeneratorLearner, HazyPairs, LearnerSettings
from clairvoy.generative.losses import LossWeights
from clairvoy.generative.perceptual import SqueezeFeatures
from clairvoy.generative.sampler import accept
from clairvoy.imaging.haze import HazeSettings
from clairvoy.imaging.synthesis import HazyScenes, ScenePool
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.scenarios.haze_search import HazeSearch, HazeSearchSettings
from clairvoy.scenarios.scenario import Step
from clairvoy.scenarios.scene_set import SceneSet
from clairvoy.search import GRID, cut_windows, pool_beliefs, search

HAZY_FROM = 0.2
"""A window is hazy if it has lost at least this part of its light: mean 1 - t."""


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
    searches: int = 32
    """Environments side by side."""
    new_scenes: int = 1
    """Scenes made anew at each update."""
    pool: int = 1500
    """Scenes kept."""
    seed: int = 0
    """Of everything but the agent's exploration."""
    search: HazeSearchSettings = field(
        default_factory=lambda: HazeSearchSettings(preview=True, false_alarm=1.0, step=0.01, wall=0.05)
    )
    """The reward's restraint terms."""
    haze: HazeSettings = field(default_factory=HazeSettings)
    """What haze is drawn."""
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    """How the generator learns."""
    losses: LossWeights = field(default_factory=LossWeights)
    """Weights of its objective."""
    history: HistorySettings = field(default_factory=lambda: HistorySettings(capacity=8000))
    """Of the agent."""


class HazeScenario:
    """A `CotrainableScenario`.

    Parameters
    ----------
    pool
        Scenes to learn from.
    held_out
        Scenes of other photographs, to calibrate on.
    settings
        See `HazeScenarioSettings`.
    parts
        To go on from; new ones if not given.
    device
        Where the networks compute.
    pairs
        Real hazy and clear pictures (P, 3, S, S) uint8 each, to learn from as well; their haze is not known.
    """

    def __init__(
        self,
        pool: ScenePool,
        held_out: ScenePool,
        settings: HazeScenarioSettings | None = None,
        parts: Parts | None = None,
        device: str | torch.device = "cpu",
        pairs: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.settings = settings or HazeScenarioSettings()
        self.pool, self.held_out, self.pairs = pool, held_out, pairs
        self.device = torch.device(device)
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
        )  # fmt: skip
        self.rng = torch.Generator().manual_seed(self.settings.seed + 2)
        self.agent = DQN(self.parts.agent, DQNSettings(), self.device)
        self.history = History(
            self.settings.history,
            self.settings.searches,
            5,
            torch.Generator().manual_seed(self.settings.seed + 3),
        )
        if len(pool) == 0:
            pool.extend(min(pool.clear.shape[0], 400))
        self.met = self._draw_scenes(self.settings.scenes)
        self.misunderstood = torch.ones(self.settings.scenes, GRID, GRID)
        self.visits = torch.zeros(self.settings.scenes, GRID, GRID)
        self.set_number = -1
        self.environment = HazeSearch(
            self._scene_set(Feedback(), 0), self.settings.searches, self.settings.search
        )

    # What the loop asks for.

    def refresh(self, feedback: Feedback) -> dict[str, float]:
        """New scenes, of them a part simulated by the generator and admitted by the discriminator."""
        count = self.settings.scenes
        self.met = self._draw_scenes(count)
        metrics: dict[str, float] = {}
        generated = 0
        if feedback.generated_scenes:
            generated, metrics = self._simulate(round(count * self.settings.generated), feedback.gate)
        scenes = self._scene_set(feedback, generated)
        self.environment.set_scenes(scenes)
        self.set_number += 1
        self.visits = torch.zeros(count, GRID, GRID)
        return metrics

    def experience(self, step: Step, feedback: Feedback) -> None:
        """Count the visits to windows of the present scenes."""
        current = (step.info["scene_set"] == self.environment.scene_sets).cpu()
        scene, position = step.info["scene"].cpu()[current], step.info["position"].cpu()[current]
        self.visits[scene, position[:, 0], position[:, 1]] += 1

    def learn_models(self, feedback: Feedback) -> dict[str, float]:
        """One update, on fresh scenes and on scenes that the agent met."""
        settings = self.settings
        self.pool.extend(settings.new_scenes)
        fresh = self.pool.draw(settings.batch - settings.from_agent, self.rng, settings.haze)
        weight = torch.ones(settings.scenes)
        if feedback.agent_to_generator and bool(self.visits.any()):
            weight = (self.visits * self.misunderstood).sum(dim=(1, 2)) + 1e-6
        slots = torch.multinomial(weight, settings.from_agent, replacement=True, generator=self.rng)
        hazy, clear, od, airlight = (
            torch.cat([getattr(fresh, name), getattr(self.met, name)[slots]])
            for name in ("hazy", "clear", "optical_depth", "airlight")
        )
        known = torch.ones(settings.batch, dtype=torch.bool)
        if self.pairs is not None:
            chosen = torch.randint(len(self.pairs[0]), (settings.batch // 4,), generator=self.rng)
            hazy[: len(chosen)] = self.pairs[0][chosen].float() / 255
            clear[: len(chosen)] = self.pairs[1][chosen].float() / 255
            known[: len(chosen)] = False
        hazy, clear = (x.contiguous(memory_format=torch.channels_last) for x in (hazy, clear))
        return self.learner.update(HazyPairs(hazy, clear, od, airlight, known).to(self.device))

    def finish(self) -> dict[str, float]:
        """Calibrate tau and the probability of haze on held-out scenes; the averaged weights become the generator's."""
        self.parts.generator.load_state_dict(self.learner.averaged.state_dict())
        self.held_out.extend(max(0, len(self.held_out.clear) - len(self.held_out)))
        count = min(480, 3 * len(self.held_out))
        rng = torch.Generator().manual_seed(self.settings.seed + 4)
        scenes = self.held_out.draw(count, rng, HazeSettings(clear=0.4))
        signs, errors, beliefs = [], [], []
        for begin in range(0, count, 16):
            hazy, clear = (
                scenes.hazy[begin : begin + 16].to(self.device),
                scenes.clear[begin : begin + 16].to(self.device),
            )
            seen = perceive(self.parts.generator, self.parts.discriminator, hazy, rng)
            with torch.no_grad():
                restored = self.parts.generator.restore(hazy, seen.z, seen.airlight)[0].clamp(0, 1)
            signs.append(seen.signs.cpu())
            errors.append(F.avg_pool2d((restored - clear).square().mean(dim=1, keepdim=True), 16).cpu())
            beliefs.append(seen)
        calibration = self.parts.calibration.cpu()
        calibration.fit(torch.cat(signs), torch.cat(errors))
        values = []
        maps = torch.cat([self._beliefs(seen, calibration) for seen in beliefs])
        windows = cut_windows((scenes.hazy * 255).round().to(torch.uint8))
        for index in range(count):
            found = search(
                self.parts.agent,
                windows[index : index + 1].to(self.device),
                maps[index : index + 1].to(self.device),
            )
            values.append(found.value)
        truth = _hazy_windows(scenes.optical_depth).float().mean(dim=(1, 2)) > 0.05
        haze = torch.cat([seen.haze.mean(dim=(1, 2, 3)).cpu() for seen in beliefs])
        calibration.fit_recognition(torch.tensor(values), haze, truth)
        said = torch.tensor(
            [
                calibration.haze_probability(v, h) >= RESTORE_FROM
                for v, h in zip(values, haze.tolist(), strict=True)
            ]
        )
        _, db = calibration.of_picture(torch.cat(signs))
        calibration.to(self.device)
        return {
            "held_out/recognition_accuracy": float((said == truth).float().mean()),
            "held_out/tau_db_deviation": float(calibration.deviation[0]),
            "held_out/predicted_db": float(db.mean()),
        }

    # How it is done.

    def _draw_scenes(self, count: int) -> HazyScenes:
        return self.pool.draw(count, self.rng, self.settings.haze)

    def _simulate(self, wanted: int, gate: bool) -> tuple[int, dict[str, float]]:
        """Let the generator put haze on the first `wanted` clear scenes; those the discriminator rejects stay real."""
        clear = self.met.clear[:wanted].to(self.device)
        asked = torch.exp(torch.rand(wanted, generator=self.rng) * 3.2 - 2.2)
        airlight = self.met.airlight[:wanted].to(self.device)
        with torch.no_grad():
            made = self.parts.generator.simulate(clear, asked.to(self.device), airlight, self.rng)
            logits = (
                self.parts.discriminator.judge(self.parts.generator, made.hazy, HAZY)
                .mean(dim=(1, 2, 3))
                .cpu()
            )
        kept = accept(logits, self.rng) if gate else torch.ones(wanted, dtype=torch.bool)
        order = torch.cat([kept.nonzero()[:, 0], (~kept).nonzero()[:, 0]])
        number = int(kept.sum())
        hazy, od = self.met.hazy[:wanted].clone(), self.met.optical_depth[:wanted].clone()
        hazy[kept], od[kept] = made.hazy.cpu()[kept], made.optical_depth.cpu()[kept]
        for name, value in (("hazy", hazy), ("optical_depth", od)):
            getattr(self.met, name)[:wanted] = value[order]
        for name in ("clear", "airlight"):
            part = getattr(self.met, name)
            part[:wanted] = part[:wanted][order]
        return number, {
            "simulated/admitted": number / max(1, wanted),
            "simulated/logit": float(logits.mean()),
        }

    def _scene_set(self, feedback: Feedback, generated: int) -> SceneSet:
        """The present scenes as windows with truth and beliefs; the first `generated` of them are simulated."""
        hazy = _hazy_windows(self.met.optical_depth)
        maps = torch.zeros(len(hazy), 4, GRID, GRID)
        for begin in range(0, len(hazy), 16):
            picture = self.met.hazy[begin : begin + 16].to(self.device)
            seen = perceive(self.parts.generator, self.parts.discriminator, picture, self.rng, samples=2)
            maps[begin : begin + 16] = self._beliefs(seen, self.parts.calibration).cpu()
        truth = F.adaptive_avg_pool2d(1 - torch.exp(-self.met.optical_depth), GRID)[:, 0]
        self.misunderstood = (maps[:, 0] - truth).abs()
        provenance = torch.zeros(len(hazy), dtype=torch.uint8)
        provenance[:generated] = 1
        tau = torch.where(provenance.bool(), maps[:, 3].mean(dim=(1, 2)), torch.ones(len(hazy)))
        windows = cut_windows((self.met.hazy * 255).round().to(torch.uint8))
        beliefs = maps if feedback.beliefs else torch.zeros_like(maps)
        return SceneSet.of(windows, hazy, beliefs, provenance=provenance, tau=tau.clamp(0, 1))

    def _beliefs(self, seen: Any, calibration: Any) -> Tensor:
        tau, _ = calibration.of_cells(seen.signs.to(calibration.slope.device))
        return pool_beliefs(seen.haze.cpu(), seen.spread.cpu(), seen.clear.cpu(), tau.cpu())

    def state_dict(self) -> dict[str, Any]:
        """Models, scenes and random states."""
        return {
            "learner": self.learner.state_dict(),
            "calibration": self.parts.calibration.state_dict(),
            "made": self.pool.made,
            "met": {name: getattr(self.met, name) for name in ("hazy", "clear", "optical_depth", "airlight")},
            "visits": self.visits,
            "misunderstood": self.misunderstood,
            "rng": self.rng.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.learner.load_state_dict(state["learner"])
        self.parts.calibration.load_state_dict(state["calibration"])
        self.pool.rewind(state["made"])
        self.met = HazyScenes(**state["met"])
        self.visits, self.misunderstood = state["visits"], state["misunderstood"]
        self.rng.set_state(state["rng"])


def _hazy_windows(optical_depth: Tensor) -> Tensor:
    """Which windows are hazy, (B, 8, 8) bool, from the true optical depth (B, 1, S, S)."""
    return F.adaptive_avg_pool2d(1 - torch.exp(-optical_depth), GRID)[:, 0] >= HAZY_FROM
