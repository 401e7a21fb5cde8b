"""What a co-training of the haze scenario is worth, measured on held-out scenes; nothing here learns.

The same held-out scenes, starts and noise for every run, so that runs can be compared pair by pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clairvoy.cotraining.loop import Feedback
from clairvoy.evaluation.recognition import area_under_roc
from clairvoy.evaluation.trust import expected_calibration_error
from clairvoy.generative.adversary import accept
from clairvoy.generative.density.discriminator import CLEAR, Discriminator
from clairvoy.generative.density.perception import GOOD_DB, Calibration, Perception, perceive, to_db
from clairvoy.generative.density.vae import DensityVAE, Posterior
from clairvoy.imaging.synthesis.scenes import HazyScenes
from clairvoy.qlearning.policy import greedy
from clairvoy.restoring.parts import Parts
from clairvoy.scenarios.haze.scenario import hazy_windows, windows_of
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.searching.explore import GRID, pool_beliefs

BATCH = 32


@dataclass(frozen=True)
class SearchScores:
    """What greedy episodes, one in each scene, found; all means over scenes unless said otherwise."""

    mean_return: float
    """Undiscounted, with the restraint terms."""
    precision: float
    """Of all windows recognised, the part with haze."""
    recall: float
    """Of all windows with haze, the part recognised."""
    steps: float
    """Until the episode ended."""
    recognised: Tensor
    """(B, 8, 8) bool."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where nothing was found."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def look_at(
    generator: DensityVAE, discriminator: Discriminator, hazy: Tensor, seed: int = 0, twice: bool = True
) -> Perception:
    """What generator and discriminator believe of pictures (B, 3, S, S), in batches."""
    noise = torch.Generator().manual_seed(seed)
    looks = [
        perceive(generator, discriminator, hazy[begin : begin + BATCH], noise, twice=twice)
        for begin in range(0, len(hazy), BATCH)
    ]
    return Perception(*(torch.cat(part) for part in zip(*looks, strict=True)))


@torch.no_grad()
def restore(generator: DensityVAE, hazy: Tensor, seen: Perception) -> Tensor:
    """Restore every picture, hazy or not (forced): (B, 3, S, S) in [0, 1]."""
    restored = [
        generator.restore_along(hazy[at], seen.grid[at], seen.airlight[at])[0].clamp(0, 1)
        for at in torch.arange(len(hazy)).split(BATCH)
    ]
    return torch.cat(restored)


def picture_db(restored: Tensor, clear: Tensor) -> Tensor:
    """PSNR of each picture in dB, (B,)."""
    return to_db((restored - clear).square().mean(dim=(1, 2, 3)))


def belief_maps(seen: Perception, calibration: Calibration) -> Tensor:
    """What the agent is told of every window, (B, 4, 8, 8)."""
    tau, _ = calibration.of_cells(seen.signs)
    return pool_beliefs(seen.haze, seen.spread, seen.clear, tau)


@torch.no_grad()
def find(
    agent: torch.nn.Module, scenes: HazyScenes, beliefs: Tensor, settings: HazeSearchSettings, seed: int = 0
) -> SearchScores:
    """Let the agent search each scene once, greedily, from a drawn start."""
    count = len(scenes.hazy)
    each = SceneSet.of(windows_of(scenes.hazy), hazy_windows(scenes.optical_depth), beliefs)
    environment = HazeSearch(each, count, settings)
    observation = environment.reset_each(torch.Generator().manual_seed(seed))
    returns, steps = torch.zeros(count), torch.zeros(count)
    alive = torch.ones(count, dtype=torch.bool)
    recognised = torch.zeros(count, GRID, GRID, dtype=torch.bool)
    row = torch.arange(count)
    while bool(alive.any()):
        step = environment.step(greedy(agent(observation), environment.action_mask()))
        returns, steps = returns + alive * step.reward, steps + alive.float()
        marks = (step.info["recognised"] | step.info["false_alarm"]) & alive
        position = step.info["position"]
        recognised[row[marks], position[marks, 0], position[marks, 1]] = True
        alive &= ~step.done
        observation = step.observation
    truth = hazy_windows(scenes.optical_depth)
    hits = float((recognised & truth).sum())
    return SearchScores(
        float(returns.mean()),
        hits / max(1.0, float(recognised.sum())),
        hits / max(1.0, float(truth.sum())),
        float(steps.mean()),
        recognised,
    )


