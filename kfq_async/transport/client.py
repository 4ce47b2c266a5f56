"""HTTP client of a session and its views: connections, slots, deadlines, rate limits and clock."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp import ClientConnectionError, ClientRequest, ClientTimeout, DummyCookieJar, hdrs
from multidict import CIMultiDict, istr

from kfq_async.errors import ApiError, KfqError, SessionError, UnexpectedResponse
from kfq_async.models.hosts import is_below_localhost
from kfq_async.protocol.requests import STATIC_HEADERS
from kfq_async.protocol.responses import HttpResponse
from kfq_async.transport.attempt import DeadlineTimer, current_attempt
from kfq_async.transport.body import MAX_RESPONSE
from kfq_async.transport.connector import Connector
from kfq_async.transport.first_write import UnrequestedData
from kfq_async.transport.limits import RateLimiter
from kfq_async.transport.request import Request
from kfq_async.transport.resolver import LocalhostResolver
from kfq_async.transport.threads import FileThreads
from kfq_async.transport.translation import SESSION_CLOSED, not_written, proxy_error, translate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from ssl import SSLContext

    from aiohttp import BaseConnector, ClientResponse, ClientSession

    from kfq_async.config import Lane, Timeouts
    from kfq_async.protocol.operation import Operation
    from kfq_async.protocol.requests import HttpRequest
    from kfq_async.transport.attempt import Attempt
    from kfq_async.transport.proxy import Proxy

__all__ = ["KEEP_ALIVE", "Client", "create_client_session"]

KEEP_ALIVE = 15.0
"""Seconds that an idle connection is kept; servers usually close theirs after 20 to 75."""
MAX_CLOSING_PAUSE = 0.03
"""Longest pause, in seconds, between two looks whether calls have ended: about half a second in all."""
MAX_TIME = 253_402_300_799.0
"""Latest time of a clock, the end of the year 9999, in seconds since the epoch."""
MAX_CLOCK_OFFSET = 86_400.0
"""Seconds by which the local clock may be corrected; more is an error of the response and would affect all views."""


class Client:
    """State shared by all views of a session.

    It opens nothing before the first call, and belongs to the event loop and process of that call.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        connector: BaseConnector | None,
        host: str,
        proxy: Proxy | None,
        ssl: SSLContext | None,
        rate_limit: float | None,
        lane: Lane | None,
        platform: str,
        clock: Callable[[], float],
        headers: Mapping[str, str],
    ) -> None:
        if connector is not None:
            concurrency = min(concurrency, connector.limit or concurrency, connector.limit_per_host or concurrency)
        self.concurrency = concurrency
        self.semaphore: asyncio.Semaphore = asyncio.Semaphore(concurrency)
        self.timer: DeadlineTimer = DeadlineTimer()
        self.clock_offset: float = 0.0
        """Seconds to add to the local clock, learnt from the platform."""
        self._connector = connector
        self._host = host if proxy is None else proxy.url.host or ""
        self._proxy = proxy
        self._proxy_headers = None if proxy is None else proxy.connect_headers
        self._ssl = ssl
        self._rate_limit = rate_limit
        self._rate_limiters: dict[str, RateLimiter] = {}
        self.lane = lane
        """Lane of exclusive requests, or ``None`` if they may overlap."""
        self.platform = platform
        """Base URL in the form that all sessions of the platform have in common."""
        self._clock = clock
        self._headers = headers
        self._http: ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self.closed: bool = False
        """Whether `aclose` was called."""
        self._closing: asyncio.Task[None] | None = None
        """Task of the close under way, which every caller of `aclose` awaits."""
        self.waits: set[asyncio.Timeout] = set()
        """Scopes of what waits for a permit, a slot, a file, the next attempt, or a change of a contract."""
        self.file_threads: FileThreads = FileThreads()
        """Threads that read and encode files."""
        self.blocking_threads: FileThreads = FileThreads()
        """Threads for open files of the caller's, which may block for ever; so they hold up no others."""

    def open(self) -> ClientSession:
        """Return aiohttp's client session, created by the first call; raise `SessionError` if unusable here."""
        if self._http is None:
            if self.closed:
                raise SessionError("the session is closed; create a new one, or close it later")
            self._http = self._create()
            self._loop = asyncio.get_running_loop()
            self._pid = os.getpid()
        elif os.getpid() != self._pid:
            raise SessionError("the session was used before this process was forked; create one in each process")
        elif asyncio.get_running_loop() is not self._loop:
            raise SessionError("the session belongs to the event loop of its first call; create one for each loop")
        return self._http

    def _create(self) -> ClientSession:
        connector = self._connector
        if connector is None:
            connector = aiohttp.TCPConnector(
                limit=self.concurrency,
                keepalive_timeout=KEEP_ALIVE,
                resolver=LocalhostResolver() if is_below_localhost(self._host) else None,
                ssl=self._ssl if self._ssl is not None else True,
            )
        return create_client_session(
            connector,
            owner=self._connector is None,
            proxy=self._proxy,
            headers=self._headers,
        )

    async def interruptible(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Wait; raise `SessionError` if the session is unusable here, or is closed meanwhile."""
        self.open()
        scope = asyncio.timeout(None)
        self.waits.add(scope)
        try:
            with suppress(TimeoutError):
                async with scope:
                    await wait()
        finally:
            self.waits.discard(scope)
        if scope.expired():
            raise SessionError(SESSION_CLOSED)

    async def aclose(self) -> None:
        """End the calls that are under way, close the connections, and return when that is done.

        Idempotent. Cancelling one caller does not interrupt the close.
        """
        under_way = self._http is not None or self._closing is not None
        if under_way and asyncio.get_running_loop() is not self._loop:
            raise SessionError("the session must be closed in the event loop of its first call, while that runs")
        self.closed = True
        http, self._http = self._http, None
        if http is not None:
            self._interrupt_calls()
            self._closing = asyncio.create_task(self._close(http))
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _close(self, http: ClientSession) -> None:
        try:
            await self._wait_for_calls()
        finally:
            await self.file_threads.aclose()
            await self.blocking_threads.aclose()
            await http.close()
            self._closing = None

    def _interrupt_calls(self) -> None:
        """Expire the scopes of all calls, in an attempt or waiting for one."""
        self.timer.close()
        for scope in self.waits:
            if not scope.expired():
                scope.reschedule(0.0)  # at once

    async def _wait_for_calls(self) -> None:
        """Wait until the interrupted calls have ended; middlewares of the caller's can delay them, so not for ever."""
        pause = 0.0
        while (self.waits or self.timer.attempts) and pause < MAX_CLOSING_PAUSE:
            await asyncio.sleep(pause)
            pause += 0.001

    async def send_once(
        self, http: ClientSession, method: str, request: HttpRequest, attempt: Attempt, timeouts: Timeouts
    ) -> HttpResponse | KfqError:
        """Send a request and receive the whole response; a failure is returned and not raised.

        Raises `asyncio.CancelledError` for a cancellation from outside, and bugs. Unless the response is complete, its
        connection is closed.
        """
        token = current_attempt.set(attempt)
        self.timer.add(attempt)
        attempt.query_credentials = request.query_credentials
        response: ClientResponse | None = None
        try:
            async with attempt.scope:
                response = await http.request(
                    method,
                    request.url,
                    data=request.body,
                    headers=request.headers,
                    allow_redirects=False,
                    proxy_headers=self._proxy_headers,
                    timeout=_connect_timeout(timeouts.connect),
                )
                body = await attempt.receive(response)
            if attempt.unwritten:
                attempt.abort()
                return not_written(UnrequestedData(), request.url)
            if response.status == 407 and attempt.proxy is not None and request.url.scheme == "http":
                return proxy_error(attempt.proxy, 407)  # through a tunnel of https the platform itself responds
            if body is None:
                return UnexpectedResponse(f"the response exceeds {MAX_RESPONSE} bytes", http_status=response.status)
            return HttpResponse(response.status, response.headers, body)
        except (Exception, asyncio.CancelledError) as problem:
            if isinstance(problem, asyncio.CancelledError) and attempt.cancelled:
                raise
            error = translate(problem, attempt, timeouts, request.url, closed=http.closed)
            if error is None:
                raise
            _drop_tracebacks(problem)
        finally:
            current_attempt.reset(token)
            self.timer.discard(attempt)
            if response is not None and response.connection is not None:
                response.close()
                response.content.set_exception(ClientConnectionError())  # drops its reference to the response
            attempt.close()
        return error

    def rate_limiter(self, operation: Operation[Any, Any]) -> RateLimiter | None:
        """Return the rate limiter of an operation's path, or ``None`` if the operation is not limited."""
        if self._rate_limit is None or not operation.rate_limited:
            return None
        limiter = self._rate_limiters.get(operation.path)
        if limiter is None:
            limiter = self._rate_limiters[operation.path] = RateLimiter(self._rate_limit)
        return limiter

    def learn_clock(self, error: ApiError) -> bool:
        """Adopt the platform's clock from its response; return ``False`` if the response shows none."""
        if error.envelope is None or error.envelope.timestamp is None:
            return False
        offset = error.envelope.timestamp.timestamp() - self.now_ms() / 1000 + self.clock_offset
        if abs(offset) > MAX_CLOCK_OFFSET:
            return False
        self.clock_offset = offset
        return True

    def now_ms(self) -> int:
        """Return the platform's time in milliseconds, as far as it is known.

        Raises `SessionError` without the cause if the session's clock fails.
        """
        failure = "did not return the seconds since the epoch"
        try:
            now: Any = self._clock()
            if isinstance(now, (float, int)) and -MAX_TIME <= now <= MAX_TIME:
                return round((now + self.clock_offset) * 1000)
        except BaseException as problem:  # a clock may raise anything
            if isinstance(problem, KeyboardInterrupt | SystemExit):
                raise
            failure = f"raised {type(problem).__name__}"
        raise SessionError(f"the session's clock {failure}")


def create_client_session(
    connector: BaseConnector,
    *,
    owner: bool,
    proxy: Proxy | None,
    headers: Mapping[str, str],
) -> ClientSession:
    """Create the client session, without cookies, since tenants share it, and without timeouts, which each call sets.

    ``headers``, with ``Host`` as the first one, are sent with every request. aiohttp is told nothing of the
    environment: it would send the passwords of ``~/.netrc`` to the platform, and bypass https proxies.
    """
    every = {**headers, **STATIC_HEADERS, hdrs.ACCEPT_ENCODING: ClientRequest.DEFAULT_HEADERS[hdrs.ACCEPT_ENCODING]}
    if connector.force_close:
        every[hdrs.CONNECTION] = "close"
    if proxy is not None:
        every |= proxy.request_headers
    return aiohttp.ClientSession(
        connector=cast("BaseConnector", Connector(connector)),
        connector_owner=owner,
        cookie_jar=DummyCookieJar(),
        headers=CIMultiDict({istr(name): value for name, value in every.items()}),
        proxy=None if proxy is None else proxy.url,
        raise_for_status=False,
        request_class=Request,
        timeout=ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
    )


def _drop_tracebacks(problem: BaseException | None) -> None:
    """Drop the tracebacks of an exception and its causes: with the frames they form cycles that hold the request."""
    while problem is not None and problem.__traceback__ is not None:
        problem.__traceback__ = None
        problem = problem.__cause__ or problem.__context__


@lru_cache(maxsize=64)
def _connect_timeout(seconds: float) -> ClientTimeout:
    return ClientTimeout(total=None, connect=seconds)
