"""Ctrl-C in a training: the round that runs is finished first, so that the whole state can be saved behind it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType


class Interrupts:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.pressed = False

    def check(self) -> None:
        """Call it between two rounds.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C was pressed during the last one.
        """
        if self.pressed:
            raise KeyboardInterrupt


@contextmanager
def interrupts_between_rounds() -> Iterator[Interrupts]:
    """Hold a Ctrl-C back until `Interrupts.check`; the second one takes effect at once.

    An interrupt inside a round leaves networks, history and environment at odds with each other, and nothing to resume
    from. Outside of the main thread signals are not ours, and nothing is held back.
    """
    interrupts = Interrupts()
    before = signal.getsignal(signal.SIGINT)
    # Only what Python does by default is put off: a handler of somebody else's stays.
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield interrupts
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.pressed = True
        signal.signal(signal.SIGINT, before)
        # Not by print: what runs may be printing itself.
        with suppress(OSError, ValueError, AttributeError):
            os.write(sys.stderr.fileno(), b"\nfinishing this update first; Ctrl-C again stops at once\n")

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def say_stopped(checkpoint: Path, done: str, interrupts: Interrupts, *, in_time: bool) -> int:
    """Say how far a run came that was stopped; the exit code, 0 where a time limit ended it and 130 after Ctrl-C.

    Parameters
    ----------
    checkpoint
        What the run goes on from, if it was written.
    done
        How much of what is done, such as "40 of 100 updates".
    interrupts
        Of this run.
    in_time
        Whether there was a time limit.
    """
    if not checkpoint.exists():
        print("stopped inside a round, before anything was saved; begin again", file=sys.stderr)
        return 130
    print(f"stopped after {done}; continue with --resume", file=sys.stderr)
    return 0 if in_time and not interrupts.pressed else 130
