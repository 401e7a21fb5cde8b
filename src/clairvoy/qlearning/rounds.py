"""One driver for everything that trains in rounds: it knows when to stop (budget, deadline, Ctrl-C, a word) and to save."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.processes.ranks import ALONE, Ranks
from clairvoy.storage.run_file import Checkpoint, load_run

Report = Callable[[int, dict[str, float]], bool | None]
"""Called after each round with the count so far and the metrics; what gives False ends the training."""


class OutOfTimeError(Exception):
    """The deadline has passed."""


class Limits:
    """What may end a training before its budget is spent.

    Parameters
    ----------
    deadline
        `time.monotonic()` at which to stop as if interrupted; None: never.
    pause
        Called by `check`; it may raise KeyboardInterrupt, which stops as Ctrl-C does.
    """

    def __init__(self, deadline: float | None = None, pause: Callable[[], None] | None = None) -> None:
        self.deadline, self.pause = deadline, pause

    def check(self) -> None:
        """Called before each round; call it besides wherever a long round may be stopped.

        Raises
        ------
        OutOfTimeError
            The deadline has passed.
        KeyboardInterrupt
            `pause` said so.
        """
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise OutOfTimeError
        if self.pause is not None:
            self.pause()


class Rounds(Protocol):
    """What `run_rounds` drives: `cotraining.loop.Cotraining` and `evaluated.EvaluatedTraining`."""

    @property
    def count(self) -> int:
        """How far it is, in what it counts by: updates or steps."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the state is that between two rounds, and can be saved."""
        ...

    def round(self) -> dict[str, float]:
        """Do one round; returns metrics."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that later rounds depend on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        ...


def run_rounds(
    rounds: Rounds,
    limits: Limits | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Report | None = None,
    save_seconds: float = 180.0,
    ranks: Ranks = ALONE,
) -> bool:
    """Go round after round until all is done or something ends it.

    Parameters
    ----------
    rounds
        What is driven.
    limits
        See `Limits`; None: only the budget ends it, or Ctrl-C.
    checkpoint
        File that the whole state is saved to every `save_seconds`, at the end, and at Ctrl-C.
    resume
        Continue the run saved there.
    report
        See `Report`.
    save_seconds
        Time between two checkpoints.
    ranks
        Those that train together: they stop and save after the same round. The first writes the states of all to its
        `checkpoint`, and leaves it to the others to give none; to resume, each names it.

    Returns
    -------
    bool
        Whether it came to its end; False if it was interrupted.

    Raises
    ------
    SettingsError
        ``resume`` without ``checkpoint``, with other settings than the saved run had, or with another number of processes.
    WeightsError
        There is no checkpoint to resume from, or it is of another kind of training.
    FileError
        The disk refuses the last checkpoint of a run that is not finished.
    """
    limits = limits or Limits()
    if resume:
        _resume(rounds, checkpoint, ranks)
    interrupted, file = False, Checkpoint(checkpoint if ranks.first else None, save_seconds)
    try:
        while not rounds.over:
            if ranks.any(_asks_to_stop(limits)):
                interrupted = True
                break
            metrics = rounds.round()
            if ranks.any(report is not None and report(rounds.count, metrics) is False):
                interrupted = True
                break
            if ranks.any(file.due):
                file.now_and_then(_state_of_all(rounds, ranks))
    except (KeyboardInterrupt, OutOfTimeError):
        interrupted = True
    # An interrupt inside a round leaves it half done; what was saved before it still counts.
    finished = rounds.over and not interrupted
    if rounds.whole:
        file.at_the_end(_state_of_all(rounds, ranks), finished)
    return finished


def _asks_to_stop(limits: Limits) -> bool:
    try:
        limits.check()
    except (KeyboardInterrupt, OutOfTimeError):
        return True
    return False


def _state_of_all(rounds: Rounds, ranks: Ranks) -> Callable[[], dict[str, Any]]:
    """What gives the state to save. Of several processes all states are brought together here, where all are at once."""
    if ranks.size == 1:
        return rounds.state_dict
    states = ranks.gather(rounds.state_dict())
    return lambda: {"ranks": states}


def _resume(rounds: Rounds, checkpoint: Path | None, ranks: Ranks) -> None:
    if checkpoint is None:
        raise SettingsError("resume needs a checkpoint; name the file to continue from")
    state = load_run(checkpoint)
    states = state.get("ranks", [state])
    if len(states) != ranks.size:
        raise SettingsError(
            f"{checkpoint}: saved by {len(states)} processes, and this is a run of {ranks.size}; start as many as before"
        )
    state = states[ranks.rank]
    try:
        rounds.load_state_dict(state)
    except (KeyError, TypeError) as error:
        raise WeightsError(
            f"{checkpoint}: not a checkpoint of this kind of training ({error!r}); begin a new run"
        ) from error
