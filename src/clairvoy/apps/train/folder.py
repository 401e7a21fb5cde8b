"""The folder of a run: one run at a time writes there, and what it learnt is never lost for want of room."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from clairvoy.errors import ClairvoyError, FileError

LOCK = ".running"
"""File that is locked, and there, as long as a run writes into the folder."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep every other run out of a folder, which is made if it is missing.

    The system lets go of the lock when a run ends, in whatever way: what a killed one leaves keeps nobody out.

    Raises
    ------
    FileError
        Another run writes there, or the folder cannot be written to.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    except OSError as error:
        raise FileError(
            f"{folder} cannot be written ({error.strerror or error}); choose another place"
        ) from error
    if file is None:
        raise FileError(
            f"{folder}: another run writes there now ({_whose(path)}); wait for its end, or name another folder"
        )
    try:
        yield
    finally:
        # Unlinked before it is let go: whoever waits for it finds that it is gone, and makes a new one.
        with suppress(OSError):
            path.unlink()
        file.close()


def _locked(path: Path) -> IO[str] | None:
    """The file, locked; None if somebody else holds it."""
    while True:
        file = path.open("a+")
        if not _lock(file):
            file.close()
            return None
        with suppress(OSError):
            if os.name == "nt" or os.stat(path).st_ino == os.fstat(file.fileno()).st_ino:
                file.truncate(0)
                file.write(f"process {os.getpid()}")
                file.flush()
                return file
        file.close()  # It was another's, who has taken it away meanwhile.


def _lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _whose(path: Path) -> str:
    try:
        return path.read_text() or "it does not say which"
    except OSError:
        return "it does not say which"


def refuse_a_second_run(folder: Path, resume: bool, *held: Path) -> None:
    """Refuse to begin a run where one has been, unless it is to go on.

    Parameters
    ----------
    folder
        Of the run.
    resume
        Whether it is to go on.
    held
        Files that only a run leaves there.

    Raises
    ------
    FileError
        One of them is there.
    """
    if not resume and any(path.exists() for path in held):
        raise FileError(f"{folder}: holds a run already; add --resume to continue it, or name another folder")


def keep_result(path: Path, write: Callable[[Path], None]) -> None:
    """Write what a training came to; where that fails, into another folder, so that it is not lost.

    Parameters
    ----------
    path
        Where it belongs.
    write
        Writes it into a file, whole or not at all.

    Raises
    ------
    FileError
        It could not be written there; the message says where it is instead.
    """
    try:
        write(path)
        return
    except (OSError, ClairvoyError) as error:
        # What the disk said, and not the advice to choose another place: that is done here.
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        why = cause.strerror or cause if isinstance(cause, OSError) else cause
    name = f"{path.resolve().parent.name}-{path.name}"
    for folder in (Path.home(), Path(tempfile.gettempdir())):
        try:
            write(folder / name)
        except (OSError, ClairvoyError):
            continue
        raise FileError(
            f"{path} cannot be written ({why}); what was trained is in {folder / name}"
        ) from cause
    raise FileError(
        f"{path} cannot be written ({why}), and no other place was found; make room and add --resume: the run goes on from "
        "its last checkpoint"
    ) from cause
