"""The files of the page: what lies in `static`, the weights as models for ONNX Runtime Web, and the constants."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

from clairvoy.apps.page.constants import constants_of
from clairvoy.restoring.released import read_released

STATIC = Path(__file__).with_name("static")
GRAPHS = ("perception", "agent")
"""What the page computes by networks."""
_KEPT_SMALL = ".xz"
"""Ending of a file that the package holds compressed by xz, which browsers cannot read; the page gets it by gzip."""
_OFFLINE = "service-worker.js"


def site_files(weights: str | Path = "fast", server: dict[str, Any] | None = None) -> dict[str, bytes]:
    """All files of the page, by their names with slashes.

    They are the same for the same version and weights, byte by byte. A server may hand them out as they are.

    Parameters
    ----------
    weights
        Name or path of released weights.
    server
        What a server behind the page takes, as `static/server_limits.js` describes it; None: there is none.

    Raises
    ------
    WeightsError
        They cannot be read.
    """
    released = read_released(weights)
    files = {
        path.relative_to(STATIC).as_posix(): path.read_bytes()
        for path in sorted(STATIC.rglob("*"))
        if path.is_file()
    }
    for name in [name for name in files if name.endswith(_KEPT_SMALL)]:
        files[f"{name.removesuffix(_KEPT_SMALL)}.gz"] = _gzipped(lzma.decompress(files.pop(name)))
    for graph in GRAPHS:
        files[f"models/{graph}.onnx.gz"] = _gzipped(released.graph(graph))
    files["constants.js"] = _module(
        constants_of(released), "`clairvoy page` from the modules that these stand in"
    )
    if server is not None:
        files["server_limits.js"] = _module(server, "`clairvoy serve` from its options")
    files[_OFFLINE] += _what_to_keep(files)
    return dict(sorted(files.items()))


def _what_to_keep(files: dict[str, bytes]) -> bytes:
    """The call at the end of the service worker: what to keep, and under which name, which changes with any file."""
    kept = [name for name in sorted(files) if name != _OFFLINE]
    digest = hashlib.sha256()
    for name in [_OFFLINE, *kept]:
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return f"\nserveOffline({json.dumps(digest.hexdigest()[:16])}, {json.dumps(kept)});\n".encode()


def _module(values: dict[str, Any], writer: str) -> bytes:
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return f"// Written by {writer}.\nexport default {text};\n".encode()


def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)
