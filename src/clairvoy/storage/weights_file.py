"""A file of weights: named tensors, and a header of strings that says what they are. The format is safetensors.

Whatever is saved here (a dehazer, a world, a scenario, an agent, a history) is written whole or not at all, says of what
kind it is and which version wrote it, and is refused by name where another kind was asked for. Writing needs torch;
reading gives tensors or, without torch, NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from safetensors import SafetensorError, safe_open

from clairvoy._version import __version__
from clairvoy.errors import ClairvoyError, FileError, WeightsError
from clairvoy.storage.atomic import replacing

if TYPE_CHECKING:
    from torch import Tensor


class Weights(NamedTuple):
    """What a file holds."""

    header: dict[str, str]
    """``format`` and ``version`` among it."""
    tensors: dict[str, Any]
    """On the CPU; or arrays, see `read_weights`."""


def write_weights(
    path: Path, kind: str, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None
) -> None:
    """Write tensors and a header, whole or not at all, in a folder that is made if it is missing.

    Parameters
    ----------
    path
        The file.
    kind
        Name of the format, such as ``clairvoy-agent-1``.
    tensors
        From any device; two of them may share memory.
    header
        Anything else to be said of them.

    Raises
    ------
    FileError
        The disk refuses; what was there before is whole.
    """
    from safetensors.torch import save_file

    held, storages = {}, set()
    for name, value in tensors.items():
        value = value.detach().cpu().contiguous()
        # Each name is written by itself, and so needs memory of its own; all others would be copied for nothing.
        where = value.untyped_storage().data_ptr()
        held[name] = value.clone() if where in storages else value
        storages.add(where)
    metadata = {"format": kind, "version": __version__, **(header or {})}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.touch()
            rights = (
                part.stat().st_mode
            )  # those of any new file here; safetensors would make it its owner's alone
            save_file(held, part, metadata=metadata)
            part.chmod(rights)
    except (OSError, SafetensorError) as error:
        why = error.strerror or error if isinstance(error, OSError) else error
        raise FileError(f"{path} cannot be written ({why}); choose another place") from error


def read_weights(
    path: Path,
    kind: str,
    remedy: str,
    *,
    header_only: bool = False,
    arrays: bool = False,
    error: type[ClairvoyError] = WeightsError,
) -> Weights:
    """Read what `write_weights` wrote.

    Parameters
    ----------
    path
        The file.
    kind
        What it must be of.
    remedy
        What to do if it is not, such as "give a file of Agent.save".
    header_only
        Read no tensors.
    arrays
        Read NumPy arrays, which needs no torch.
    error
        Raised where it is not.

    Raises
    ------
    ClairvoyError
        Of the kind `error`: no such file, not readable, or of another kind.
    """
    try:
        with safe_open(str(path), framework="np" if arrays else "pt") as file:
            header: dict[str, str] = file.metadata() or {}
            names = [] if header_only or header.get("format") != kind else list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as problem:
        raise error(f"{path}: cannot be read ({problem}); {remedy}") from problem
    if header.get("format") != kind:
        raise error(f"{path}: of format {header.get('format', 'none')!r}, not {kind!r}; {remedy}")
    return Weights(header, tensors)


def of_part(tensors: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The tensors of one part, whose names begin with its own and a full stop, which is taken off."""
    begin = f"{name}."
    return {key[len(begin) :]: value for key, value in tensors.items() if key.startswith(begin)}
