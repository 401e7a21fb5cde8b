"""Several processes that share the photographs of a run; one that is lost costs no more than its photograph.

What a lost process was working on is tried once more at the end, while nothing else runs; so is what did not
fit into memory.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from clairvoy.apps.clear.jobs import Job
from clairvoy.apps.clear.outcome import FAILED, Outcome
from clairvoy.apps.clear.restore_job import LoadRestorer
from clairvoy.apps.clear.restore_settings import Settings
from clairvoy.apps.worker_process import WorkerProcess, cores, process_context
from clairvoy.imaging.formats.quiet import quiet
from clairvoy.storage.remote import is_remote

LARGE_PIXELS = 40_000_000
"""Photographs of up to this many pixels are worked on side by side, larger ones one at a time: memory stays bounded."""
_BYTES_PER_WORKER = 1_500_000_000
"""What a worker takes with a photograph of 24 megapixels, rounded up."""
_FAILED_STARTS = 3
"""So many in a row, and no more are tried."""

Started = Callable[[Job], None]
"""Is called with each job when the work on it begins."""
Outcomes: TypeAlias = Generator[tuple[int, Outcome], None, None]
"""Numbers of jobs, and what became of them, as they end. Closing it ends the work."""


def default_workers(jobs: int) -> int:
    """How many workers are worth starting: each has a core, enough memory, and two photographs or more."""
    memory = _free_memory()
    fitting = cores() if memory is None else memory // _BYTES_PER_WORKER
    return max(1, min(cores(), fitting, jobs // 2))


def in_this_process(
    jobs: Sequence[Job], settings: Settings, load: LoadRestorer, started: Started
) -> Outcomes:
    """Restore one photograph after another; yield the number of each job and what became of it."""
    restore = load(settings)
    for number, job in enumerate(jobs):
        started(job)
        yield number, restore(job)


def in_workers(
    jobs: Sequence[Job], settings: Settings, load: LoadRestorer, started: Started, count: int
) -> Outcomes:
    """Restore photographs in `count` processes; yield the number of each job and what became of it, as they end.

    Raises
    ------
    SettingsError, WeightsError
        What a worker says about the whole run.
    """
    crew = _Crew(jobs, settings, load, started, count)
    try:
        yield from crew.work()
    finally:
        crew.dismiss()


class _Worker(WorkerProcess):
    """And what it works on."""

    ready = False
    """It has said that it began."""
    number: int | None = None
    """Of the job."""


class _Crew:
    """The workers of a run, and what each is working on."""

    def __init__(
        self, jobs: Sequence[Job], settings: Settings, load: LoadRestorer, started: Started, count: int
    ) -> None:
        self._jobs, self._settings, self._load, self._started = jobs, settings, load, started
        self._count, self._threads = count, max(1, cores() // count)
        self._context = process_context(load)
        self._workers: list[_Worker] = []
        self._large: dict[int, bool] = {}
        self._failed_starts = 0

    def work(self) -> Iterator[tuple[int, Outcome]]:
        again = []
        for number, outcome in self._pass(range(len(self._jobs)), self._count):
            if outcome is None or outcome.out_of_memory:
                again.append(number)
            else:
                yield number, outcome
        if again:
            self.dismiss()  # what they hold of memory is wanted now
            # The plan has refused what existed before: what exists now, a lost process wrote before it could say so.
            self._settings = replace(self._settings, overwrite=True)
        for number, outcome in self._pass(sorted(again), 1):
            yield number, outcome or _lost(self._jobs[number])

    def dismiss(self) -> None:
        """End all workers: who works is stopped in a way that leaves nothing half written."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.number is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _pass(self, numbers: Sequence[int], count: int) -> Iterator[tuple[int, Outcome | None]]:
        """Share out jobs by their numbers; None is the outcome of one whose worker was lost."""
        waiting = deque(numbers)
        while waiting or self._busy():
            useless = self._failed_starts >= _FAILED_STARTS
            if useless and not self._workers:
                # Asked before anything is waited for: all may have been lost at once, and nobody would answer.
                yield from self._do_without(waiting)
                continue
            while not useless and len(self._workers) < min(count, len(waiting) + len(self._busy())):
                self._workers.append(self._hire())
            for worker in self._workers:
                if worker.ready and worker.number is None:
                    self._give(worker, waiting)
            for pipe in wait([worker.pipe for worker in self._workers]):
                worker = next(worker for worker in self._workers if worker.pipe is pipe)
                number, worker.number = worker.number, None
                try:
                    outcome = worker.pipe.recv()
                except (EOFError, OSError):
                    self._bury(worker)
                    if number is not None:
                        yield number, None
                    continue
                if isinstance(outcome, Exception):
                    raise outcome
                worker.ready, self._failed_starts = True, 0
                if number is not None:
                    yield number, outcome

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.number is not None]

    def _give(self, worker: _Worker, waiting: deque[int]) -> None:
        """Give a job to a worker, a large one only if nobody works on one."""
        taken = any(self._is_large(other.number) for other in self._busy() if other.number is not None)
        number = next((number for number in waiting if not (taken and self._is_large(number))), None)
        if number is None:
            return
        try:
            worker.pipe.send(self._jobs[number])
        except OSError:  # it was lost while it had nothing to do, which its pipe will tell too
            return
        waiting.remove(number)
        worker.number = number
        self._started(self._jobs[number])

    def _is_large(self, number: int) -> bool:
        if number not in self._large:
            self._large[number] = _is_large(self._jobs[number])
        return self._large[number]

    def _hire(self) -> _Worker:
        return _Worker(self._context, self._load, self._settings, self._threads)

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        self._failed_starts += not worker.ready

    def _do_without(self, waiting: deque[int]) -> Iterator[tuple[int, Outcome]]:
        """Where no process can be started, such as in a shell's here-document, all is done in this one."""
        restore = self._load(self._settings)
        while waiting:
            number = waiting.popleft()
            self._started(self._jobs[number])
            yield number, restore(self._jobs[number])


def _is_large(job: Job) -> bool:
    """Tell whether a photograph has more than `LARGE_PIXELS`: by its header, or its length where that is not known."""
    if job.source is None or job.done or is_remote(job.source):
        return False
    if not os.path.isfile(job.source):  # a pipe must be read only once
        return False
    try:
        with quiet(), Image.open(job.source) as image:
            return image.width * image.height > LARGE_PIXELS
    except Exception:  # whatever is wrong with it is said when it is read
        return os.path.getsize(job.source) > LARGE_PIXELS


def _lost(job: Job) -> Outcome:
    message = (
        f"{job.name}: the process that restored it was ended twice, by a crash or for want of memory; "
        "reduce the picture, or save it in another format"
    )
    output = None if job.target is None else str(job.target)
    return Outcome({"source": job.name, "output": output, "status": FAILED, "error": message}, [message])


def _free_memory() -> int | None:
    """Bytes that can be taken without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        return None
