"""What lies in a folder: photographs by their suffix, and what is none."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from clairvoy.errors import FileError
from clairvoy.imaging.formats.recognition import READ_SUFFIXES, SUPPORTED
from clairvoy.storage.remote import files_below, is_remote, place


@dataclass
class Contents:
    """What was found in a folder; hidden files and folders (name begins with a dot) are passed over."""

    photographs: list[Path] = field(default_factory=list)
    """Files whose suffix stands for a format that can be read, sorted; the paths begin with the folder's."""
    others: list[Path] = field(default_factory=list)
    """Everything else that is no folder, sorted."""
    unreadable: list[tuple[Path, OSError]] = field(default_factory=list)
    """Folders that could not be looked into, and why."""


def contents_of(folder: str | Path, *, recursive: bool = False) -> Contents:
    """Sort what lies in a folder.

    Parameters
    ----------
    folder
        Folder to look in, or the address of one.
    recursive
        Look in the folders below as well; links to folders are not followed.

    Raises
    ------
    FileError
        When there is no such folder, or it cannot be looked into.
    """
    root = place(folder)
    if is_remote(root):
        return _contents_elsewhere(root, recursive)
    if not os.path.isdir(root):
        remedy = (
            "it is a file; give its folder"
            if os.path.exists(root)
            else "there is no such folder; check the path"
        )
        raise FileError(f"{root}: {remedy}")
    found = Contents()

    def failed(error: OSError) -> None:
        if Path(error.filename) == root:
            raise FileError(
                f"{root}: cannot be looked into ({error.strerror}); check its permissions"
            ) from error
        found.unreadable.append((Path(error.filename), error))

    for parent, folders, names in os.walk(root, onerror=failed):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            # os.path.isfile, because Path.is_file raises for names that are too long and for what may not be looked at.
            readable = path.suffix.lower() in READ_SUFFIXES and os.path.isfile(path)
            (found.photographs if readable else found.others).append(path)
    found.photographs.sort()
    found.others.sort()
    return found


def _contents_elsewhere(folder: Path, recursive: bool) -> Contents:
    found = Contents()
    for path in files_below(folder, recursive=recursive):
        (found.photographs if path.suffix.lower() in READ_SUFFIXES else found.others).append(path)
    return found


def find_photographs(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """Files in a folder that look like photographs by their suffix.

    Parameters
    ----------
    folder, recursive
        As for `contents_of`.

    Returns
    -------
    list of Path
        Paths that begin with `folder`, sorted.

    Raises
    ------
    FileError
        When there is no such folder or no photograph in it.
    """
    found = contents_of(folder, recursive=recursive).photographs
    if not found:
        raise FileError(nothing_found(Path(folder), recursive))
    return found


def nothing_found(folder: Path, recursive: bool) -> str:
    """The message for a folder without photographs."""
    remedy = "give another folder" if recursive else "give another folder, or look below it with recursive"
    return f"{folder}: no {SUPPORTED} file here, nor another that can be read; {remedy}"
