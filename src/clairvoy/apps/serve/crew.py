"""The processes that restore, and the places of those who wait for one: as many as were agreed, and no more.

Whoever sends a picture takes a place before the first byte of it is read, and gives it back when the answer has gone. So
what the server holds in memory is bounded, whatever is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from clairvoy.apps.serve.uploads import Answer, Model, Upload
from clairvoy.apps.worker_process import Load, WorkerProcess, cores, process_context

T = TypeVar("T")

SECONDS_BETWEEN_STARTS = 1.0
"""After a process that did not begin, the next one is tried."""


class FullError(Exception):
    """All places are taken."""


class TooSlowError(Exception):
    """The work on a picture took longer than it may; it was stopped."""


class LostError(Exception):
    """The process that worked on a picture was lost, by a crash or for want of memory."""


class Crew:
    """Processes that restore uploads.

    Parameters
    ----------
    load
        What does the work in each process, made of a `Model`.
    model
        What it is made of.
    count
        Processes.
    queue
        How many may wait besides those that are worked on.
    """

    def __init__(self, load: Load, model: Model, count: int, queue: int) -> None:
        self.model, self.count, self.places = model, count, count + queue
        self.taken = 0
        """Places."""
        self.lost = 0
        """Processes that were ended or lost while they worked."""
        self.cannot_start = False
        """The last process that was to begin did not; the next is tried."""
        self._load, self._threads = load, max(1, cores() // count)
        self._context = process_context(load)
        self._workers: set[WorkerProcess] = set()
        self._idle: asyncio.Queue[WorkerProcess] = asyncio.Queue()
        self._waiting_threads = ThreadPoolExecutor(2 * count, "clairvoy-worker")
        self._starts: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> int:
        """Processes that work, or could."""
        return len(self._workers)

    @property
    def working(self) -> int:
        """Processes that work."""
        return self.alive - self._idle.qsize()

    async def start(self) -> None:
        """Start all processes and wait until they have loaded the model.

        Raises
        ------
        ClairvoyError
            What a process says of weights and device.
        LostError
            A process ended before it began.
        """
        await asyncio.gather(*(self._hire() for _ in range(self.count)))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place.

        Raises
        ------
        FullError
            There is none.
        """
        if self.taken >= self.places:
            raise FullError
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def restore(self, upload: Upload) -> Answer:
        """Restore an upload by the next process that is free. Cancelled, the work is stopped.

        Raises
        ------
        ClairvoyError
            What is wrong with the picture.
        TooSlowError, LostError
            See there.
        """
        worker = await self._idle.get()
        while not worker.process.is_alive():  # lost while it had nothing to do
            self._let_go(worker)
            worker = await self._idle.get()
        try:
            async with asyncio.timeout(self.model.limits.seconds):
                outcome = await self._in_thread(_ask, worker, upload)
        except BaseException as error:  # also when it is cancelled: who asked has gone
            self.lost += 1
            self._let_go(worker)
            if isinstance(error, TimeoutError):
                raise TooSlowError from error
            raise
        self._idle.put_nowait(worker)
        if isinstance(outcome, Exception):
            raise outcome
        answer: Answer = outcome
        return answer

    async def dismiss(self) -> None:
        """End all processes."""
        for start in self._starts:
            start.cancel()
        workers, self._workers = self._workers, set()
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            await asyncio.to_thread(worker.end)
            worker.pipe.close()
        self._waiting_threads.shutdown(wait=False)

    async def _hire(self) -> None:
        worker = await self._in_thread(WorkerProcess, self._context, self._load, self.model, self._threads)
        self._workers.add(worker)
        try:
            first = await self._in_thread(_hear, worker)
            if isinstance(first, Exception):
                raise first
        except BaseException:
            self._workers.discard(worker)
            worker.process.kill()
            raise
        self._idle.put_nowait(worker)

    def _let_go(self, worker: WorkerProcess) -> None:
        """End a process, whatever it does, and start another one."""
        self._workers.discard(worker)
        worker.process.kill()
        task = asyncio.get_running_loop().create_task(self._start_again(worker))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _start_again(self, instead_of: WorkerProcess) -> None:
        await asyncio.to_thread(instead_of.end)
        instead_of.pipe.close()
        while True:
            try:
                await self._hire()
                self.cannot_start = False
                return
            except Exception:  # of any kind: a full memory, a missing file; the next try may do
                self.cannot_start = True
            await asyncio.sleep(SECONDS_BETWEEN_STARTS)

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._waiting_threads, function, *arguments)


def _ask(worker: WorkerProcess, upload: Upload) -> Any:
    try:
        worker.pipe.send(upload)
    except OSError as error:
        raise LostError from error
    return _hear(worker)


def _hear(worker: WorkerProcess) -> Any:
    try:
        return worker.pipe.recv()
    except (EOFError, OSError) as error:
        raise LostError from error
