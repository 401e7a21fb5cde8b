"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write to a name beside `path`, then rename; the rights of a file that was there are kept.

    Raises
    ------
    OSError
        If the folder is missing or the disk refuses; nothing is left behind then.
    """
    part = path.with_name(f".clairvoy-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
