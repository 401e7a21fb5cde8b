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
from clairvoy.evaluation.reliability import expected_calibration_error
from clairvoy.generative.adversary import accept
from clairvoy.generative.density.discriminator import CLEAR
from clairvoy.generative.density.perception import Perceiver
from clairvoy.generative.density.signs import GOOD_DB, to_db
from clairvoy.generative.density.vae import Draw, Posterior
from clairvoy.imaging.synthesis.views import SyntheticPairs
from clairvoy.qlearning.policy import greedy
from clairvoy.releasing.parts import Parts
from clairvoy.scenarios.haze.scene_set import SceneSet, hazy_windows, windows_of
from clairvoy.scenarios.haze.search import HazeSearch, HazeSearchSettings
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import GRID

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


def picture_db(restored: Tensor, clear: Tensor) -> Tensor:
    """PSNR of each picture in dB, (B,)."""
    return to_db((restored - clear).square().mean(dim=(1, 2, 3)))


@torch.no_grad()
def find(
    agent: torch.nn.Module,
    pairs: SyntheticPairs,
    beliefs: Tensor,
    settings: HazeSearchSettings,
    seed: int = 0,
) -> SearchScores:
    """Let the agent search each scene once, greedily, from a drawn start."""
    count = len(pairs.hazy)
    each = SceneSet.of(windows_of(pairs.hazy), hazy_windows(pairs.optical_depth), beliefs)
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
    truth = hazy_windows(pairs.optical_depth)
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
    pairs: SyntheticPairs,
    feedback: Feedback,
    settings: HazeSearchSettings,
    seed: int = 0,
) -> dict[str, float]:
    """Measure all parts on held-out scenes.

    Parameters
    ----------
    parts
        Trained; on the CPU.
    pairs
        Of photographs that nothing was trained on, clear ones among them.
    feedback
        Whether the agent is given the generator's beliefs, as in its training.
    settings
        Of the search.
    seed
        Of starts and noise.

    Returns
    -------
    dict
        ``restored_db``: PSNR of the hazy scenes, each restored whether recognised or not; ``restored_db_thin``,
        ``_medium`` and ``_dense``: of those that lost below 0.35, between, or above 0.6 of their light;
        ``searched_db``: PSNR of all scenes where only windows that the agent recognised are restored;
        ``return``, ``precision``, ``recall``, ``f1``, ``steps``: of the agent's search; ``belief_auroc``: of the
        generator's belief in haze, window by window; ``tau_error_db`` and ``tau_calibration_error``.
    """
    perceiver = parts.perceiver
    seen = perceiver.perceive(pairs.hazy, torch.Generator().manual_seed(seed))
    restored = perceiver.restore(pairs.hazy, seen)
    db = picture_db(restored, pairs.clear)
    lost = (1 - torch.exp(-pairs.optical_depth)).mean(dim=(1, 2, 3))
    hazy = lost > 0
    bands = {"thin": hazy & (lost < 0.35), "medium": (lost >= 0.35) & (lost <= 0.6), "dense": lost > 0.6}
    maps = pool_beliefs(*perceiver.beliefs(seen))
    found = find(parts.agent, pairs, maps if feedback.beliefs else torch.zeros_like(maps), settings, seed)
    chosen = F.interpolate(found.recognised[:, None].float(), size=pairs.hazy.shape[-2:])
    searched = picture_db(chosen * restored + (1 - chosen) * pairs.hazy, pairs.clear)
    truth = hazy_windows(pairs.optical_depth)
    tau, predicted = parts.calibration.of_picture(seen.signs)
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
        "tau_error_db": float((predicted - db).abs().mean()),
        "tau_calibration_error": expected_calibration_error(tau.numpy(), (db >= GOOD_DB).numpy()),
    }


@torch.no_grad()
def measure_sampler(
    perceiver: Perceiver,
    pairs: SyntheticPairs,
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
    generator, discriminator = perceiver.generator, perceiver.discriminator
    noise = torch.Generator().manual_seed(seed)
    chosen: dict[str, list[Tensor]] = {}
    for begin in range(0, len(pairs.hazy), BATCH):
        hazy, clear = pairs.hazy[begin : begin + BATCH], pairs.clear[begin : begin + BATCH]
        posterior = generator.encode(hazy)
        candidates = [posterior.most_likely, *(posterior.sample(noise) for _ in range(draws))]
        db, logit, promised = [], [], []
        for draw in candidates:
            restored = generator.restore(hazy, draw)[0].clamp(0, 1)
            db.append(picture_db(restored, clear))
            logit.append(discriminator.judge(generator, restored, CLEAR).mean(dim=(1, 2, 3)))
            promised.append(_promised(perceiver, hazy, posterior, draw, seed))
        values, judged, tau = torch.stack(db), torch.stack(logit)[1:], torch.stack(promised)[1:]
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
            "highest_tau": drawn[tau.argmax(dim=0), column],
            "best": drawn.amax(dim=0),
        }.items():
            chosen.setdefault(name, []).append(value)
    return {name: float(torch.cat(value).mean()) for name, value in chosen.items()}


def _promised(perceiver: Perceiver, hazy: Tensor, posterior: Posterior, draw: Draw, seed: int) -> Tensor:
    """The PSNR in dB that tau's signs promise of the restoration from `draw`, (B,)."""
    about = posterior._replace(mean=draw.z, density=draw.density, airlight=draw.airlight)
    seen = perceiver.perceive(hazy, torch.Generator().manual_seed(seed), posterior=about)
    return perceiver.calibration.of_picture(seen.signs)[1]
