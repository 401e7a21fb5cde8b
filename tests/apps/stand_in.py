"""What restores in the tests of workers: the real reading and writing around a dehazer that adds 40.

A module of its own, because the processes that work import it by its name.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from fake_dehazer import Report, Result

from clairvoy.apps.clear.outcome import Outcome
from clairvoy.apps.clear.restore_job import JobRestorer
from clairvoy.errors import WeightsError

REPORT = Report(haze_probability=0.9, tau=0.5, tau_db=20.0, seconds=0.0)


def dehazer(picture, *, strength, samples, force, flat) -> Result:
    time.sleep(0.02)
    haze = np.full(picture.pixels.shape[:2], 0.5, np.float32)
    return Result(picture.pixels // 2 + 40, REPORT, haze, haze)


def load(settings):
    """Restores; misbehaves by the name of the photograph."""
    restorer = JobRestorer(settings)
    restorer.__dict__["dehazer"] = dehazer

    def restore(job) -> Outcome:
        name = job.source.stem
        mark = job.source.with_suffix(".mark")
        if name.startswith("crash") or (name.startswith("once") and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("memory") and not mark.exists():
            mark.touch()
            return Outcome(
                {"source": job.name, "status": "failed", "error": "no memory"}, ["no memory"], True
            )
        if name.startswith("slow"):
            time.sleep(0.4)
        if name.startswith("weights"):
            raise WeightsError("these weights are no good; give others")
        if name.startswith("large"):
            begun = time.monotonic()
            time.sleep(0.1)
            job.source.with_suffix(".span").write_text(f"{begun} {time.monotonic()}")
        outcome = restorer(job)
        if name.startswith("late") and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

    return restore


def load_in_memory(settings):
    """Restores, and leaves no mark beside the photograph: where it lies there are no files."""
    restorer = JobRestorer(settings)
    restorer.__dict__["dehazer"] = dehazer
    return restorer


def load_untouched(settings):
    """Finds no haze in anything."""
    restorer = JobRestorer(settings)
    restorer.__dict__["dehazer"] = lambda picture, **how: replace(
        dehazer(picture, **how), image=picture.pixels
    )
    return restorer


def load_only_at_home(settings):
    """Cannot be loaded in another process than the first."""
    if multiprocessing.parent_process() is not None:
        os._exit(3)
    return load(settings)


def load_and_note(settings):
    """Notes the process that restores a photograph, beside it."""
    restore = load(settings)

    def noted(job) -> Outcome:
        Path(f"{job.source}.pid").write_text(str(os.getpid()))
        return restore(job)

    return noted
