"""Photographs shared by the workers of a Dask cluster; a worker that is lost costs no more than time.

A photograph is the unit of work, and its outputs are written whole or not at all, so one that is begun again does no harm.
Only so many photographs are on their way at a time that all workers are busy: what the scheduler and this process keep in
memory does not grow with the number of photographs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from clairvoy.apps.clear.jobs import Job
from clairvoy.apps.clear.restore_job import FAILED, LoadRestorer, Outcome, Settings
from clairvoy.apps.clear.workers import Outcomes, Started
from clairvoy.errors import ClairvoyError, SettingsError
from clairvoy.storage.remote import is_remote

SECONDS_TO_CONNECT = 10
AHEAD = 3
"""Photographs on their way for each thread of the cluster: one that is worked on, and some that wait for it."""


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
    distributed = _library()
    try:
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"{address}: no Dask scheduler answers ({error}); start one with `dask scheduler`, and `dask worker {address}`"
        ) from error
    with client:
        yield from _on(client, distributed, jobs, settings, load, started)


def _on(
    client: Any,
    distributed: Any,
    jobs: Sequence[Job],
    settings: Settings,
    load: LoadRestorer,
    started: Started,
) -> Iterator[tuple[int, Outcome]]:
    try:
        client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
    except TimeoutError as error:
        raise SettingsError(
            f"{client.scheduler.address}: the cluster has no workers; start some with `dask worker`"
        ) from error
    threads = sum(client.nthreads().values())
    # The plan has refused what existed before. What exists now was written by a worker that was lost before it could say so.
    settings = replace(settings, overwrite=True)
    shared = [number for number, job in enumerate(jobs) if _is_shared(job)]
    lost: list[int] = []
    for number, outcome in _pass(client, distributed, jobs, shared, settings, load, started, AHEAD * threads):
        if outcome is None:
            lost.append(number)
        else:
            yield number, outcome
    # A photograph that ends its worker takes those along that wait there. One at a time, each stands for itself.
    for number, outcome in _pass(client, distributed, jobs, lost, settings, load, started, 1):
        yield number, outcome or _lost(jobs[number])
    own = sorted(set(range(len(jobs))) - set(shared))
    restore = load(settings) if own else None
    for number in own:
        assert restore is not None
        yield number, restore(jobs[number])


def _is_shared(job: Job) -> bool:
    """Whether there is work to do that another machine can do: the pipes are of this process."""
    return not job.done and job.fault is None and job.source is not None and job.target is not None


def _pass(
    client: Any,
    distributed: Any,
    jobs: Sequence[Job],
    numbers: Sequence[int],
    settings: Settings,
    load: LoadRestorer,
    started: Started,
    ahead: int,
) -> Iterator[tuple[int, Outcome | None]]:
    """Send jobs by their numbers, so many ahead; None is the outcome of one whose workers were lost."""
    here, waiting, on_their_way = os.getcwd(), iter(numbers), dict[str, int]()
    going = distributed.as_completed(loop=client.loop)

    def send() -> None:
        number = next(waiting, None)
        if number is not None:
            started(jobs[number])
            task = client.submit(restore_on_worker, jobs[number], settings, load, here, pure=False)
            on_their_way[task.key] = number
            going.add(task)

    for _ in range(ahead):
        send()
    try:
        for task in going:
            number = on_their_way.pop(task.key)
            error = task.exception() if task.status == "error" else None
            if isinstance(error, ClairvoyError):
                raise error
            yield number, None if error or task.status == "cancelled" else task.result()
            task.release()
            send()
    finally:
        client.cancel(list(going.futures))


def _lost(job: Job) -> Outcome:
    message = (
        f"{job.name}: the workers that restored it were lost again and again, by a crash or for want of memory; reduce the "
        "picture, or save it in another format"
    )
    return Outcome(
        {"source": job.name, "output": str(job.target), "status": FAILED, "error": message}, [message]
    )


def restore_on_worker(job: Job, settings: Settings, load: LoadRestorer, folder: str) -> Outcome:
    """Restore one photograph in a worker, which keeps the weights for the next; paths are those of `folder`."""
    import cv2

    cv2.setNumThreads(1)  # the cluster has as many workers as it wants to use cores
    here = Path(folder)

    def absolute(path: Path | None) -> Path | None:
        return path if path is None or is_remote(path) else here / path

    there = Job(
        absolute(job.source), absolute(job.target), absolute(job.haze_map), absolute(job.tau_map), absolute(job.comparison)
    )  # fmt: skip
    outcome: Outcome = _restorer(load, settings)(there)
    return Outcome(
        {**outcome.entry, "source": job.name, "output": str(job.target)}, outcome.said, outcome.out_of_memory
    )


@cache
def _restorer(load: LoadRestorer, settings: Settings) -> Any:
    return load(settings)


def _library() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise SettingsError(
            "--cluster needs Dask, which is not installed: pip install 'clairvoy[cluster]'"
        ) from error
    return distributed
