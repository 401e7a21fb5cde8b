"""Files that a command writes: checked before the work begins, and never half there."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clairvoy.errors import FileError
from clairvoy.storage import remote
from clairvoy.storage.atomic import replace_file


def check_writable(paths: Iterable[Path]) -> None:
    """Make sure that each of `paths` can become a file later; leaves nothing behind.

    Folders that are still missing are fine, :func:`write_bytes` makes them.

    Raises
    ------
    FileError
        If a path is a folder, or its nearest existing parent is no folder that one can write to.
    """
    paths = list(paths)
    remote.check_writable(path for path in paths if remote.is_remote(path))
    tried = set()
    for path in (path for path in paths if not remote.is_remote(path)):
        if path.is_dir():
            raise FileError(f"{path} is a folder; name a file in it")
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        if folder in tried:
            continue
        tried.add(folder)
        try:
            # A trial, because permission bits say nothing about a read-only disk, a quota or an access list.
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise FileError(
                f"{path} cannot be written ({error.strerror or error}); choose another place"
            ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, in a folder that is made if it is missing.

    Raises
    ------
    FileError
        If the disk, or the store of an address, refuses.
    """
    if remote.is_remote(path):
        remote.write_whole(path, data)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written ({error.strerror or error}); choose another place"
        ) from error


def to_json(value: Any) -> bytes:
    """Encode `value` as strict JSON: infinity and NaN, which JSON does not have, become null."""
    return (json.dumps(finite(value), indent=2, allow_nan=False) + "\n").encode()


def finite(value: Any) -> Any:
    """The same without infinity and NaN, which become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
