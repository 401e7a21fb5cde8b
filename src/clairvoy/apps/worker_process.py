"""A process that does one job after another, told through a pipe; what ends it costs no more than its job.

Processes and not threads: decoders written in C can crash, work can be stopped, and the system ends whoever takes the last
memory.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

_SECONDS_TO_END = 5.0

Load = Callable[[Any], Callable[[Any], Any]]
"""Makes of settings what does the jobs, in the process in which it works. It is imported there by its name; an attribute
``imports`` names modules that take long to import."""


def process_context(load: Load) -> Any:
    """What starts processes; imports are done once, in a process that the workers are then copies of."""
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload([load.__module__, *getattr(load, "imports", ())])
    return context


class WorkerProcess:
    """A process that works. It sends None when it is ready, then the outcome of each job, or the exception it ended with.

    Parameters
    ----------
    context
        From `process_context`.
    load, settings
        What does the jobs, and how.
    threads
        To compute with.
    """

    def __init__(self, context: Any, load: Load, settings: Any, threads: int) -> None:
        mine, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, settings, load, threads), daemon=True)
        process.start()
        theirs.close()
        self.process: BaseProcess = process
        self.pipe: Connection = mine

    def end(self) -> None:
        """Wait until it has ended; it is killed if that takes long. Close the pipe, or terminate the process, before."""
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(pipe: Connection, settings: Any, load: Load, threads: int) -> None:
    """Do what comes through the pipe until it is closed: the life of a worker."""
    # Ctrl-C reaches all processes of a terminal; the first decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    _end_with(multiprocessing.parent_process())
    _use_threads(threads)
    try:
        try:
            work = load(settings)
        except Exception as error:
            pipe.send(error)
            return
        pipe.send(None)
        while True:
            job = pipe.recv()
            try:
                outcome = work(job)
            except Exception as error:
                outcome = error
            pipe.send(outcome)
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _stop(signum: int, frame: FrameType | None) -> None:
    # An exception and not an end at once: files that are being written are taken away on the way out.
    raise KeyboardInterrupt


def _end_with(parent: Any) -> None:
    """End this process when its parent ends, however that happens: nobody waits for what it does then."""

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()


def _use_threads(count: int) -> None:
    """Share the cores among the workers."""
    import cv2

    from clairvoy.restoring.sessions import threads

    os.environ["OMP_NUM_THREADS"] = str(min(count, threads()))
    cv2.setNumThreads(count)
