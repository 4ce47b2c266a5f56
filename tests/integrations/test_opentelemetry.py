"""OpenTelemetry integration: spans of calls, attempts and notifications, ``traceparent``, and metrics."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from yarl import URL

import kfq_async as kfq
from calls import REQUEST, TOKEN, error_of, never_respond, open_session, refusal, respond
from kfq_async.integrations import opentelemetry
from kfq_async.integrations.opentelemetry import OpenTelemetryHooks
from kfq_async.resources.auth import CORP_IDENT_LINK
from senders import make_body
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from servers import ReceivedRequest

OPERATION = "POST /auth/corp/ident/link"


class Telemetry:
    """Providers that keep what is recorded."""

    def __init__(self, request_traces: dict[str, str] | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader])
        self.hooks = OpenTelemetryHooks(
            tracer_provider=self.tracer_provider, meter_provider=self.meter_provider, request_traces=request_traces
        )

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Spans in the order in which they were ended."""
        return self.exporter.get_finished_spans()

    def points(self) -> dict[tuple[str, str | None], Any]:
        """Return counts by name of the metric and kind of error."""
        data: Any = self._reader.get_metrics_data()
        counts: Counter[tuple[str, str | None]] = Counter()
        for resource in data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        error = point.attributes.get("error.type")
                        counts[metric.name, error] += getattr(point, "count", None) or point.value
        return counts


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
        origin = URL(server.origin)
    first, second, call, _ = map(complete, telemetry.spans)
    assert (call.name, call.kind, call.status.status_code) == (OPERATION, SpanKind.INTERNAL, StatusCode.UNSET)
    assert call.parent.span_id == outer.get_span_context().span_id
    ids = {"kfq.client_request_id": REQUEST.client_request_id}
    assert attributes_of(call) == {
        **ids,
        "kfq.operation": OPERATION,
        "kfq.unique_code": response.unique_code,
        "kfq.attempts": 2,
        "kfq.order_no": "N1",
        "kfq.code": 10000,
        "kfq.phase": "answered",
        "http.response.status_code": 200,
    }
    for attempt in (first, second):
        assert (attempt.name, attempt.kind) == (OPERATION, SpanKind.CLIENT)
        assert attempt.parent.span_id == call.context.span_id
        assert call.start_time <= attempt.start_time <= attempt.end_time <= call.end_time
    request = {
        **ids,
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": origin.port,
        "url.full": f"{origin}/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link",
        "url.template": "/auth/corp/ident/link",
    }
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
    assert not [secret for secret in (TOKEN, "13800138000") if secret in recorded]


@pytest.mark.filterwarnings("error")
async def test_without_providers() -> None:
    """Without an SDK the hooks record nothing, and the call succeeds."""
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[OpenTelemetryHooks()]) as session,
    ):
        assert (await session.auth.corp_ident_link(REQUEST)).order_no == "N1"


def span_ids(seen: ReceivedRequest) -> tuple[int, int]:
    """Return trace and span of the one ``traceparent`` that a request has."""
    (traceparent,) = seen.headers.getall("traceparent")
    _, trace_id, span_id, _ = traceparent.split("-")
    return int(trace_id, 16), int(span_id, 16)


def ids_of(span: ReadableSpan) -> tuple[int, int]:
    """Return trace and span of a span."""
    found = complete(span).context
    return found.trace_id, found.span_id


