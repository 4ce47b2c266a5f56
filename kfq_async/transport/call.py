"""One call: queueing, attempts, retries, and one result or one error."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import evolve, field, frozen

from kfq_async.config import RetryPolicy, Timeouts
from kfq_async.errors import (
    ClockError,
    CredentialsError,
    DecodeError,
    KfqError,
    OutcomeUnknown,
    Phase,
    PoolTimeout,
    SessionError,
    SignerError,
    TotalTimeout,
)
from kfq_async.hooks import Hooks
from kfq_async.models.fields import SECRET, new_id_pair, repr_masked
from kfq_async.models.masking import MaskedStr
from kfq_async.protocol.repetition import texts_of
from kfq_async.protocol.requests import prepare as prepare_call
from kfq_async.protocol.responses import HttpResponse, read_response
from kfq_async.protocol.signing import Signer
from kfq_async.transport.attempt import Attempt
from kfq_async.transport.lane import acquire_lane, is_held, leave_lane, time_in_doubt
from kfq_async.transport.observation import observe
from kfq_async.transport.retry import RetryDecision, decide_retry, log_retry, retry
from kfq_async.transport.tokens import TokenSource
from kfq_async.transport.translation import SESSION_CLOSED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from kfq_async.config import Lane, LaneTurn
    from kfq_async.protocol.envelope import Envelope
    from kfq_async.protocol.operation import Operation
    from kfq_async.protocol.requests import HttpRequest, PreparedCall
    from kfq_async.transport.client import Client
    from kfq_async.transport.limits import Permit, RateLimiter
    from kfq_async.transport.observation import CallObserver

__all__ = ["Call", "CallSettings"]

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
"""Stands for the headers of a response that did not arrive."""


@frozen(kw_only=True)
class CallSettings:
    """Settings that a view of a session can override."""

    app_auth_token: str = field(repr=repr_masked, converter=MaskedStr)
    operator_account: str | None = field(default=None, **SECRET)
    base_url: str
    signer: Signer | None = field(repr=repr_masked)
    timeouts: Timeouts
    retry: RetryPolicy
    max_upload: int | None = None
    token_source: TokenSource | None = None
    hooks: tuple[Hooks, ...] = ()


class Call:
    """One call: at most ``retry.attempts`` attempts within ``timeouts.total`` seconds."""

    __slots__ = (
        "_cancelling",
        "_client",
        "_clock_corrected",
        "_in_lane",
        "_prepared",
        "_sent",
        "_settings",
        "_token_renewed",
        "_total_at",
        "_waits_for",
        "attempts",
        "headers",
        "http_status",
        "observer",
        "unique_code",
    )

    prepare: ClassVar[Callable[..., PreparedCall]] = staticmethod(prepare_call)
    attempt_type: ClassVar[type[Attempt]] = Attempt

    def __init__(self, client: Client, settings: CallSettings, prepared: PreparedCall) -> None:
        self.attempts: int = 0
        self.http_status: int = 0
        """HTTP status of the last response; 0 without one."""
        self.headers: Mapping[str, str] = NO_HEADERS
        """Headers of the last response."""
        self.unique_code: str = ""
        """``uniqueCode`` of the last attempt; empty if none was made."""
        self._client = client
        self._settings = settings
        self._prepared = prepared
        self._cancelling = 0
        self._total_at = inf
        self._sent = False
        self._in_lane = False
        self._clock_corrected = False
        self._token_renewed = False
        self.observer: CallObserver | None = observe(settings.hooks)
        """Reports the call to hooks and the log; ``None`` if neither wants it."""

    @property
    def operation(self) -> Operation[Any, Any]:
        """The operation of the call."""
        return self._prepared.operation

    @property
    def url(self) -> str:
        """URL of the request, without its query."""
        return str(self._prepared.url.with_query(None))

    @property
    def client_request_id(self) -> str | None:
        """``clientRequestId`` of the request, or ``None``."""
        return self._prepared.client_request_id

    async def fetch(self) -> tuple[Envelope, Any]:
        """Return the envelope of a success and the result in it, or raise the one `KfqError` of the call."""
        observer = self.observer
        try:
            if self._settings.token_source is not None:
                await self._authorize(self._settings.token_source)
            envelope = await self.run()
            result = self.read_result(envelope)
        except BaseException as problem:
            if observer is not None:
                observer.end_call(self, problem)
            raise
        if observer is not None:
            observer.end_call(self, envelope, result)
        return envelope, result

    async def _authorize(self, source: TokenSource) -> None:
        """Set the token of the call; raise `SessionError` if there is none, and `TotalTimeout` if it takes too long."""
        failed: KfqError | None
        total = self._settings.timeouts.total
        if total is not None:
            self._total_at = asyncio.get_running_loop().time() + total
        try:
            failed = await self._ask_for_token(source.ensure)
        except SessionError as problem:
            failed = problem.with_traceback(None)
        if failed is None:
            self._settings = evolve(self._settings, app_auth_token=source.token)
            return
        try:
            raise self.explain(failed)
        finally:
            del failed  # as in `run`

    async def _ask_for_token(self, ask: Callable[[], Awaitable[None]]) -> TotalTimeout | None:
        """Let a source ask its provider for a token; return an error if ``total`` expires first."""
        scope = asyncio.timeout_at(None if self._total_at == inf else self._total_at)
        with suppress(TimeoutError):  # of this scope: what a provider raises becomes a `SessionError`
            async with scope:
                await self._client.interruptible(ask)
        if not scope.expired():
            return None
        total = self._settings.timeouts.total
        return TotalTimeout(
            f"total timeout ({total} s) expired while the provider of app_auth_token was asked; "
            "let it answer faster, such as from a cache, or raise Timeouts(total=...)"
        )

    async def run(self) -> Envelope:
        """Return the envelope of a success, or raise the one `KfqError` of the call."""
        task = asyncio.current_task()
        if task is None:
            raise self.explain(SessionError("a call must run in an asyncio task: await it under asyncio.run()"))
        if task.cancelling():
            await asyncio.sleep(0)  # a cancellation that is pending is raised here, before anything is sent
        self._cancelling = task.cancelling()
        total = self._settings.timeouts.total
        if total is not None and self._total_at == inf:
            self._total_at = task.get_loop().time() + total
        try:
            attempt = self._attempt if self.observer is None else self._observed_attempt
            if self._settings.token_source is not None:
                attempt = partial(self._authorized_attempt, attempt, self._settings.token_source)
            outcome = await attempt()
            if not isinstance(outcome, KfqError):
                return outcome
            outcome = await self._retry(outcome, attempt)
        except (PoolTimeout, SessionError, SignerError) as problem:  # none is retried
            outcome = problem.with_traceback(None)
        if not isinstance(outcome, KfqError):
            return outcome
        try:
            raise self.explain(outcome)
        finally:
            del outcome  # the traceback holds this frame: a local variable would close a reference cycle

    def read_result(self, envelope: Envelope) -> Any:
        """Return the result in the envelope of a success, as a model if the operation has one; raise `DecodeError`."""
        model = self._prepared.operation.result
        try:
            return envelope.result if model is None else envelope.decode_result(model)
        except DecodeError as problem:
            unreadable = problem.with_traceback(None)  # its frames hold the plain result
        try:
            raise self.explain(unreadable)
        finally:
            del unreadable  # as in `run`

    def explain(self, error: KfqError) -> KfqError:
        """Return the error to raise, with the details of the call: `OutcomeUnknown` if a retry could act twice."""
        decision = self._decide(error)
        self._complete(error)
        return self._complete(OutcomeUnknown(error)) if decision is RetryDecision.UNKNOWN else error

    def _complete(self, error: KfqError) -> KfqError:
        if self._sent:
            error.phase = Phase.SENT
        error.in_lane = self._in_lane
        error.operation = self._prepared.operation.name
        error.attempts = self.attempts
        error.client_request_id = self._prepared.client_request_id
        error.unique_code = self.unique_code or None
        return error

    async def _retry(
        self, first: KfqError, attempt: Callable[[], Awaitable[Envelope | KfqError]]
    ) -> Envelope | KfqError:
        clock, observer = asyncio.get_running_loop().time, self.observer
        return await retry(
            first,
            attempt,
            retryable=self._retryable,
            policy=self._settings.retry,
            remaining=lambda: self._total_at - clock(),
            sleep=self._sleep,
            stopped=None if observer is None else observer.note_stop,
        )

    async def _authorized_attempt(
        self, attempt: Callable[[], Awaitable[Envelope | KfqError]], source: TokenSource
    ) -> Envelope | KfqError:
        """Make an attempt, and once per call another one with a new token if the platform refused the token."""
        outcome = await attempt()
        if not isinstance(outcome, CredentialsError) or self._token_renewed or not self._repeatable:
            return outcome
        self._token_renewed = True
        refused = self._settings.app_auth_token
        expired = await self._ask_for_token(partial(source.renew, refused))
        if expired is not None:
            return expired
        if source.token == refused:
            return outcome
        self._settings = evolve(self._settings, app_auth_token=source.token)
        log_retry(outcome, "retry with a new token")
        return await attempt()

    @property
    def _repeatable(self) -> bool:
        """Whether a request that was refused can be sent again."""
        return True

    async def _observed_attempt(self) -> Envelope | KfqError:
        observer = self.observer
        assert observer is not None  # noqa: S101  # see `run`
        self.http_status = 0
        observer.begin_attempt()
        try:
            outcome = await self._attempt()
        except BaseException as problem:
            observer.end_attempt(self, problem)
            raise
        observer.end_attempt(self, outcome)
        return outcome

    async def _attempt(self) -> Envelope | KfqError:
        """Wait for permit and slot, send the request once, and read the response."""
        client, settings, operation = self._client, self._settings, self._prepared.operation
        http = client.open()
        permit: Permit | None = None
        turn: LaneTurn | None = None
        if operation.rate_limited or self._prepared.exclusive or client.semaphore.locked():
            permit, turn = await self._wait(client.rate_limiter(operation))
        else:
            await client.semaphore.acquire()
        attempt: Attempt | None = None
        outcome: Envelope | KfqError | None = None
        try:
            if client.closed:
                return SessionError(SESSION_CLOSED)
            attempt = self._create_attempt(permit)
            if attempt.total_expired:
                return TotalTimeout(f"total timeout ({settings.timeouts.total} s) expired before an attempt")
            response = await client.send_once(http, operation.method, self._build_attempt(), attempt, settings.timeouts)
            if isinstance(response, HttpResponse):
                self.http_status, self.headers = response.status, response.headers
                outcome = self._read_response(response)
            else:
                outcome = response
        finally:
            client.semaphore.release()
            if permit is not None:
                permit.release()
            if turn is not None:
                self._in_lane = is_held(turn)
                await leave_lane(turn, time_in_doubt(attempt, outcome))
        if isinstance(outcome, KfqError):
            self._sent = self._sent or outcome.phase is Phase.SENT
            self._complete(outcome)
        return outcome

    def _create_attempt(self, permit: Permit | None) -> Attempt:
        return self.attempt_type(
            self._settings.timeouts, total_at=self._total_at, cancelling=self._cancelling, permit=permit
        )

    def _read_response(self, response: HttpResponse) -> Envelope | KfqError:
        return read_response(response, self._prepared.operation, self._settings.base_url, self._texts_sent)

    async def _wait(self, limiter: RateLimiter | None) -> tuple[Permit | None, LaneTurn | None]:
        """Acquire what the next attempt needs; raise `PoolTimeout` if ``total`` expires first."""
        client = self._client
        scope = asyncio.timeout_at(None if self._total_at == inf else self._total_at)
        client.waits.add(scope)
        try:
            async with scope:
                return await self._acquire(limiter)
        except TimeoutError:
            pass
        finally:
            client.waits.discard(scope)
        if client.closed:
            raise SessionError(SESSION_CLOSED)
        raise PoolTimeout(f"total timeout ({self._settings.timeouts.total} s) expired in the queue: {self._waits_for}")

    async def _acquire(self, limiter: RateLimiter | None) -> tuple[Permit | None, LaneTurn | None]:
        """Acquire a permit if the operation is rate-limited, the lane if the request is exclusive, and a slot.

        A call that waits for its permit or the lane holds no slot, so that other operations proceed.
        """
        permit: Permit | None = None
        turn: LaneTurn | None = None
        observer = self.observer
        since = 0.0 if observer is None else observer.now()
        try:
            if limiter is not None:
                self._waits_for = f"this operation is sent every {limiter.interval:.2g} s (rate_limit)"
                try:
                    permit = await limiter.acquire()
                finally:
                    if observer is not None:
                        observer.add_rate_limit_wait(since)
                        since = observer.now()
            if self._client.lane is not None and self._prepared.exclusive:
                turn = await self._acquire_lane_and_slot(self._client.lane)
            else:
                await self._acquire_slot()
        except BaseException:
            if permit is not None:
                permit.release()
            raise
        finally:
            if observer is not None:
                observer.add_slot_wait(since)
        return permit, turn

    async def _acquire_slot(self) -> None:
        self._waits_for = f"the concurrency of the session is {self._client.concurrency}"
        await self._client.semaphore.acquire()

    async def _acquire_lane_and_slot(self, lane: Lane) -> LaneTurn:
        timeouts = self._settings.timeouts
        needed = timeouts.connect + timeouts.attempt
        while True:
            self._waits_for = "operations that drive a contract go one at a time (lane)"
            turn = await acquire_lane(lane, self._client.platform, needed=needed, cancelling=self._cancelling)
            try:
                await self._acquire_slot()
            except BaseException:
                await leave_lane(turn, 0.0)
                raise
            if turn.remaining >= needed:
                return turn
            self._client.semaphore.release()  # the lane was lost meanwhile
            await leave_lane(turn, 0.0)

    async def _sleep(self, seconds: float) -> None:
        """Wait for the next attempt; raise `SessionError` when the session is closed."""
        await self._client.interruptible(partial(asyncio.sleep, seconds))

    def _build_attempt(self) -> HttpRequest:
        """Build the request of the next attempt, with a fresh nonce, timestamp, serial number and signature."""
        self.attempts += 1
        self.unique_code, nonce = new_id_pair()
        observer = self.observer
        if observer is not None:
            observer.start_attempt(self)
        request = self._prepared.write(
            self._settings.app_auth_token,
            nonce=nonce,
            timestamp=str(self._client.now_ms()),
            unique_code=self.unique_code,
            signer=self._settings.signer,
        )
        if observer is not None:
            observer.add_headers(request.headers)
        return request

    def _texts_sent(self) -> Iterator[str]:
        """Yield the texts of the request, which a message of the platform may repeat."""
        yield self._settings.app_auth_token
        yield from self._prepared.private_query.values()
        yield from self._prepared.query.values()
        if self._prepared.body is not None:
            yield from texts_of(self._prepared.body)

    def _decide(self, error: KfqError) -> RetryDecision:
        return decide_retry(
            error,
            self._prepared.operation.idempotency,
            has_key=self._prepared.client_request_id is not None,
            repeat_sent=self._settings.retry.repeat_sent,
        )

    def _retryable(self, error: KfqError) -> bool:
        """Whether to retry after ``error``; a refused timestamp corrects the clock first, once per call."""
        if self._decide(error) is not RetryDecision.RETRY:
            return False
        if not isinstance(error, ClockError):
            return True
        if self._clock_corrected or not self._client.learn_clock(error):
            return False
        self._clock_corrected = True
        return True
