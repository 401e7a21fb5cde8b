"""Photographs shared by the workers of a Dask cluster; a worker that is lost costs no more than time.

A photograph is the unit of work, and its outputs are written whole or not at all, so one that is begun again does no harm.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from clairvoy.apps.clear.jobs import Job
from clairvoy.apps.clear.outcome import FAILED, Outcome
from clairvoy.apps.clear.restore_job import LoadRestorer
from clairvoy.apps.clear.restore_settings import Settings
from clairvoy.apps.clear.workers import Outcomes, Started
from clairvoy.apps.cluster import Cluster, Lost, connected
from clairvoy.storage.atomic import remove_abandoned_parts
from clairvoy.storage.remote import is_remote

AHEAD = 3
"""Photographs on their way for each thread of the cluster: one that is worked on, and some that wait for it."""
_DASKS_TRIM_THRESHOLD = "65536"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of malloc.h."""
_KEPT_ARRAY_BYTES, _KEPT_BYTES = 2**26, 2**28


def in_cluster(
    jobs: Sequence[Job], settings: Settings, load: LoadRestorer, started: Started, address: str
) -> Outcomes:
    """Restore photographs on a cluster; yield the number of each job and what became of it, as they end.

    Parameters
    ----------
    jobs, settings, load, started
        See `workers.in_workers`. The workers must see the files by the same names.
    address
        Of the scheduler, such as tcp://scheduler:8786.

    Raises
    ------
    SettingsError
        Dask is not installed, nobody answers at the address, or it has no workers.
    """
    with connected(address) as cluster:
        yield from _on(cluster, jobs, settings, load, started)


def _on(
    cluster: Cluster, jobs: Sequence[Job], settings: Settings, load: LoadRestorer, started: Started
) -> Iterator[tuple[int, Outcome]]:
    # The plan has refused what existed before. What exists now was written by a worker that was lost before it could say so.
    settings, here = replace(settings, overwrite=True), os.getcwd()

    def restored(numbers: Sequence[int], ahead: int) -> Iterator[tuple[int, Any]]:
        calls = ((jobs[number], settings, load, here) for number in numbers)
        begins = lambda index: started(jobs[numbers[index]])  # noqa: E731
        for index, outcome in cluster.results(restore_on_worker, calls, ahead=ahead, started=begins):
            yield numbers[index], outcome

    lost: list[int] = []
    shared = [number for number, job in enumerate(jobs) if _is_shared(job)]
    for number, outcome in restored(shared, AHEAD * cluster.threads):
        if outcome is Lost:
            lost.append(number)
        else:
            yield number, outcome
    # A photograph that ends its worker takes those along that wait there. One at a time, each stands for itself.
    for number, outcome in restored(lost, 1):
        yield number, _lost(jobs[number]) if outcome is Lost else outcome
    own = sorted(set(range(len(jobs))) - set(shared))
    restore = load(settings) if own else None
    for number in own:
        assert restore is not None
        yield number, restore(jobs[number])


def _is_shared(job: Job) -> bool:
    """Whether there is work to do that another machine can do: the pipes are of this process."""
    return not job.done and job.fault is None and job.source is not None and job.target is not None


def _lost(job: Job) -> Outcome:
    message = (
        f"{job.name}: the workers that restored it were lost again and again, by a crash or for want of memory; reduce the "
        "picture, or save it in another format"
    )
    return Outcome(
        {"source": job.name, "output": str(job.target), "status": FAILED, "error": message}, [message]
    )


@cache
def prepare_worker() -> None:
    """Let a worker compute with one thread, and keep the memory of one photograph for the next."""
    import cv2

    cv2.setNumThreads(1)  # the cluster has as many workers as it wants to use cores
    if os.environ.get("MALLOC_TRIM_THRESHOLD_") != _DASKS_TRIM_THRESHOLD:
        return  # somebody has chosen
    # Dask has glibc give memory back at once. To get the pages of each array anew cost as much as all the rest of the work.
    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no mallopt
        settle = ctypes.CDLL(None).mallopt
        settle(_M_MMAP_THRESHOLD, _KEPT_ARRAY_BYTES)
        settle(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def restore_on_worker(job: Job, settings: Settings, load: LoadRestorer, folder: str) -> Outcome:
    """Restore one photograph in a worker, which keeps the weights for the next; paths are those of `folder`."""
    prepare_worker()
    here = Path(folder)

    def absolute(path: Path | None) -> Path | None:
        return path if path is None or is_remote(path) else here / path

    for path in (job.target, job.haze_map, job.tau_map, job.comparison):
        if path is not None and not is_remote(path):
            _tidy(here / path.parent)
    there = Job(
        absolute(job.source), absolute(job.target), absolute(job.haze_map), absolute(job.tau_map), absolute(job.comparison)
    )  # fmt: skip
    outcome: Outcome = _restorer(load, settings)(there)
    return replace(outcome, entry={**outcome.entry, "source": job.name, "output": str(job.target)})


@lru_cache(maxsize=64)
def _tidy(folder: Path) -> None:
    """Take away what workers of this machine left unfinished when they were killed."""
    remove_abandoned_parts([folder])


@cache
def _restorer(load: LoadRestorer, settings: Settings) -> Any:
    return load(settings)
