"""What a run needs to be repeated: settings, command, versions, machine, and the photographs by their hashes."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from clairvoy import __version__
from clairvoy.apps.outputs import to_json, write_bytes
from clairvoy.errors import FileError, SettingsError

PACKAGES = ("torch", "numpy", "opencv-python-headless", "pillow", "safetensors", "tifffile")
"""Those that a result can depend on."""


def describe(settings: Mapping[str, Any], folders: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """Tell how this run is repeated.

    Parameters
    ----------
    settings
        All of them, defaults included, by name of the part.
    folders
        Files that the run reads, by what they are for.

    Returns
    -------
    dict
        ``command``, ``settings``, ``versions``, ``machine``, and ``data``: count and one hash of each kind of files.
    """
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "settings": dict(settings),
        "versions": versions(),
        "machine": machine(),
        "data": {name: summary(files) for name, files in folders.items()},
    }


def asked(args: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """What the user asked for and a resumed run must share, as JSON holds it."""
    values: dict[str, Any] = json.loads(
        json.dumps({name: getattr(args, name) for name in names}, default=str)
    )
    return values


def refuse_other_settings(folder: Path, now: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings that the run in a folder began with.

    Raises
    ------
    FileError
        There is no run.
    SettingsError
        It began with other values than these.
    """
    try:
        began: dict[str, Any] = json.loads((folder / "settings.json").read_text())
    except (OSError, ValueError) as error:
        raise FileError(
            f"{folder}: no run to resume here (no settings.json that can be read); leave --resume out to begin one"
        ) from error
    for name, value in now.items():
        if value != began.get(name):
            raise SettingsError(
                f"{folder} began with --{name} {began.get(name)}, not {value}; "
                "give the same to resume it, or name another folder"
            )
    return began


def refuse_another_run(
    folder: Path, now: Mapping[str, Any], files: Mapping[str, Sequence[Path]]
) -> dict[str, Any]:
    """Read the settings of a run that is to go on, with the same settings and on the same files.

    A run that goes on with other photographs or another seed would be no run that anybody could repeat.

    Raises
    ------
    FileError
        There is no run, or it read other files.
    SettingsError
        It began with other values than these.
    """
    began = refuse_other_settings(folder, now)
    held = began.get("data")
    if isinstance(held, dict):
        for name, paths in files.items():
            if summary(paths) != held.get(name):
                raise FileError(
                    f"--{name}: not the files that {folder} began with, which its data.json lists; put them back to "
                    "resume it, or name another folder"
                )
    return began


def write_record(
    folder: Path,
    now: Mapping[str, Any],
    settings: Mapping[str, Any],
    files: Mapping[str, Sequence[Path]],
) -> None:
    """Write what a run needs to be repeated: `settings.json`, and `data.json` with the hash of every file it reads.

    Parameters
    ----------
    folder
        Of the run.
    now
        What a resumed run must share, see `asked`.
    settings, files
        See `describe`.
    """
    if files:
        write_bytes(folder / "data.json", to_json({name: listing(paths) for name, paths in files.items()}))
    write_bytes(folder / "settings.json", to_json({**now, **describe(settings, files)}))


def versions() -> dict[str, str | None]:
    """Of clairvoy (with the git commit, where it runs from a clone), Python and the packages it computes with."""
    found: dict[str, str | None] = {
        "clairvoy": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, Any]:
    """What computes; results are the same to the bit only on the same machine with as many threads."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": cuda,
    }


def listing(files: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its path.

    Raises
    ------
    FileError
        A file cannot be read.
    """
    found = {}
    for path in files:
        try:
            with path.open("rb") as file:
                found[str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise FileError(
                f"{path} cannot be read ({error.strerror or error}); remove it or mend it"
            ) from error
    return found


def summary(files: Sequence[Path]) -> dict[str, Any]:
    """Count of files and one hash over the hashes of all, in their order: where they lie plays no part."""
    together = hashlib.sha256()
    for digest in listing(files).values():
        together.update(bytes.fromhex(digest))
    return {"files": len(files), "sha256": together.hexdigest()}


def _commit() -> str | None:
    clone = Path(__file__).resolve().parents[4]
    if not (clone / ".git").exists():
        return None
    try:
        answers = [
            subprocess.run(
                ["git", "-C", str(clone), *words], capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return answers[0] + (" with changes" if answers[1] else "")


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