def measure(
    parts: Parts,
    scenes: HazyScenes,
    feedback: Feedback,
    settings: HazeSearchSettings,
    seed: int = 0,
    twice: bool = True,
) -> dict[str, float]:
    """Measure all parts on held-out scenes.

    Parameters
    ----------
    parts
        Trained; on the CPU.
    scenes
        Of photographs that nothing was trained on, clear ones among them.
    feedback
        Whether the agent is told the generator's beliefs, as in its training.
    settings
        Of the search.
    seed
        Of starts and noise.
    twice
        See `perceive`.

    Returns
    -------
    dict
        ``restored_db``: PSNR of the hazy scenes, each restored whether recognised or not; ``restored_db_thin``,
        ``_medium`` and ``_dense``: of those that lost below 0.35, between, or above 0.6 of their light;
        ``searched_db``: PSNR of all scenes where only windows that the agent recognised are restored;
        ``return``, ``precision``, ``recall``, ``f1``, ``steps``: of the agent's search; ``belief_auroc``: of the
        generator's belief in haze, window by window; ``tau_error_db`` and ``tau_calibration_error``.
    """
    seen = look_at(parts.generator, parts.discriminator, scenes.hazy, seed, twice)
    restored = restore(parts.generator, scenes.hazy, seen)
    db = picture_db(restored, scenes.clear)
    lost = (1 - torch.exp(-scenes.optical_depth)).mean(dim=(1, 2, 3))
    hazy = lost > 0
    bands = {"thin": hazy & (lost < 0.35), "medium": (lost >= 0.35) & (lost <= 0.6), "dense": lost > 0.6}
    maps = belief_maps(seen, parts.calibration)
    found = find(parts.agent, scenes, maps if feedback.beliefs else torch.zeros_like(maps), settings, seed)
    chosen = F.interpolate(found.recognised[:, None].float(), size=scenes.hazy.shape[-2:])
    searched = picture_db(chosen * restored + (1 - chosen) * scenes.hazy, scenes.clear)
    truth = hazy_windows(scenes.optical_depth)
    tau, told = parts.calibration.of_picture(seen.signs)
    return {
        "restored_db": float(db[hazy].mean()),
        **{f"restored_db_{name}": float(db[band].mean()) for name, band in bands.items() if bool(band.any())},
        "searched_db": float(searched[hazy].mean()),
        "return": found.mean_return,
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "steps": found.steps,
        "belief_auroc": area_under_roc(maps[:, 0][truth].numpy(), maps[:, 0][~truth].numpy()),
        "tau_error_db": float((told - db).abs().mean()),
        "tau_calibration_error": expected_calibration_error(tau.numpy(), (db >= GOOD_DB).numpy()),
    }


@torch.no_grad()
def measure_sampler(
    generator: DensityVAE,
    discriminator: Discriminator,
    calibration: Calibration,
    scenes: HazyScenes,
    draws: int = 8,
    seed: int = 0,
) -> dict[str, float]:
    """PSNR in dB of one restoration of each hazy scene, by how it is chosen among draws from the posterior.

    Returns
    -------
    dict
        ``mean``: decoded from the posterior's mean, no draw; ``single``: one draw; ``rejection``: discriminator
        rejection sampling, the first of the draws accepted (Azadi et al. 2019; one at random where none is);
        ``most_believed``: the draw that the discriminator believes most; ``highest_tau``: the draw whose own signs
        promise the highest PSNR; ``best``: the best in truth, which no chooser can pass.
    """
    noise = torch.Generator().manual_seed(seed)
    chosen: dict[str, list[Tensor]] = {}
    for begin in range(0, len(scenes.hazy), BATCH):
        hazy, clear = scenes.hazy[begin : begin + BATCH], scenes.clear[begin : begin + BATCH]
        posterior = generator.encode(hazy)
        candidates = [posterior.mean, *(posterior.sample(noise) for _ in range(draws))]
        db, logit, promised = [], [], []
        for z in candidates:
            restored = generator.restore(hazy, z, posterior.airlight)[0].clamp(0, 1)
            db.append(picture_db(restored, clear))
            logit.append(discriminator.judge(generator, restored, CLEAR).mean(dim=(1, 2, 3)))
            promised.append(_promised(generator, discriminator, calibration, hazy, posterior, z, seed))
        values, judged, told = torch.stack(db), torch.stack(logit)[1:], torch.stack(promised)[1:]
        column = torch.arange(len(hazy))
        drawn = values[1:]
        # r_max is one for all scenes' draws of the batch, as in training.
        kept = accept(judged.flatten(), noise).view_as(judged).float()
        first = torch.where(kept.any(dim=0), kept.argmax(dim=0), torch.zeros_like(column))
        for name, value in {
            "mean": values[0],
            "single": drawn[0],
            "rejection": drawn[first, column],
            "most_believed": drawn[judged.argmax(dim=0), column],
            "highest_tau": drawn[told.argmax(dim=0), column],
            "best": drawn.amax(dim=0),
        }.items():
            chosen.setdefault(name, []).append(value)
    return {name: float(torch.cat(value).mean()) for name, value in chosen.items()}


def _promised(
    generator: DensityVAE,
    discriminator: Discriminator,
    calibration: Calibration,
    hazy: Tensor,
    posterior: Posterior,
    z: Tensor,
    seed: int,
) -> Tensor:
    """The PSNR in dB that tau's signs promise of the restoration from `z`, (B,)."""
    about = Posterior(z, posterior.log_variance, posterior.airlight)
    noise = torch.Generator().manual_seed(seed)
    seen = perceive(generator, discriminator, hazy, noise, samples=2, posterior=about, twice=False)
    return calibration.of_picture(seen.signs)[1]
