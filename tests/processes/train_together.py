"""What one of two processes does in `test_ranks`: ``train_together.py FOLDER``, started as torchrun starts it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from clairvoy.errors import FileError, ProcessError, SettingsError
from clairvoy.generative.density.discriminator import Discriminator
from clairvoy.generative.density.learner import GeneratorLearner, HazyPairs, LearnerSettings
from clairvoy.generative.density.vae import DensityVAE, VAESettings
from clairvoy.generative.losses import LossWeights
from clairvoy.processes.launch import joined
from clairvoy.processes.ranks import Ranks
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.rounds import Limits, run_rounds
from clairvoy.qlearning.transitions import Transitions


def learnt(ranks: Ranks) -> list[torch.Tensor]:
    """Weights of generator and discriminator after ten updates on this process's part of one batch of eight pairs."""
    torch.manual_seed(0)
    settings = VAESettings(width=8, latent=4, bins=4)
    learner = GeneratorLearner(
        DensityVAE(settings), Discriminator(settings.width), 10,
        weights=LossWeights(perceptual=0.0),
        settings=LearnerSettings(judge_every=1, judged=2 // ranks.size), seed=3, ranks=ranks,
    )  # fmt: skip
    rng = torch.Generator().manual_seed(2)
    for _ in range(10):
        clear = torch.rand(8, 3, 8, 8, generator=rng).repeat_interleave(8, 2).repeat_interleave(8, 3)
        od = torch.linspace(0.2, 1.6, 8).view(8, 1, 1, 1).expand(8, 1, 64, 64)
        hazy = clear * torch.exp(-od) + 0.9 * (1 - torch.exp(-od))
        depth = torch.rand(8, 1, 8, 8, generator=rng) + 0.5
        whole = (hazy, clear, od, torch.full((8, 3, 1, 1), 0.9), depth, torch.ones(8, dtype=torch.bool))
        learner.update(HazyPairs(*map(ranks.part, whole)))
    return [*learner.generator.state_dict().values(), *learner.discriminator.state_dict().values()]


def valued(ranks: Ranks) -> list[torch.Tensor]:
    """Weights of a Q-network after ten updates on this process's part of batches of eight transitions."""
    torch.manual_seed(0)
    agent = DQN(Flat(), DQNSettings(learning_rate=1e-3), ranks=ranks)
    rng = torch.Generator().manual_seed(1)
    for _ in range(10):
        seen, then = ({"x": ranks.part(torch.rand(8, 4, generator=rng))} for _ in range(2))
        action = ranks.part(torch.randint(3, (8,), generator=rng))
        reward = ranks.part(torch.rand(8, generator=rng))
        count = len(action)
        agent.update(
            Transitions(
                observation=seen, action=action, reward=reward, discount=torch.full((count,), 0.9),
                next_observation=then, next_mask=torch.ones(count, 3, dtype=torch.bool),
                provenance=torch.zeros(count, dtype=torch.uint8), tau=torch.ones(count),
            )
        )  # fmt: skip
    return list(agent.network.state_dict().values())


class Flat(torch.nn.Sequential):
    """A Q-network of four numbers."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))

    def forward(self, observation):
        return super().forward(observation["x"])


class Draws:
    """Rounds that add up numbers that each process draws for itself."""

    def __init__(self, ranks: Ranks) -> None:
        self.rng = torch.Generator().manual_seed(ranks.seed(5))
        self.count, self.total, self.whole = 0, 0.0, True

    @property
    def over(self) -> bool:
        return self.count >= 6

    def round(self) -> dict[str, float]:
        self.count, self.total = self.count + 1, self.total + float(torch.rand((), generator=self.rng))
        return {}

    def state_dict(self) -> dict:
        return {"count": self.count, "total": self.total, "rng": self.rng.get_state()}

    def load_state_dict(self, state: dict) -> None:
        self.count, self.total = state["count"], state["total"]
        self.rng.set_state(state["rng"])


def stopped_and_resumed(ranks: Ranks, folder: Path) -> list[list[float]]:
    """The totals of both processes: of a run that one of them ends, of its resumption, and of an undisturbed one."""

    def pause() -> None:
        if ranks.rank == 1 and halves.count == 3:
            raise KeyboardInterrupt

    whole, halves, resumed = Draws(ranks), Draws(ranks), Draws(ranks)
    file = folder / "checkpoint.pt"
    run_rounds(whole, ranks=ranks)
    assert not run_rounds(halves, Limits(pause=pause), checkpoint=file, ranks=ranks)
    assert halves.count == 3
    ranks.gather(None)  # the file is there
    assert run_rounds(resumed, checkpoint=file, resume=True, ranks=ranks)
    return [ranks.gather(one.total) for one in (halves, resumed, whole)]


def first_fails(ranks: Ranks) -> str:
    """How each process ends where the first one fails."""

    def act() -> None:
        raise FileError("no room")

    try:
        ranks.by_first(act)
    except (FileError, SystemExit) as error:
        return repr(error)
    return "goes on"


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as (ranks, _):
        found = {
            "learnt": learnt(ranks),
            "valued": valued(ranks),
            "totals": stopped_and_resumed(ranks, folder),
            "failed": ranks.gather(first_fails(ranks)),
            "share": ranks.share("--batch", 8),
        }
        try:
            ranks.share("--batch", 7)
        except SettingsError as error:
            found["uneven"] = str(error)
        if ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            ranks.mean(torch.ones(1))
        except ProcessError as error:
            found["lost"] = str(error)
        torch.save(found, folder / "found.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
