"""Files that lie on object stores and servers, named by an address such as ``s3://bucket/photos``.

fsspec reaches them (S3, Google Cloud, Azure, SFTP, SMB, WebHDFS, HTTP and more), and `universal_pathlib` makes its files
look like those of `pathlib`. So a name becomes a `place`, once, and the rest of the house joins, compares and sends it as
it does a `Path`. What reads and writes is here.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

from clairvoy.errors import ClairvoyError, FileError, SettingsError
from clairvoy.storage.atomic import part_name

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)(::|://)", re.IGNORECASE)
_LOCAL = re.compile(r"(file|local)://", re.IGNORECASE)
APPEAR_WHOLE = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "tos", "memory"}
)
"""Object stores: an object is there when all of it has arrived, and there are no folders to make."""


def is_remote(name: str | Path) -> bool:
    """Whether this is, or names, something that lies elsewhere; ``file://`` does not."""
    if isinstance(name, PurePath):
        return False
    text = str(name)
    return _ADDRESS.match(text) is not None and _LOCAL.match(text) is None


def place(name: str | Path) -> Path:
    """The path that a name stands for: a `Path`, or for an address a `upath.UPath`, which does what a `Path` does.

    Raises
    ------
    SettingsError
        The library for such addresses is missing, or nobody knows this kind.
    """
    if not isinstance(name, str):
        return name
    if not is_remote(name):
        return Path(_LOCAL.sub("", name, count=1))
    try:
        from upath import UPath
    except ImportError as error:
        raise SettingsError(
            f"{name}: addresses need a library that is not installed: pip install 'clairvoy[remote]'"
        ) from error
    with _reaching(name), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it has nothing special for some kinds of store
        path: Any = UPath(name.rstrip("/"))
        path.fs  # noqa: B018 - loads what speaks to such a store, or says what is missing
    there: Path = path
    return there


def is_folder(name: str | Path) -> bool:
    """Whether there is a folder of this name, here or elsewhere.

    Raises
    ------
    FileError, SettingsError
        The store cannot be asked.
    """
    if not is_remote(name):
        return os.path.isdir(place(name))  # which takes any name, where Path.is_dir raises for one too long
    path = place(name)
    with _reaching(path):
        return path.is_dir()


def read_whole(path: Path, most: int) -> bytes:
    """The contents of a remote file.

    Raises
    ------
    FileError
        It is missing, cannot be read, or has more than `most` bytes.
    """
    store: Any = path
    with _reaching(path):
        size = store.fs.size(store.path)
        if size is not None and size > most:
            raise FileError(f"{path} has {size:,} bytes, more than the {most:,} that are read")
        return bytes(store.fs.cat_file(store.path))


def opened(path: Path) -> Any:
    """A remote file, opened for reading and seeking.

    Raises
    ------
    FileError
        It is missing, or cannot be reached.
    """
    with _reaching(path):
        return path.open("rb")


def write_whole(path: Path, data: bytes) -> None:
    """Write a remote file that is there whole or not at all.

    An object store shows an object when all of it has arrived. On other servers a file is written beside its place
    and renamed.

    Raises
    ------
    FileError
        The store refuses.
    """
    store: Any = path
    _send(store, lambda name: store.fs.pipe_file(name, data))


@contextmanager
def sent_to(path: Path, suffix: str) -> Iterator[Path]:
    """Give a name on this machine to write to; at the end of the block that file is sent to the remote `path`, as a whole.

    Where the block fails nothing is sent.

    Raises
    ------
    FileError
        The store refuses.
    """
    store: Any = path
    with TemporaryDirectory(prefix="clairvoy-") as folder:
        here = Path(folder, f"whole{suffix}")
        yield here
        _send(store, lambda name: store.fs.put_file(str(here), name))


def _send(store: Any, send: Callable[[str], object]) -> None:
    with _reaching(store):
        if store.protocol in APPEAR_WHOLE:
            send(store.path)
            return
        store.fs.makedirs(store.parent.path, exist_ok=True)
        part = store.with_name(part_name())
        try:
            send(part.path)
            store.fs.mv(part.path, store.path)
        except BaseException:
            if store.fs.exists(part.path):
                store.fs.rm_file(part.path)
            raise


def check_writable(paths: Iterable[Path]) -> None:
    """Try once for each bucket or server whether a file can be written where these are to be; nothing stays behind.

    Raises
    ------
    FileError
        One is a folder, or its place refuses.
    """
    tried = set()
    for path in paths:
        store: Any = path
        with _reaching(path):
            if (where := (store.protocol, store.parts[:2])) in tried:
                continue
            tried.add(where)
            if store.is_dir():
                raise FileError(f"{path} is a folder; name a file in it")
            folder = store.parent
            while store.protocol not in APPEAR_WHOLE and not folder.exists() and folder != folder.parent:
                folder = folder.parent
            trial = folder / part_name()
            trial.fs.pipe_file(trial.path, b"")
            trial.fs.rm_file(trial.path)


def present(paths: Iterable[Path]) -> set[Path]:
    """Those of remote `paths` that are there; a folder is listed once, however many of its files are asked for."""
    folders: dict[Any, list[Path]] = defaultdict(list)
    for path in paths:
        folders[path.parent].append(path)
    found = set()
    for folder, wanted in folders.items():
        with _reaching(folder):
            folder.fs.invalidate_cache()  # another process may have written since
            try:
                names = {name.rpartition("/")[2] for name in folder.fs.ls(folder.path, detail=False)}
            except FileNotFoundError:
                names = set()
        found |= {path for path in wanted if path.name in names}
    return found


def files_below(folder: Path, *, recursive: bool) -> list[Path]:
    """The files of a remote folder, sorted; those whose name, or a folder's, begins with a dot are passed over."""
    store: Any = folder
    with _reaching(folder):
        store.fs.invalidate_cache()
        names = store.fs.find(store.path, maxdepth=None if recursive else 1, detail=False)
    root = store.path.rstrip("/")
    inner = [name.removeprefix(root).strip("/") for name in sorted(names)]
    return [
        store / name for name in inner if name and not any(part.startswith(".") for part in name.split("/"))
    ]


@contextmanager
def _reaching(path: str | Path) -> Iterator[None]:
    """Give what a store's library raises, of whatever type, as an error that names the address and the remedy."""
    try:
        yield
    except ClairvoyError:
        raise
    except ImportError as error:
        raise SettingsError(f"{path}: addresses of this kind need a package more: {error}") from error
    except FileNotFoundError as error:
        raise FileError(f"{path}: there is no such file; check the address") from error
    except Exception as error:
        # Each store has a library of its own, and each library errors of its own: botocore's are no OSError, say.
        message = str(error) or type(error).__name__
        raise FileError(f"{path} cannot be reached ({message}); check the address and the rights") from error
