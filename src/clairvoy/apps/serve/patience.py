"""A connection is kept only so long for a client that is slow: to send the head of a request, and to fetch an answer.

The body of a request has a time limit of its own, in `application`; uvicorn has none for the other two.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that gives up on slow clients."""

    seconds: ClassVar[float] = 60.0
    """For the head of a request, and for an answer."""

    _head: asyncio.TimerHandle | None = None
    _answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the head of a request."""
        super().connection_made(transport)
        self._wait_for_head()

    def on_response_complete(self) -> None:
        """Wait for the next one."""
        self._wait_for_head()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The answer does not go through: it has the given time to do so."""
        super().pause_writing()  # type: ignore[no-untyped-call,unused-ignore]
        self._answer = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has gone through."""
        self._stop(self._answer)
        super().resume_writing()  # type: ignore[no-untyped-call,unused-ignore]

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop(self._head, self._answer)
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._stop(self._head)
        self._head = self.loop.call_later(self.seconds, self._give_up)

    def _give_up(self) -> None:
        # A request whose head came is in the hands of the application until its answer is complete.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()

    @staticmethod
    def _stop(*timers: asyncio.TimerHandle | None) -> None:
        for timer in timers:
            if timer is not None:
                timer.cancel()
