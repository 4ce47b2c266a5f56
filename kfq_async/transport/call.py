"""One call from its slot to its outcome, and what all calls of a session share (the design's section 4)."""

from __future__ import annotations

import asyncio
import os
from math import inf
from typing import TYPE_CHECKING, Any

import aiohttp
from attrs import field, frozen

from kfq_async.config import RetryPolicy, Timeouts
from kfq_async.errors import (
    ApiError,
    ClockError,
    KfqError,
    OutcomeUnknown,
    Phase,
    PoolTimeout,
    SessionError,
    TotalTimeout,
)
from kfq_async.models.fields import mask, new_id_pair
from kfq_async.protocol.responses import HttpResponse, read_response
from kfq_async.protocol.signing import Signer
from kfq_async.transport.attempt import open_http, transmit
from kfq_async.transport.deadlines import Ticker, Watch
from kfq_async.transport.limits import Pace
from kfq_async.transport.retry import repeat
from kfq_async.transport.slots import Slots
from kfq_async.transport.verdicts import Verdict, verdict_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext

    from kfq_async.protocol.envelope import Envelope
    from kfq_async.protocol.operation import Operation
    from kfq_async.protocol.requests import HttpRequest, PreparedCall

__all__ = ["KEEP_ALIVE", "Call", "Settings", "Shared"]

KEEP_ALIVE = 15.0
"""Seconds that an idle connection is kept; servers usually close theirs after 20 to 75."""
LARGEST_OFFSET = 86_400.0
"""Seconds that a clock is believed to be wrong; more is a mistake in the answer, which would harm all views."""


@frozen(kw_only=True)
class Settings:
    """What one view of a session may have of its own."""

    app_auth_token: str = field(repr=mask)
    base_url: str
    signer: Signer | None = field(repr=mask)
    timeouts: Timeouts
    retry: RetryPolicy


class Shared:
    """What all views of a session share: connections, slots, the ticker, the clock's offset, the loop.

    It opens nothing before the first call, and belongs to the event loop and process of that call.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        connector: aiohttp.BaseConnector | None,
        proxy: str | None,
        ssl: SSLContext | None,
        trust_env: bool,
        rate_limit: float | None,
        clock: Callable[[], float],
        headers: Mapping[str, str],
    ) -> None:
        if connector is not None:
            concurrency = min(concurrency, connector.limit or concurrency, connector.limit_per_host or concurrency)
        self.concurrency = concurrency
        self.slots = Slots(concurrency)
        self.ticker = Ticker()
        self.clock_offset = 0.0
        """Seconds to add to the local clock, learnt from the platform."""
        self._connector = connector
        self._proxy = proxy
        self._ssl = ssl
        self._trust_env = trust_env
        self._rate_limit = rate_limit
        self._paces: dict[str, Pace] = {}
        self._clock = clock
        self._headers = headers
        self._http: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    def enter(self) -> aiohttp.ClientSession:
        """Return the connections for use here and now, or raise `SessionError`."""
        if self._closed:
            raise SessionError("the session is closed; make a new one, or close it later")
        loop = asyncio.get_running_loop()
        if self._http is None:
            self._http = self._open()
            self._loop = loop
            self._pid = os.getpid()
        elif os.getpid() != self._pid:
            raise SessionError("the session was used before this process was forked; make one in each process")
        elif loop is not self._loop:
            raise SessionError("the session belongs to the event loop of its first call; make one for each loop")
        return self._http

    def _open(self) -> aiohttp.ClientSession:
        connector = self._connector
        if connector is None:
            connector = aiohttp.TCPConnector(
                limit=self.concurrency, keepalive_timeout=KEEP_ALIVE, ssl=self._ssl if self._ssl is not None else True
            )
        return open_http(
            connector,
            owner=self._connector is None,
            proxy=self._proxy,
            trust_env=self._trust_env,
            headers=self._headers,
        )

    async def aclose(self) -> None:
        """Close the connections; a second time does nothing."""
        if self._http is not None and asyncio.get_running_loop() is not self._loop:
            raise SessionError("the session must be closed in the event loop of its first call, while that runs")
        self._closed = True
        http, self._http = self._http, None
        if http is None:
            return
        self.ticker.stop()
        await http.close()

    def pace(self, operation: Operation[Any, Any]) -> Pace | None:
        """Return the turns of an operation's path, or ``None`` if it has none to wait for."""
        if self._rate_limit is None or not operation.rate_limited:
            return None
        pace = self._paces.get(operation.path)
        if pace is None:
            pace = self._paces[operation.path] = Pace(self._rate_limit)
        return pace

    def now_ms(self) -> int:
        """Return the platform's time in milliseconds, as far as it is known."""
        return round((self._clock() + self.clock_offset) * 1000)

    def learn_clock(self, error: ApiError) -> bool:
        """Take over the platform's clock from its answer, or return ``False`` if it shows none."""
        if error.envelope is None or error.envelope.timestamp is None:
            return False
        offset = error.envelope.timestamp.timestamp() - self._clock()
        if abs(offset) > LARGEST_OFFSET:
            return False
        self.clock_offset = offset
        return True


