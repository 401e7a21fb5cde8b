"""The page of `clairvoy page`, handed out by the server: made in memory when somebody first asks for it."""

from __future__ import annotations

import asyncio
import mimetypes
from typing import Any

from fastapi import FastAPI, HTTPException, Response

from clairvoy.apps.page.site import site_files
from clairvoy.apps.serve.uploads import Limits, Model
from clairvoy.imaging.formats.recognition import READ_SUFFIXES

INDEX = "index.html"
_POLICY = {"Content-Security-Policy": "frame-ancestors 'none'", "Cache-Control": "no-cache"}
"""What else the page may do it says itself."""
_TYPES = {
    ".js": "text/javascript",
    ".json": "application/json",
    ".gz": "application/gzip",
    ".svg": "image/svg+xml",
}
"""That the system's table may lack or say otherwise."""


def add_page(app: FastAPI, model: Model, token: bool) -> None:
    """Let an application answer with the page at ``/``, and with its files below; after all other ways are there.

    The page is told what the server takes, and offers to send it what the browser cannot restore.

    Parameters
    ----------
    app
        The application.
    model
        Its weights and limits.
    token
        Clients have to show one.
    """
    files: dict[str, bytes] = {}
    made = asyncio.Lock()
    others = {getattr(route, "path", "") for route in app.routes}

    @app.get("/{name:path}", include_in_schema=False)
    async def page(name: str) -> Response:
        if f"/{name}" in others:  # it is there, and takes another method
            raise HTTPException(405)
        async with made:
            if not files:
                files.update(await asyncio.to_thread(site_files, model.weights, _told(model.limits, token)))
        wanted = name or INDEX
        if wanted not in files:
            raise HTTPException(404)
        return Response(files[wanted], media_type=media_type(wanted), headers=_POLICY)


def _told(limits: Limits, token: bool) -> dict[str, Any]:
    """What the page is told, see `static/server_limits.js`."""
    suffixes = {suffix: kind for suffix, kind in READ_SUFFIXES.items() if kind in limits.formats}
    return {"bytes": limits.bytes, "pixels": limits.pixels, "suffixes": suffixes, "token": token}


def media_type(name: str) -> str:
    """Of a file, by its name."""
    suffix = name[name.rindex(".") :] if "." in name else ""
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
