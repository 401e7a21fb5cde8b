"""Training with an environment: rounds, evaluation at intervals, the best agent kept, exact resume.

Three phases, three functions, never mixed: `train_online` learns while it acts, `dqn.learn_from_history` learns with
no environment, `rollout.evaluate` acts without exploration and learns nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from clairvoy.errors import at_least
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.evaluated import EvaluatedTraining, Trained, Training
from clairvoy.qlearning.rollout import LONGEST, evaluate
from clairvoy.qlearning.rounds import Limits, Report, run_rounds


@dataclass(frozen=True)
class OnlineSettings:
    """Settings of `train_online`."""

    evaluate_every: int = 10_000
    """Steps of all environments together between two evaluations; there is one more at the end."""
    episodes: int = 32
    """Episodes of each."""
    seed: int = 1_000_003
    """Of their starts: the same in every evaluation, so that agents are compared on the same episodes."""
    longest: int = LONGEST
    """Steps after which an evaluation cuts an episode."""
    stop_at: float | None = None
    """Mean return of an evaluation at which training ends; None goes on to the budget."""
    save_seconds: float = 180.0
    """Time between two checkpoints."""

    def __post_init__(self) -> None:
        at_least(self, 1, "evaluate_every", "episodes", "longest")


def train_online(
    training: Training,
    evaluation_environment: BatchedEnvironment,
    settings: OnlineSettings | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
    deadline: float | None = None,
    pause: Callable[[], None] | None = None,
) -> Trained:
    """Train to the budget; the agent then holds the best weights that any evaluation found, not the last ones.

    Parameters
    ----------
    training
        Its agent is trained in place.
    evaluation_environment
        Of the same kind as the one trained in, and not the same object: it is reset for every evaluation.
    settings
        See `OnlineSettings`.
    checkpoint
        File that the whole state is saved to every few minutes, at the end, and at Ctrl-C.
    resume
        Continue the run saved there: exactly, if the environment has ``state_dict``.
    report
        Called after each round with the steps so far and the metrics, ``evaluation/return`` among them when there
        was one, and ``evaluation/cut`` if episodes of it were cut. The training stops where it gives False.
    deadline
        `time.monotonic()` at which to stop as if interrupted; also in an evaluation, which is then done again when the
        run is resumed.
    pause
        Called before every round and every step of an evaluation; it may raise KeyboardInterrupt, which stops as Ctrl-C
        does.

    Raises
    ------
    SettingsError
        ``resume`` without ``checkpoint``, or other settings than the saved run had.
    """
    settings = settings or OnlineSettings()
    limits = Limits(deadline, pause)

    def played() -> tuple[float, dict[str, float]]:
        found = evaluate(
            evaluation_environment,
            training.agent.act_greedily,
            settings.episodes,
            torch.Generator().manual_seed(settings.seed),
            longest=settings.longest,
            pause=limits.check,
        )
        metrics = {"evaluation/return": found.mean_return}
        return found.mean_return, metrics | ({"evaluation/cut": float(found.cut)} if found.cut else {})

    run = EvaluatedTraining(
        training,
        played,
        settings.evaluate_every,
        stop_at=settings.stop_at,
        same={"episodes": settings.episodes, "seed": settings.seed, "longest": settings.longest},
    )
    finished = run_rounds(
        run,
        limits,
        checkpoint=checkpoint,
        resume=resume,
        report=report,
        save_seconds=settings.save_seconds,
    )
    return run.result(finished)
