"""Limits and progress of one attempt, and the timer that enforces the limits of all attempts of a session."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

from kfq_async.transport.body import read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import ClientResponse
    from yarl import URL

    from kfq_async.config import Timeouts
    from kfq_async.errors import KfqError
    from kfq_async.transport.arrivals import Arrivals
    from kfq_async.transport.limits import Permit

__all__ = ["Attempt", "DeadlineTimer", "current_attempt"]

INTERVAL = 0.05
"""Seconds between two checks of the deadlines. An attempt expires one to two intervals after its deadline."""


class Attempt:
    """Limits and progress of one attempt; times are those of the event loop.

    ``total_at`` is the end of the whole call, ``cancelling`` the task's count of cancellations when the call began, and
    ``permit`` that of a rate-limited operation, released when the attempt has its connection.
    ``scope`` is an `asyncio.timeout` without a deadline. The `DeadlineTimer` expires it, so that the standard library
    does the bookkeeping of cancellation: a cancellation from outside always wins.
    """

    __slots__ = (
        "_arrivals",
        "_attempt_timeout",
        "_cancelling",
        "_connected_at",
        "_expires_at",
        "_late",
        "_permit",
        "_total_at",
        "_transport",
        "closed",
        "connected",
        "connecting",
        "proxy",
        "query_credentials",
        "scope",
        "total_expired",
        "unwritten",
    )

    receive: Callable[[ClientResponse], Awaitable[bytes | None]] = staticmethod(read_body)
    """Receives a response, and returns its body, or ``None`` if that is too long."""

    def __init__(
        self, timeouts: Timeouts, *, total_at: float, cancelling: int = 0, permit: Permit | None = None
    ) -> None:
        now = asyncio.get_running_loop().time()
        self.scope: asyncio.Timeout = asyncio.timeout(None)
        self.connecting: bool = False
        """Whether a connection was requested from the connector; a mock responds without one."""
        self.connected: bool = False
        """Whether the attempt has its connection."""
        self.unwritten: bool = False
        """Whether the attempt has a connection, and it is certain that nothing was written to it."""
        self.closed: bool = False
        """Whether the session was closed during the attempt."""
        self.proxy: URL | None = None
        """URL of the proxy, if the connection goes through one."""
        self.query_credentials: str | None = None
        """Credentials that the connector adds to the query, unseen by aiohttp."""
        self.total_expired: bool = now >= total_at
        """Whether ``total`` expired, as opposed to ``attempt``."""
        self._total_at = total_at
        self._attempt_timeout = timeouts.attempt
        self._expires_at = min(total_at, now + timeouts.connect + timeouts.attempt)
        self._late = False
        self._cancelling = cancelling
        self._permit = permit
        self._transport: asyncio.Transport | None = None
        self._arrivals: Arrivals | None = None

    @property
    def may_have_sent(self) -> bool:
        """Whether bytes of the request may have been sent; in doubt, they may."""
        return not self.unwritten and (self.connected or not self.connecting)

    @property
    def remaining(self) -> float:
        """Seconds until the limit of an attempt that has its connection is over, ``total`` aside; at least 0."""
        return max(0.0, self._connected_at + self._attempt_timeout - asyncio.get_running_loop().time())

    @property
    def failure(self) -> KfqError | None:
        """Error with which a file ended the attempt, if it did."""
        return None

    @property
    def stalled(self) -> bool:
        """Whether the attempt expired because no byte of a file travelled."""
        return False

    @property
    def cancelled(self) -> bool:
        """Whether the attempt's task was cancelled since the attempt began, by its scope or from outside."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > self._cancelling

    def mark_connected(
        self, now: float, transport: asyncio.Transport | None = None, arrivals: Arrivals | None = None
    ) -> None:
        """Start the attempt timeout, and release the permit: from now on bytes may be sent."""
        self.connected = True
        self._connected_at = now
        self._transport = transport
        self._arrivals = arrivals
        if arrivals is not None and arrivals.over_tls:
            arrivals.user = self
        self._expires_at = min(self._total_at, now + self._attempt_timeout)
        if self._permit is not None:
            self._permit.release()

    def check(self, now: float) -> None:
        """Expire the scope if the deadline has passed, at the second check after it.

        A response that arrived while the event loop was blocked is read between the two checks.
        """
        if now < self._expires_at:
            self._late = False
        elif not self._late:
            self._late = True
        elif not self.scope.expired():
            self.total_expired = now >= self._total_at
            self.scope.reschedule(0.0)  # at once

    def interrupt(self) -> None:
        """End the attempt, since the session is closed: drop the connection and the unsent rest of the request."""
        self.closed = True
        if not self.scope.expired():
            self.scope.reschedule(0.0)  # at once
        self.abort()

    def abort(self) -> None:
        """Drop the connection, so that nothing is written to it from now on."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Drop the scope and its task: the context of a pooled connection keeps this object.

        A connection that was closed is dropped with the unsent rest of the request, since a server that reads nothing
        would keep it open.
        """
        if self._arrivals is not None and self._arrivals.over_tls:
            self._arrivals.release(self)
        if self._transport is not None and self._transport.is_closing():
            self._transport.abort()
        del self.scope
        self._permit = self._transport = self._arrivals = self.proxy = None


class DeadlineTimer:
    """One timer of the event loop for the deadlines of all attempts of a session."""

    def __init__(self) -> None:
        self.attempts: set[Attempt] = set()
        """Attempts under way."""
        self._handle: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether the timer is scheduled in the event loop."""
        return self._handle is not None

    def add(self, attempt: Attempt) -> None:
        """Check the deadline of ``attempt`` from now on."""
        self.attempts.add(attempt)
        if self._handle is None:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(INTERVAL, self._check, loop)

    def discard(self, attempt: Attempt) -> None:
        """Stop checking the deadline of ``attempt``."""
        self.attempts.discard(attempt)

    def close(self) -> None:
        """Interrupt all attempts, and stop the timer."""
        for attempt in self.attempts:
            attempt.interrupt()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for attempt in self.attempts:
            attempt.check(now)
        self._handle = loop.call_later(INTERVAL, self._check, loop) if self.attempts else None


current_attempt: ContextVar[Attempt] = ContextVar("kfq_async.attempt")
"""The attempt that is being sent; a context variable, since aiohttp passes its connector no data of a caller."""
