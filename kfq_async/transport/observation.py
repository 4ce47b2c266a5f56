"""Observation of one call: measures it, and passes its events to the hooks of the session and to the log."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import attrs

from kfq_async.base_errors import KfqError, Phase
from kfq_async.errors import ApiError
from kfq_async.hooks import AttemptEvent, AttemptStart, CallEvent, Hooks, call_hooks
from kfq_async.models.fields import MAX_KEY
from kfq_async.protocol.envelope import Envelope
from kfq_async.protocol.requests import NOTHING, copy_additions
from kfq_async.redaction import printable, visible_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import CIMultiDict

    from kfq_async.hooks import StopReason
    from kfq_async.transport.call import Call

__all__ = ["CallObserver", "describe_ids", "observe"]

_LOG = logging.getLogger("kfq_async")


def describe_ids(client_request_id: str | None, unique_code: str | None) -> str:
    """Return the ids of a call for a line of the log."""
    request_id = "none" if client_request_id is None else printable(client_request_id, MAX_KEY)
    return f"client_request_id={request_id} unique_code={unique_code or 'none'}"


_STOPPED: Mapping[StopReason, str] = {
    "attempts": "not retried: all attempts of RetryPolicy were made",
    "total": "not retried: no time for another attempt in Timeouts(total=...)",
}
"""Words for the limits that end retries."""


def _is_scalar(_attribute: object, value: object) -> bool:
    return not isinstance(value, tuple)


def observe(hooks: tuple[Hooks, ...]) -> CallObserver | None:
    """Return the observer of a new call, or ``None`` if nothing wants to know of it."""
    logs = _LOG.isEnabledFor(logging.DEBUG)
    return CallObserver(hooks, logs=logs) if hooks or logs else None


class CallObserver:
    """Measures one call, whose waits it is told, and passes the events to hooks and, with ``logs``, to the log."""

    def __init__(self, hooks: tuple[Hooks, ...], *, logs: bool) -> None:
        self._hooks = hooks
        self._logs = logs
        self._started = self.now()
        self._slot_wait = self._rate_limit_wait = 0.0
        self._total_slot_wait = self._total_rate_limit_wait = 0.0
        self._attempts: list[AttemptEvent] = []
        self._attempt: AttemptStart | None = None
        """The attempt under way, once it is about to be sent."""
        self._stopped: StopReason | None = None
        self._headers: dict[str, str] = {}
        """Headers that hooks add to it."""

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
        """Start to measure the waits of an attempt."""
        self._slot_wait = self._rate_limit_wait = 0.0

    def start_attempt(self, call: Call) -> None:
        """Report that an attempt, whose waits are over, is about to be sent."""
        began = self.now()
        self._attempt = AttemptStart(
            operation=call.operation.name,
            url=call.url,
            attempt=call.attempts,
            client_request_id=call.client_request_id,
            unique_code=call.unique_code,
            offset=began - self._started,
            slot_wait=self._slot_wait,
            rate_limit_wait=self._rate_limit_wait,
        )
        self._headers = {}
        for hooks in self._hooks:
            for headers in call_hooks((hooks,), "on_attempt_start", self._attempt):
                self._headers |= _check_headers(hooks, headers)

    def add_headers(self, headers: CIMultiDict[str]) -> None:
        """Add the headers of the hooks to those of an attempt, which take precedence."""
        for name, value in self._headers.items():
            headers.setdefault(name, value)

    def end_attempt(self, call: Call, outcome: object) -> None:
        """Report the end of an attempt, if it began; ``outcome`` may be an exception."""
        self._total_slot_wait += self._slot_wait
        self._total_rate_limit_wait += self._rate_limit_wait
        start, self._attempt = self._attempt, None
        if start is None:
            return
        event = AttemptEvent(
            **attrs.asdict(start),
            error=_error_of(outcome),
            phase=_phase_of(outcome, Phase.SENT),
            http_status=call.http_status or None,
            code=_code_of(outcome),
            seconds=self.now() - self._started - start.offset,
        )
        self._attempts.append(event)
        call_hooks(self._hooks, "on_attempt", event)

    def note_stop(self, reason: StopReason) -> None:
        """Note the limit that kept the last error from being retried."""
        self._stopped = reason

    def end_call(self, call: Call, outcome: object, result: object = None) -> None:
        """Report the call; ``outcome`` is its envelope or what it raised, and ``result`` what it returns."""
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
            order_no=_id_in(result, "order_no"),
            contract_id=_id_in(result, "contract_id"),
            stopped=self._stopped,
        )
        call_hooks(self._hooks, "on_call", event)
        if self._logs:
            _log_call(event, outcome)


def _log_call(event: CallEvent, outcome: object) -> None:
    """Log a call at level DEBUG: one line, with what it raised."""
    result = f"code {event.code}" if event.error is None else f"{event.error} ({event.phase})"
    ids = {"order_no": event.order_no, "contract_id": event.contract_id}
    waits = {"slot_wait": event.slot_wait, "rate_limit_wait": event.rate_limit_wait}
    _LOG.debug(
        "%s: %s%s%s; attempts=%d seconds=%.3f%s %s%s",
        event.operation,
        result,
        f": {outcome.args[0]}" if isinstance(outcome, KfqError) else "",
        "" if event.stopped is None else f"; {_STOPPED[event.stopped]}",
        event.attempts,
        event.seconds,
        "".join(f" {name}={seconds:.3f}" for name, seconds in waits.items() if seconds),
        describe_ids(event.client_request_id, event.unique_code),
        "".join(f" {name}={value}" for name, value in ids.items() if value is not None),
        extra=attrs.asdict(event, filter=_is_scalar),
    )


def _check_headers(hooks: Hooks, headers: object) -> Mapping[str, str]:
    """Return the headers that hooks add; log those that cannot be sent, and return none."""
    if headers is None:
        return NOTHING
    try:
        return copy_additions(NOTHING, headers)[1]
    except (TypeError, ValueError) as error:
        _LOG.error("%s.on_attempt_start returned no valid headers: %s", type(hooks).__name__, error)
    return NOTHING


def _id_in(result: object, name: str) -> str | None:
    value = getattr(result, name, None)
    return visible_id(value) if isinstance(value, str) else None


def _error_of(outcome: object) -> str | None:
    return type(outcome).__name__ if isinstance(outcome, BaseException) else None


def _phase_of(outcome: object, unexpected: Phase) -> Phase:
    """Return the phase of a result; ``unexpected`` for a cancellation, or a bug."""
    if isinstance(outcome, KfqError):
        return outcome.phase
    return unexpected if isinstance(outcome, BaseException) else Phase.ANSWERED


def _code_of(outcome: object) -> int | None:
    return outcome.code if isinstance(outcome, ApiError | Envelope) else None
