"""Observation of one call: measures it, and passes its events to the hooks of the session and to the log."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import attrs

from kfq_async.base_errors import KfqError, Phase
from kfq_async.errors import ApiError
from kfq_async.hooks import AttemptEvent, CallEvent, Hooks
from kfq_async.models.fields import MAX_KEY
from kfq_async.protocol.envelope import Envelope
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from kfq_async.transport.call import Call

__all__ = ["CallObserver", "describe_ids", "observe"]

_LOG = logging.getLogger("kfq_async")


def describe_ids(client_request_id: str | None, unique_code: str | None) -> str:
    """Return the ids of a call for a line of the log."""
    request_id = "none" if client_request_id is None else printable(client_request_id, MAX_KEY)
    return f"client_request_id={request_id} unique_code={unique_code or 'none'}"


def _is_scalar(_attribute: object, value: object) -> bool:
    return not isinstance(value, tuple)


class _CallLog(Hooks):
    """Logs one line per call at level DEBUG."""

    def on_call(self, event: CallEvent) -> None:
        """Log a call."""
        _LOG.debug(
            "%s: %s; attempts=%d seconds=%.3f %s",
            event.operation,
            f"code {event.code}" if event.error is None else f"{event.error} ({event.phase})",
            event.attempts,
            event.seconds,
            describe_ids(event.client_request_id, event.unique_code),
            extra=attrs.asdict(event, filter=_is_scalar),
        )


_CALL_LOG = _CallLog()


def observe(hooks: tuple[Hooks, ...]) -> CallObserver | None:
    """Return the observer of a new call, or ``None`` if nothing wants to know of it."""
    if _LOG.isEnabledFor(logging.DEBUG):
        return CallObserver((*hooks, _CALL_LOG))
    return CallObserver(hooks) if hooks else None


class CallObserver:
    """Measures one call, whose waits it is told, and passes the events to hooks."""

    def __init__(self, hooks: tuple[Hooks, ...]) -> None:
        self._hooks = hooks
        self._started = self.now()
        self._attempt_started = 0.0
        self._slot_wait = self._rate_limit_wait = 0.0
        self._total_slot_wait = self._total_rate_limit_wait = 0.0
        self._attempts: list[AttemptEvent] = []

    def now(self) -> float:
        """Return the time of the event loop."""
        return asyncio.get_running_loop().time()

    def add_slot_wait(self, since: float) -> None:
        """Add a wait for a slot, or for the lane, that ends now."""
        self._slot_wait += self.now() - since

    def add_rate_limit_wait(self, since: float) -> None:
        """Add a wait for the rate limit that ends now."""
        self._rate_limit_wait += self.now() - since

    def begin_attempt(self) -> None:
        """Start to measure an attempt."""
        self._attempt_started = self.now()
        self._slot_wait = self._rate_limit_wait = 0.0

    def end_attempt(self, call: Call, outcome: object, *, sent: bool) -> None:
        """Report an attempt, unless the call ended while it waited for it; ``outcome`` may be an exception."""
        self._total_slot_wait += self._slot_wait
        self._total_rate_limit_wait += self._rate_limit_wait
        if not sent:
            return
        began = self._attempt_started + self._slot_wait + self._rate_limit_wait
        event = AttemptEvent(
            operation=call.operation.name,
            attempt=call.attempts,
            client_request_id=call.client_request_id,
            unique_code=call.unique_code,
            error=_error_of(outcome),
            phase=_phase_of(outcome, Phase.SENT),
            http_status=call.http_status or None,
            code=_code_of(outcome),
            offset=began - self._started,
            seconds=self.now() - began,
            slot_wait=self._slot_wait,
            rate_limit_wait=self._rate_limit_wait,
        )
        self._attempts.append(event)
        for hooks in self._hooks:
            try:
                hooks.on_attempt(event)
            except Exception as error:  # noqa: BLE001  # a hook must not change the call
                _log_failure(hooks, "on_attempt", error)

    def end_call(self, call: Call, outcome: object) -> None:
        """Report the call; ``outcome`` is its envelope or what it raised."""
        event = CallEvent(
            operation=call.operation.name,
            attempts=call.attempts,
            client_request_id=call.client_request_id,
            unique_code=call.unique_code or None,
            error=_error_of(outcome),
            phase=_phase_of(outcome, Phase.SENT if call.attempts else Phase.NOT_SENT),
            http_status=call.http_status or None,
            code=_code_of(outcome),
            seconds=self.now() - self._started,
            slot_wait=self._total_slot_wait,
            rate_limit_wait=self._total_rate_limit_wait,
            attempt_events=tuple(self._attempts),
        )
        for hooks in self._hooks:
            try:
                hooks.on_call(event)
            except Exception as error:  # noqa: BLE001  # as above
                _log_failure(hooks, "on_call", error)


def _log_failure(hooks: Hooks, name: str, error: Exception) -> None:
    """Log a failed hook, by the name of its exception alone: the message may hold what the hook knows."""
    _LOG.error("%s.%s raised %s", type(hooks).__name__, name, type(error).__name__)


def _error_of(outcome: object) -> str | None:
    return type(outcome).__name__ if isinstance(outcome, BaseException) else None


def _phase_of(outcome: object, unexpected: Phase) -> Phase:
    """Return the phase of a result; ``unexpected`` for a cancellation, or a bug."""
    if isinstance(outcome, KfqError):
        return outcome.phase
    return unexpected if isinstance(outcome, BaseException) else Phase.ANSWERED


def _code_of(outcome: object) -> int | None:
    return outcome.code if isinstance(outcome, ApiError | Envelope) else None
