"""Writing a file so that it is there whole or not at all, whatever happens to the process meanwhile."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".part"


def replace_file(path: Path, data: bytes) -> None:
    """Write to a name beside `path`, then rename; the rights of a file that was there are kept.

    A symbolic link stays one: what it points to is written.

    Raises
    ------
    OSError
        If the folder is missing or the disk refuses; nothing is left behind then.
    """
    with replacing(path) as part, part.open("xb") as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; at the end of the block that file takes the place of `path`.

    Where the block fails, the file is removed and `path` is what it was. Rights and links are kept as in `replace_file`.

    Raises
    ------
    OSError
        If the folder is missing or the disk refuses; nothing is left behind then.
    """
    part = Path(os.path.realpath(path)).with_name(part_name())
    try:
        yield part
        move_into_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def move_into_place(part: Path, path: Path) -> None:
    """Rename a finished file of the same disk, once the disk has it whole; rights and links are kept."""
    path = Path(os.path.realpath(path))
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    if path.exists():
        shutil.copymode(path, part)
    os.replace(part, path)


def part_name() -> str:
    """Name for something that is not finished: hidden, and it tells which process works on it."""
    return f"{_prefix()}{os.getpid()}-{secrets.token_hex(8)}{_SUFFIX}"


def remove_abandoned_parts(folders: Iterable[Path]) -> None:
    """Remove what processes of this machine left unfinished in these folders because they were killed.

    Folders that are missing or cannot be read are passed over. On Windows nothing is removed: there is no harmless way to
    ask whether a process lives.
    """
    if os.name != "posix":
        return
    for folder in folders:
        with suppress(OSError):
            for part in [Path(entry) for entry in os.scandir(folder) if entry.name.startswith(_prefix())]:
                process = part.name.removeprefix(_prefix()).partition("-")[0]
                if not part.name.endswith(_SUFFIX) or not process.isdigit() or _lives(int(process)):
                    continue
                with suppress(OSError):
                    shutil.rmtree(part) if part.is_dir() else part.unlink()


def _prefix() -> str:
    # Folders can be shared by machines, and the number of a process means something on its own machine only.
    return f".clairvoy-{zlib.crc32(platform.node().encode()):08x}-"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
