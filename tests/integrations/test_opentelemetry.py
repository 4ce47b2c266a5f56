"""OpenTelemetry integration: spans of calls and attempts, and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from calls import REQUEST, TOKEN, error_of, open_session, refusal, respond
from kfq_async.integrations.opentelemetry import OpenTelemetryHooks
from kfq_async.resources.auth import CORP_IDENT_LINK
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

OPERATION = "POST /auth/corp/ident/link"


class Telemetry:
    """Providers that keep what is recorded."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader])
        self.hooks = OpenTelemetryHooks(tracer_provider=self.tracer_provider, meter_provider=self.meter_provider)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Spans in the order in which they were ended."""
        return self.exporter.get_finished_spans()

    def points(self) -> dict[tuple[str, str | None], Any]:
        """Return counts by name of the metric and kind of error."""
        data: Any = self._reader.get_metrics_data()
        return {
            (metric.name, point.attributes.get("error.type")): getattr(point, "count", None) or point.value
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }


def complete(span: ReadableSpan) -> Any:
    """Return a span of which everything is set."""
    return span


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span without those of waits."""
    return {name: value for name, value in (span.attributes or {}).items() if not name.endswith("_wait")}


async def test_spans_of_a_call_with_a_retry() -> None:
    """A call is a span in the caller's, each attempt a child of it, with the ids of both, and the retry an event."""
    telemetry = Telemetry()
    async with (
        ScriptedServer(respond(http_response({}, 503), success())) as server,
        open_session(server, hooks=[telemetry.hooks]) as session,
    ):
        with telemetry.tracer_provider.get_tracer("service").start_as_current_span("request") as outer:
            response = await session.send(CORP_IDENT_LINK, REQUEST)
    first, second, call, _ = map(complete, telemetry.spans)
    assert (call.name, call.kind, call.status.status_code) == (OPERATION, SpanKind.INTERNAL, StatusCode.UNSET)
    assert call.parent.span_id == outer.get_span_context().span_id
    ids = {"kfq.client_request_id": REQUEST.client_request_id}
    assert attributes_of(call) == {
        **ids,
        "kfq.unique_code": response.unique_code,
        "kfq.attempts": 2,
        "kfq.code": 10000,
        "kfq.phase": "answered",
        "http.response.status_code": 200,
    }
    for attempt in (first, second):
        assert (attempt.name, attempt.kind) == (OPERATION, SpanKind.CLIENT)
        assert attempt.parent.span_id == call.context.span_id
        assert call.start_time <= attempt.start_time <= attempt.end_time <= call.end_time
    request = {**ids, "http.request.method": "POST", "url.template": "/auth/corp/ident/link"}
    assert (
        attributes_of(first).items()
        >= {
            **request,
            "http.response.status_code": 503,
            "error.type": "GatewayError",
            "kfq.phase": "sent",
        }.items()
    )
    assert attributes_of(second) == {
        **request,
        "kfq.unique_code": response.unique_code,
        "kfq.code": 10000,
        "kfq.phase": "answered",
        "http.response.status_code": 200,
        "http.request.resend_count": 1,
    }
    assert first.status.description == "GatewayError"
    (event,) = call.events
    assert (event.name, event.timestamp) == ("retry", second.start_time)
    assert telemetry.points() == {
        ("kfq.client.call.duration", None): 1,
        ("kfq.client.slot.wait", None): 1,
        ("kfq.client.rate_limit.wait", None): 1,
        ("kfq.client.attempts", None): 1,
        ("kfq.client.attempts", "GatewayError"): 1,
    }


async def test_failed_call() -> None:
    """A failed call has the name of its error as status, and nothing of token or request is recorded."""
    telemetry = Telemetry()
    async with (
        ScriptedServer(respond(refusal(41000, f"token {TOKEN} 13800138000"))) as server,
        open_session(server, hooks=[telemetry.hooks]) as session,
    ):
        await error_of(session, CORP_IDENT_LINK, REQUEST)
    attempt, call = telemetry.spans
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, "CredentialsError")
    assert attributes_of(call)["kfq.code"] == 41000
    recorded = f"{call.to_json()} {attempt.to_json()} {telemetry.points()}"
    assert not [secret for secret in (TOKEN, "13800138000", "127.0.0.1") if secret in recorded]


@pytest.mark.filterwarnings("error")
async def test_without_providers() -> None:
    """Without an SDK the hooks record nothing, and the call succeeds."""
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[OpenTelemetryHooks()]) as session,
    ):
        assert (await session.auth.corp_ident_link(REQUEST)).order_no == "N1"
