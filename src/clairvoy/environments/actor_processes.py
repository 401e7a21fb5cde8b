"""Environments in actor processes, for those that take long to step; the learner stays in the process that it is in."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any


def in_actor_processes(make: Callable[[], Any], num_envs: int) -> Any:
    """`num_envs` environments, each in a process of its own, by Gymnasium's `AsyncVectorEnv`.

    They take their steps at the same time and begin episodes in the same step. What they show, and what their seeds
    decide, is as in one process. Each new process imports what `make` needs.

    Parameters
    ----------
    make
        Makes one ``gymnasium.Env``. It is called once in this process too, to learn the spaces.
    num_envs
        Number of environments, and so of processes; at least 1.

    Returns
    -------
    gymnasium.vector.AsyncVectorEnv
        Its processes end when it is closed, and with this process.
    """
    from gymnasium.vector import AsyncVectorEnv, AutoresetMode

    learner = os.getpid()

    def make_one() -> Any:
        if os.getpid() != learner:
            # Ctrl-C reaches every process of a terminal; the learner stops between rounds, and needs its actors till then.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        return make()

    # Not by fork: a child of a process that computes with several threads may wait for ever.
    return AsyncVectorEnv([make_one] * num_envs, context="spawn", autoreset_mode=AutoresetMode.SAME_STEP)