class TracingSigner:
    """Signer that records a span of its own."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._tracer = telemetry.tracer_provider.get_tracer("signer")

    def sign(self, _: kfq.SigningInput) -> str:
        """Return a signature."""
        with self._tracer.start_as_current_span("sign"):
            return "S"


async def test_the_span_of_an_attempt_is_current() -> None:
    """What an attempt does is below its span; each attempt sends its own ``traceparent``, and nothing stays behind."""
    telemetry = Telemetry()
    async with (
        ScriptedServer(respond(http_response({}, 503), success())) as server,
        open_session(server, hooks=[telemetry.hooks], signer=TracingSigner(telemetry)) as session,
    ):
        await session.auth.corp_ident_link(REQUEST)
    names = [span.name for span in telemetry.spans]
    assert names == ["sign", OPERATION, "sign", OPERATION, OPERATION]
    first, second = telemetry.spans[1], telemetry.spans[3]
    assert [complete(span).parent.span_id for span in telemetry.spans if span.name == "sign"] == [
        ids_of(first)[1],
        ids_of(second)[1],
    ]
    assert [span_ids(seen) for seen in server.requests] == [ids_of(first), ids_of(second)]
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_traceparent_under_the_instrumentation_of_aiohttp() -> None:
    """The instrumentation's span is below that of the attempt, and its ``traceparent`` is the only one."""
    telemetry = Telemetry()
    AioHttpClientInstrumentor().instrument(tracer_provider=telemetry.tracer_provider)
    try:
        async with (
            ScriptedServer(respond(success(), success({"status": "1", "todoTaskList": []}))) as server,
            open_session(server, hooks=[telemetry.hooks]) as session,
        ):
            await session.auth.corp_ident_link(REQUEST)
            await session.contracts.tasks("C-1")
    finally:
        AioHttpClientInstrumentor().uninstrument()
    for seen, (http, attempt, _) in zip(server.requests, [telemetry.spans[:3], telemetry.spans[3:]], strict=True):
        assert complete(http).parent.span_id == ids_of(attempt)[1]
        assert span_ids(seen) == ids_of(http)


async def test_traceparent_of_the_caller() -> None:
    """A ``traceparent`` in ``extra_headers`` is sent as it is; without hooks none is sent."""
    own = f"00-{'1' * 32}-{'2' * 16}-01"
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server) as session,
    ):
        view = session.with_options(hooks=[Telemetry().hooks])
        await view.send(CORP_IDENT_LINK, REQUEST, extra_headers={"Traceparent": own})
        await session.auth.corp_ident_link(REQUEST)
    assert [seen.headers.getall("traceparent", []) for seen in server.requests] == [[own], []]


async def test_call_without_an_attempt() -> None:
    """A call that ends in the queue is a span without children."""
    telemetry, sent = Telemetry(), asyncio.Event()

    async def receive(number: int, seen: ReceivedRequest) -> bytes | None:
        sent.set()
        return await never_respond(number, seen)

    async with ScriptedServer(receive) as server, open_session(server, concurrency=1) as session:
        first = asyncio.create_task(session.auth.corp_ident_link(REQUEST))
        await sent.wait()
        view = session.with_options(timeouts=kfq.Timeouts(total=0.05), hooks=[telemetry.hooks])
        await error_of(view, CORP_IDENT_LINK, REQUEST)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    (call,) = map(complete, telemetry.spans)
    assert (call.status.description, attributes_of(call)["kfq.attempts"]) == ("PoolTimeout", 0)
    assert call.attributes["kfq.slot_wait"] > 0
    assert call.end_time - call.start_time >= call.attributes["kfq.slot_wait"] * 1e9


async def test_call_within_a_call() -> None:
    """A token's provider may call the platform itself, before the first attempt and between attempts."""
    telemetry = Telemetry()
    async with (
        ScriptedServer(respond(success(), refusal(41000), success(), success())) as server,
        open_session(server, hooks=[telemetry.hooks]) as inner,
    ):
        tokens = iter(["OLD", "NEW"])

        async def provide() -> str:
            await inner.auth.corp_ident_link(REQUEST)
            return next(tokens)

        await inner.for_token(provide).send(CORP_IDENT_LINK, REQUEST)
    calls = [span for span in map(complete, telemetry.spans) if span.kind is SpanKind.INTERNAL]
    attempts = [span for span in map(complete, telemetry.spans) if span.kind is SpanKind.CLIENT]
    before, between, outer = (span.context.span_id for span in calls)
    assert [span.parent.span_id for span in attempts] == [before, outer, between, outer]
    assert [attributes_of(span)["kfq.attempts"] for span in calls] == [1, 1, 2]


URLS = kfq.CallbackUrls([b"a secret of 32 random bytes....."], page="https://a.example/p", notify="https://a.example/n")


async def link(server: ScriptedServer, hooks: kfq.Hooks) -> str:
    """Make a request with bound URLs, and return the path of its notification."""
    request = URLS.bind(kfq.CorpIdentLinkRequest())
    async with open_session(server, hooks=[hooks]) as session:
        await session.auth.corp_ident_link(request)
    return URL(request.auth_callback_url or "").raw_path


