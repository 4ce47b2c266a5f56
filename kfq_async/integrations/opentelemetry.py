"""OpenTelemetry integration (extra ``otel``): spans and metrics of calls, made of the session's hooks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from kfq_async._version import __version__
from kfq_async.hooks import AttemptEvent, CallEvent, Hooks

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

__all__ = ["OpenTelemetryHooks"]

_NANOSECONDS = 1_000_000_000


class OpenTelemetryHooks(Hooks):
    """Records each call as a span, with a child for each attempt, and as metrics.

    ``kfq.AsyncSession(..., hooks=[OpenTelemetryHooks()])``

    The span of a call is a child of the span that is current where the call is made, and is named after the operation.
    It is recorded when the call ends, with the times of the call. Attributes follow the semantic conventions of HTTP
    clients where they have a name, and begin with ``kfq.`` otherwise; ids are among them, and nothing personal. No
    ``traceparent`` is sent: the platform documents no use of one, and aiohttp's instrumentation sends it if it is on.

    Metrics: ``kfq.client.call.duration`` (histogram, seconds), ``kfq.client.attempts`` (counter),
    ``kfq.client.slot.wait`` and ``kfq.client.rate_limit.wait`` (histograms, seconds).

    Args:
        tracer_provider: Provider of the spans; ``None`` for the global one.
        meter_provider: Provider of the metrics; ``None`` for the global one.
    """

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer("kfq_async", __version__, tracer_provider)
        meter = metrics.get_meter("kfq_async", __version__, meter_provider)
        self._duration = meter.create_histogram(
            "kfq.client.call.duration", "s", "Duration of calls, with waits and retries"
        )
        self._attempts = meter.create_counter("kfq.client.attempts", "{attempt}", "Attempts of calls")
        self._slot_wait = meter.create_histogram(
            "kfq.client.slot.wait", "s", "Waits of calls for a slot of the session, or for its lane"
        )
        self._rate_limit_wait = meter.create_histogram(
            "kfq.client.rate_limit.wait", "s", "Waits of calls for the session's rate limit"
        )

    def on_call(self, event: CallEvent) -> None:
        """Record a call."""
        end = time.time_ns()
        start = end - round(event.seconds * _NANOSECONDS)
        span = self._tracer.start_span(
            event.operation,
            attributes=_present({**_attributes(event), "kfq.attempts": event.attempts}),
            start_time=start,
        )
        context = trace.set_span_in_context(span)
        for attempt in event.attempt_events:
            began = start + round(attempt.offset * _NANOSECONDS)
            if attempt.attempt > 1:
                span.add_event("retry", {"http.request.resend_count": attempt.attempt - 1}, timestamp=began)
            self._record_attempt(attempt, context, began)
        span.set_status(_status(event))
        span.end(end)
        labels = _present({"kfq.operation": event.operation, "error.type": event.error})
        self._duration.record(event.seconds, labels)
        self._slot_wait.record(event.slot_wait, labels)
        self._rate_limit_wait.record(event.rate_limit_wait, labels)

    def _record_attempt(self, attempt: AttemptEvent, context: Context, began: int) -> None:
        method, _, path = attempt.operation.partition(" ")
        attributes = {
            **_attributes(attempt),
            "http.request.method": method,
            "url.template": path,
            "http.request.resend_count": attempt.attempt - 1 or None,
        }
        span = self._tracer.start_span(
            f"{method} {path}", context, SpanKind.CLIENT, _present(attributes), start_time=began
        )
        span.set_status(_status(attempt))
        span.end(began + round(attempt.seconds * _NANOSECONDS))
        self._attempts.add(1, _present({"kfq.operation": attempt.operation, "error.type": attempt.error}))


def _attributes(event: AttemptEvent | CallEvent) -> dict[str, AttributeValue | None]:
    return {
        "error.type": event.error,
        "http.response.status_code": event.http_status,
        "kfq.client_request_id": event.client_request_id,
        "kfq.unique_code": event.unique_code,
        "kfq.code": event.code,
        "kfq.phase": event.phase.value,
        "kfq.slot_wait": event.slot_wait,
        "kfq.rate_limit_wait": event.rate_limit_wait,
    }


def _present(attributes: dict[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    return {name: value for name, value in attributes.items() if value is not None}


def _status(event: AttemptEvent | CallEvent) -> Status:
    return Status(StatusCode.UNSET) if event.error is None else Status(StatusCode.ERROR, event.error)
