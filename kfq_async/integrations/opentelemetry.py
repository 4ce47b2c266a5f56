"""OpenTelemetry integration (extra ``otel``): spans and metrics of calls and notifications, made of hooks."""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from kfq_async._version import __version__
from kfq_async.hooks import AttemptEvent, AttemptStart, CallEvent, Hooks, NotificationEvent, NotificationOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

__all__ = ["OpenTelemetryHooks"]

MAX_REQUESTS = 10_000
"""Number of requests whose trace is kept for their notifications by default."""
_NANOSECONDS = 1_000_000_000
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Boundaries of histograms in seconds, those of the conventions for HTTP."""
_TRACE_CONTEXT = TraceContextTextMapPropagator()
"""Reads and writes ``traceparent`` and ``tracestate``. Baggage may hold anything, and is not sent."""
_TRACEPARENT = "traceparent"


class OpenTelemetryHooks(Hooks):
    """Records calls, their attempts and notifications as spans and metrics.

    ::

        hooks = [OpenTelemetryHooks()]
        session = kfq.AsyncSession(..., hooks=hooks)
        receiver = kfq.NotificationReceiver(..., hooks=hooks)

    **Spans.** The span of a call is a child of the span that is current where the call is made, and named after the
    operation. Each attempt is a child of it, current while the attempt runs. It is sent to the platform as
    ``traceparent``, once: where aiohttp's instrumentation is on, its own span, a child of the attempt's, takes that
    place. A ``traceparent`` in ``extra_headers`` takes precedence. A notification is a span in the one that is current
    in its route. Attributes follow the semantic conventions of HTTP clients where they have a name, and begin with
    ``kfq.`` otherwise; ids are among them, and nothing personal.

    **Links.** The span of a notification to a bound URL (`CallbackUrls`) links to that of its request, which is found
    by the ``clientRequestId`` in the URL. The trace of a request is kept where it was made, since the URL is part of
    the request, and must be the same whenever that is sent again. By default this process keeps the newest 10,000; a
    notification that reaches another worker, or the next process, has no link then, but the same
    ``kfq.client_request_id``. ``request_traces`` lets workers share them.

    **Metrics.** ``kfq.client.call.duration`` (histogram, seconds, one per call), ``kfq.client.attempts`` (counter),
    ``kfq.client.slot.wait`` and ``kfq.client.rate_limit.wait`` (histograms, seconds), and
    ``kfq.notification.duration`` (histogram, seconds, one per notification, with its outcome).

    Args:
        tracer_provider: Provider of the spans; ``None`` for the global one.
        meter_provider: Provider of the metrics; ``None`` for the global one.
        request_traces: Where to keep the ``traceparent`` of each request by its ``clientRequestId``, such as a cache
            that workers share; ``None`` for this process. It is used in the event loop, so it must not block.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        request_traces: MutableMapping[str, str] | None = None,
    ) -> None:
        self._request_traces: MutableMapping[str, str] = {} if request_traces is None else request_traces
        self._shared = request_traces is not None
        self._call: ContextVar[_LiveCall] = ContextVar("kfq_async.opentelemetry.call")
        """The call that runs in a task: a call that a token's provider makes runs within another one."""
        self._tracer = trace.get_tracer("kfq_async", __version__, tracer_provider)
        meter = metrics.get_meter("kfq_async", __version__, meter_provider)
        self._duration, self._slot_wait, self._rate_limit_wait, self._notification_duration = (
            meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=_BUCKETS)
            for name, description in (
                ("kfq.client.call.duration", "Duration of calls, with waits and retries"),
                ("kfq.client.slot.wait", "Waits of calls for a slot of the session, or for its lane"),
                ("kfq.client.rate_limit.wait", "Waits of calls for the session's rate limit"),
                ("kfq.notification.duration", "Duration of notifications, until their outcome is known"),
            )
        )
        self._attempts = meter.create_counter("kfq.client.attempts", "{attempt}", "Attempts of calls")

    def on_attempt_start(self, event: AttemptStart) -> Mapping[str, str]:
        """Start the span of an attempt, and of its call if it is the first one; return its ``traceparent``."""
        now = time.time_ns()
        if event.attempt == 1:
            call = self._start_call(event.operation, event.client_request_id, now - _nanoseconds(event.offset))
        else:
            call = self._call.get()
            call.span.add_event("retry", {"http.request.resend_count": event.attempt - 1}, now)
        span = self._tracer.start_span(
            event.operation,
            trace.set_span_in_context(call.span),
            SpanKind.CLIENT,
            _present(_attempt_attributes(event)),
            start_time=now,
        )
        current = trace.set_span_in_context(span)
        call.attempt, call.outer_context = span, context.attach(current)
        return _headers_of(current)

    def on_attempt(self, event: AttemptEvent) -> None:
        """End the span of an attempt."""
        call = self._call.get()
        context.detach(call.outer_context)
        call.attempt.set_attributes(_present(_result_attributes(event)))
        call.attempt.set_status(_status(event.error))
        call.attempt.end()
        self._attempts.add(1, _present({"kfq.operation": event.operation, "error.type": event.error}))

    def on_call(self, event: CallEvent) -> None:
        """End the span of a call; it is made here if the call had no attempt."""
        if event.attempts:
            call = self._call.get()
        else:
            started = time.time_ns() - _nanoseconds(event.seconds)
            call = self._start_call(event.operation, event.client_request_id, started)
        self._call.reset(call.outer_call)
        attributes = {
            **_result_attributes(event),
            "kfq.unique_code": event.unique_code,
            "kfq.attempts": event.attempts,
            "kfq.order_no": event.order_no,
            "kfq.contract_id": event.contract_id,
            "kfq.stopped": event.stopped,
            "kfq.slot_wait": event.slot_wait,
            "kfq.rate_limit_wait": event.rate_limit_wait,
        }
        call.span.set_attributes(_present(attributes))
        call.span.set_status(_status(event.error))
        call.span.end()
        labels = _present({"kfq.operation": event.operation, "error.type": event.error})
        self._duration.record(event.seconds, labels)
        self._slot_wait.record(event.slot_wait, labels)
        self._rate_limit_wait.record(event.rate_limit_wait, labels)
        self._keep(event.client_request_id, call.span)

    def on_notification(self, event: NotificationEvent) -> None:
        """Record a notification."""
        outcome: dict[str, AttributeValue | None] = {
            "kfq.notification.kind": event.kind,
            "kfq.notification.outcome": event.outcome.value,
            "kfq.notification.reason": None if event.reason is None else str(event.reason),
            "error.type": event.error,
        }
        self._notification_duration.record(event.seconds, _present(outcome))
        attributes = {
            **outcome,
            "http.response.status_code": event.http_status,
            "kfq.client_request_id": event.client_request_id,
            "kfq.order_no": event.order_no,
            "kfq.contract_id": event.contract_id,
            "kfq.notification.status": event.status,
            "kfq.notification.key": event.key,
        }
        end = time.time_ns()
        span = self._tracer.start_span(
            f"process {event.kind} notification",
            kind=SpanKind.CONSUMER,
            attributes=_present(attributes),
            links=self._links(event.client_request_id),
            start_time=end - _nanoseconds(event.seconds),
        )
        in_doubt = event.outcome is NotificationOutcome.IN_DOUBT
        span.set_status(_status(event.error or (event.reason if in_doubt else None)))
        span.end(end)

    def _start_call(self, operation: str, client_request_id: str | None, started: int) -> _LiveCall:
        attributes = {"kfq.operation": operation, "kfq.client_request_id": client_request_id}
        call = _LiveCall(self._tracer.start_span(operation, attributes=_present(attributes), start_time=started))
        call.outer_call = self._call.set(call)
        return call

    def _keep(self, client_request_id: str | None, span: Span) -> None:
        """Keep the trace of a request for its notifications; in this process, those of the newest requests."""
        traces, traceparent = self._request_traces, _headers_of(trace.set_span_in_context(span)).get(_TRACEPARENT)
        if client_request_id is None or traceparent is None:
            return
        if not self._shared:
            traces.pop(client_request_id, None)
            if len(traces) == MAX_REQUESTS:
                del traces[next(iter(traces))]
        traces[client_request_id] = traceparent

    def _links(self, client_request_id: str | None) -> list[Link]:
        """Return the link to the request of a notification, if its trace is known."""
        traceparent = None if client_request_id is None else self._request_traces.get(client_request_id)
        if traceparent is None:
            return []
        found = trace.get_current_span(_TRACE_CONTEXT.extract({_TRACEPARENT: traceparent}, Context()))
        return [Link(found.get_span_context())]