class Call:
    """One call: at most ``retry.attempts`` attempts, at most ``timeouts.total`` seconds, one outcome."""

    __slots__ = ("_clock_corrected", "_prepared", "_sent", "_settings", "_shared", "_unique_code", "attempts")

    def __init__(self, shared: Shared, settings: Settings, prepared: PreparedCall) -> None:
        self.attempts = 0
        self._shared = shared
        self._settings = settings
        self._prepared = prepared
        self._unique_code: str | None = None
        self._sent = False
        self._clock_corrected = False

    async def run(self) -> Envelope:
        """Return the envelope of a success, or raise the one `KfqError` that says what happened."""
        task = asyncio.current_task()
        if task is None:
            raise self.explained(SessionError("a call must run in an asyncio task; await it from a coroutine of one"))
        total = self._settings.timeouts.total
        watch = Watch(task, inf if total is None else task.get_loop().time() + total)
        try:
            late = None if self._takes_slot() else await self._wait(watch)
            outcome = await self._in_slot(watch) if late is None else late
            if isinstance(outcome, KfqError):
                outcome = await self._repeat(outcome, watch)
        except asyncio.CancelledError:
            if watch.claim() is None:
                raise
            outcome = TotalTimeout(f"the call's {total} s ended between two attempts")
        except SessionError as problem:
            outcome = problem
        finally:
            self._shared.ticker.discard(watch)
            watch.settle()
        if isinstance(outcome, KfqError):
            raise self.explained(outcome)
        return outcome

    def explained(self, error: KfqError) -> KfqError:
        """Complete an error with what is known about the call; in doubt, it was sent."""
        verdict = self._verdict(error)
        self._complete(error)
        return self._complete(OutcomeUnknown(error)) if verdict is Verdict.UNKNOWN else error

    def _complete(self, error: KfqError) -> KfqError:
        if self._sent:
            error.phase = Phase.SENT
        error.operation = self._prepared.operation.name
        error.attempts = self.attempts
        error.client_request_id = self._prepared.client_request_id
        error.unique_code = self._unique_code
        return error

    async def _repeat(self, first: KfqError, watch: Watch) -> Envelope | KfqError:
        clock = asyncio.get_running_loop().time
        return await repeat(
            first,
            lambda: self._attempt(watch),
            again=self._again,
            policy=self._settings.retry,
            remaining=lambda: watch.total_at - clock(),
        )

    async def _attempt(self, watch: Watch) -> Envelope | KfqError:
        """Wait for turn and slot, send once, and read what comes; `run` does so itself, to hold less while it waits."""
        late = None if self._takes_slot() else await self._wait(watch)
        return await self._in_slot(watch) if late is None else late

    def _takes_slot(self) -> bool:
        """Take a slot at once if there is a free one and no turn to wait for."""
        self._shared.enter()
        return not self._prepared.operation.rate_limited and self._shared.slots.take()

    async def _wait(self, watch: Watch) -> PoolTimeout | None:
        """Take a slot, and before it a turn if the operation is paced; return the error if ``total`` ended first.

        Who waits for a turn holds no slot, so that other operations go on.
        """
        if watch.total_at != inf:
            self._shared.ticker.add(watch)
        slots = self._shared.slots
        pace = self._shared.pace(self._prepared.operation)
        turn = None
        try:
            if pace is not None:
                watch.turn = await pace.take()
            if not slots.take():
                turn = slots.join()
                await turn
        except BaseException as interruption:
            if turn is not None:
                slots.leave(turn)
            watch.end()
            if not isinstance(interruption, asyncio.CancelledError) or watch.claim() is None:
                raise
        else:
            return None
        why = f"the session has {self._shared.concurrency} slots"
        if pace is not None:
            why = f"this operation is sent every {pace.distance:.2g} s"
        return PoolTimeout(f"the call's {self._settings.timeouts.total} s ended while it waited for its turn: {why}")

    async def _in_slot(self, watch: Watch) -> Envelope | KfqError:
        """Send once from a slot that was taken, read what comes, and give the slot back."""
        shared, prepared = self._shared, self._prepared
        try:
            http = shared.enter()  # it may have been closed meanwhile
            shared.ticker.add(watch)
            raw = await transmit(http, self._written(), watch, self._settings.timeouts, prepared.operation.method)
            outcome = self._read(raw) if isinstance(raw, HttpResponse) else raw
        finally:
            shared.slots.release()
            watch.end()
        if isinstance(outcome, KfqError):
            self._sent = self._sent or outcome.phase is Phase.SENT
            self._complete(outcome)
        return outcome

    def _written(self) -> HttpRequest:
        """Write the next attempt, with fresh marks."""
        self.attempts += 1
        self._unique_code, nonce = new_id_pair()
        return self._prepared.write(
            self._settings.app_auth_token,
            nonce=nonce,
            timestamp=str(self._shared.now_ms()),
            unique_code=self._unique_code,
            signer=self._settings.signer,
        )

    def _read(self, raw: HttpResponse) -> Envelope | KfqError:
        return read_response(raw, self._prepared.operation, self._settings.base_url, self._sensitive_values)

    def _sensitive_values(self) -> set[str]:
        return self._prepared.sensitive_values() | {self._settings.app_auth_token}

    def _verdict(self, error: KfqError) -> Verdict:
        return verdict_on(
            error,
            self._prepared.operation.idempotency,
            has_key=self._prepared.client_request_id is not None,
            repeat_sent=self._settings.retry.repeat_sent,
        )

    def _again(self, error: KfqError) -> bool:
        """Whether to attempt again after ``error``; a refused clock is corrected on the way, once."""
        if self._verdict(error) is not Verdict.AGAIN:
            return False
        if not isinstance(error, ClockError):
            return True
        if self._clock_corrected or not self._shared.learn_clock(error):
            return False
        self._clock_corrected = True
        return True
