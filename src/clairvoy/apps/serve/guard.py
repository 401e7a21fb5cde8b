"""Around every request: who may ask, what a browser may do with the answer, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clairvoy.apps.serve.metrics import Metrics
from clairvoy.apps.serve.problems import problem

SAFE = {
    # What is sent back may be the upload itself: nothing in it is ever to be run.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses names of hosts that are not meant, adds headers, counts requests.

    The check of the name keeps out pages of other sites whose own name was made to point at this machine (DNS rebinding).

    Parameters
    ----------
    app
        What answers.
    hosts
        Names that the server may be called by, without ports; None is any.
    metrics
        Where requests are counted.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None, metrics: Metrics) -> None:
        self.app, self.hosts, self.metrics = app, hosts, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SAFE.items():
                    headers.setdefault(name, value)  # the page says itself what it may do
            if message["type"] == "http.response.body" and message.get("body"):
                # The last message waits until what was sent before has gone: only then is the place of a picture free.
                await send({**message, "more_body": True})
                message = {**message, "body": b""}
            await send(message)

        app = self.app if self._is_meant(Headers(scope=scope)) else _not_meant
        try:
            await app(scope, receive, guarded)
        finally:
            self.metrics.count(_route(scope), status, time.perf_counter() - begun)

    def _is_meant(self, headers: Headers) -> bool:
        return self.hosts is None or host_name(headers.get("host", "")) in self.hosts


def host_name(host: str) -> str:
    """The name in a Host header, without the port; an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _route(scope: Scope) -> str:
    """The path as it was declared: what clients make up must not become names of metrics."""
    return getattr(scope.get("route"), "path", "other")


async def _not_meant(scope: Scope, receive: Receive, send: Send) -> None:
    name = Headers(scope=scope).get("host", "")
    answer = problem(
        HTTPStatus.MISDIRECTED_REQUEST,
        f"this server is not called {name!r}; start it with --allow-host NAME if it shall be",
    )
    await answer(scope, receive, send)