class _LiveCall:
    """Call under way: its span, that of the newest attempt, and what restores the context before each of them."""

    attempt: Span
    outer_call: Token[_LiveCall]
    outer_context: Token[Context]

    def __init__(self, span: Span) -> None:
        self.span = span


def _attempt_attributes(event: AttemptStart) -> dict[str, AttributeValue | None]:
    method, _, path = event.operation.partition(" ")
    url = URL(event.url)
    return {
        "http.request.method": method,
        "http.request.resend_count": event.attempt - 1 or None,
        "server.address": url.host,
        "server.port": url.port,
        "url.full": event.url,
        "url.template": path,
        "kfq.client_request_id": event.client_request_id,
        "kfq.unique_code": event.unique_code,
        "kfq.slot_wait": event.slot_wait,
        "kfq.rate_limit_wait": event.rate_limit_wait,
    }


def _result_attributes(event: AttemptEvent | CallEvent) -> dict[str, AttributeValue | None]:
    return {
        "error.type": event.error,
        "http.response.status_code": event.http_status,
        "kfq.code": event.code,
        "kfq.phase": event.phase.value,
    }


def _headers_of(current: Context) -> dict[str, str]:
    headers: dict[str, str] = {}
    _TRACE_CONTEXT.inject(headers, current)
    return headers


def _present(attributes: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    return {name: value for name, value in attributes.items() if value is not None}


def _status(error: str | None) -> Status:
    return Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NANOSECONDS)