async def fail(_: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
    """Fail to handle a notification."""
    raise LookupError("张三")


async def test_notification_links_to_its_request() -> None:
    """A notification is a span in that of its route, with a link to the span of the call that bound its URL."""
    telemetry = Telemetry()
    receiver = kfq.NotificationReceiver(AsyncMock(), urls=URLS, hooks=[telemetry.hooks])
    async with ScriptedServer(respond(success())) as server:
        await link(server, telemetry.hooks)
        path = await link(server, telemetry.hooks)
    call = telemetry.spans[-1]
    with telemetry.tracer_provider.get_tracer("service").start_as_current_span("route") as route:
        await receiver.receive(make_body(), {}, path)
    notification = complete(telemetry.spans[-2])
    assert (notification.name, notification.kind) == ("process identity notification", SpanKind.CONSUMER)
    assert notification.parent.span_id == route.get_span_context().span_id
    assert [(each.context.trace_id, each.context.span_id) for each in notification.links] == [ids_of(call)]
    request_id = attributes_of(call)["kfq.client_request_id"]
    assert attributes_of(notification) == {
        "kfq.notification.kind": "identity",
        "kfq.notification.outcome": "handled",
        "kfq.notification.status": "1",
        "kfq.notification.key": f"{request_id}:ORDER-1:1",
        "kfq.client_request_id": request_id,
        "kfq.order_no": "ORDER-1",
        "http.response.status_code": 200,
    }
    assert notification.status.status_code is StatusCode.UNSET
    assert telemetry.points()["kfq.notification.duration", None] == 1


async def test_link_between_workers() -> None:
    """Workers that share ``request_traces`` link to each other's requests; one that does not makes no link."""
    shared: dict[str, str] = {}
    one, other, alone = Telemetry(shared), Telemetry(shared), Telemetry()
    async with ScriptedServer(respond(success())) as server:
        path = await link(server, one.hooks)
    for worker in (other, alone):
        receiver = kfq.NotificationReceiver(AsyncMock(), urls=URLS, hooks=[worker.hooks])
        await receiver.receive(make_body(), {}, path)
    (linked,), (unlinked,) = map(complete, other.spans), map(complete, alone.spans)
    assert [each.context.span_id for each in linked.links] == [ids_of(one.spans[-1])[1]]
    assert not unlinked.links


async def test_newest_requests_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traces of the oldest requests are dropped; a request that is sent again counts as new."""
    monkeypatch.setattr(opentelemetry, "MAX_REQUESTS", 2)
    telemetry = Telemetry()
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, hooks=[telemetry.hooks]) as session,
    ):
        for request_id in ("a", "b", "a", "c"):
            await session.auth.corp_ident_link(kfq.CorpIdentLinkRequest(client_request_id=request_id))
    assert list(telemetry.hooks._request_traces) == ["a", "c"]


async def test_failed_notification() -> None:
    """A notification whose handler raised, or is in doubt, is an error; one that was refused is none."""
    telemetry = Telemetry()
    receiver = kfq.NotificationReceiver(fail, urls=URLS, hooks=[telemetry.hooks])
    gate = asyncio.Event()

    async def wait(_: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
        await gate.wait()

    slow = kfq.NotificationReceiver(wait, urls=URLS, reply_timeout=0.01, hooks=[telemetry.hooks])
    async with ScriptedServer(respond(success())) as server:
        path = await link(server, Telemetry().hooks)
    await receiver.receive(make_body(), {}, path)
    await receiver.receive(b"[]", {}, path)
    await slow.receive(make_body(), {}, path)
    gate.set()
    await slow.aclose()
    failed, refused, unfinished, handled = map(complete, telemetry.spans)
    assert failed.status.description == "LookupError"
    assert attributes_of(failed)["kfq.notification.reason"] == "handler_failed"
    assert refused.status.status_code is StatusCode.UNSET
    assert (unfinished.status.description, handled.status.status_code) == ("unfinished", StatusCode.UNSET)
    assert "张三" not in failed.to_json()
    assert telemetry.points() == {
        ("kfq.notification.duration", "LookupError"): 1,
        ("kfq.notification.duration", None): 3,
    }
