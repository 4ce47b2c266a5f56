"""Tracers, middlewares, error trackers and debug logs: none of them shows a secret of a call."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import observed_process
from calls import refusal
from kfq_async import AsyncSession, CorpIdentLinkRequest, OprIdentInfo, Rsa2Signer
from servers import ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

LINK = "https://platform.example/auth?code=LINK-SECRET"
PERSONAL = {
    "token": "TK7SECRET",
    "name": "李四光",
    "id card": "110101199001011234",
    "mobile": "13900139000",
    "account": "ACCOUNT-1",
    "page": "https://your-domain.example/callback?state=PAGE-SECRET",
}
HALF = http_response({"result": {"authUrl": LINK, "orderNo": "N1"}})[:-9]


async def platform(_number: int, seen: ReceivedRequest) -> bytes | tuple[bytes, ...] | None:
    """Respond to each operation in its own way."""
    match seen.target.partition("?")[0].partition("/V2")[2]:
        case "/contract/tasks":
            return success({"status": "1", "todoTaskList": []})
        case "/contract/pageUrl":
            return success({"pageUrl": LINK})
        case "/refused":
            return refusal(31000, "；".join(PERSONAL.values()))
        case "/unreadable":
            return success({"orderNo": [LINK], "authUrl": {"a": LINK}, "other": PERSONAL})
        case "/lost":
            return None
        case "/half":
            return (HALF, *[b""] * 20)
    return success({"orderNo": "N1", "authUrl": LINK})


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that responds as `platform` does."""
    async with ScriptedServer(platform) as server:
        yield server


@pytest.fixture(scope="module")
def key() -> str:
    """A private key as the platform's pages show it."""
    private_key = rsa.generate_private_key(65537, 1024)
    return base64.b64encode(private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def check_secrets(texts: Iterable[str], seen: Iterable[ReceivedRequest], key: str = "") -> None:
    """Check that no text has a secret: of the requests, of their credentials, or of the responses."""
    sent = {"link": "LINK-SECRET", "page's secret": "PAGE-SECRET", "key": key[100:140] or "no key"}
    for number, request in enumerate(seen):
        if request.headers["sign"]:
            sent[f"signature {number}"] = request.headers["sign"]
    for text in texts:
        shown = [name for name, value in {**PERSONAL, **sent}.items() if value in text]
        assert not shown, f"{shown} in {text[:4000]}"


async def make_calls(server: ScriptedServer, key: str) -> None:
    """Make a call of each family, with a signature."""
    request = CorpIdentLinkRequest(
        account_name=PERSONAL["mobile"],
        opr_ident_info=OprIdentInfo(name=PERSONAL["name"], id_card=PERSONAL["id card"]),
        callback_page=PERSONAL["page"],
    )
    async with AsyncSession(PERSONAL["token"], base_url=server.base_url, signer=Rsa2Signer(key)) as session:
        assert (await session.auth.corp_ident_link(request)).auth_url == LINK
        await session.contracts.tasks("C-1")
        view = session.with_options(operator_account=PERSONAL["account"])
        page = await view.contracts.page_url("C-1", PERSONAL["mobile"], party_name=PERSONAL["name"])
        assert page.page_url == LINK
    assert [f"appAuthToken={PERSONAL['token']}&" in seen.target for seen in server.requests] == [False, True, True]
    assert f"contact={PERSONAL['mobile']}&" in server.requests[2].target
    assert f"operatorAccount={PERSONAL['account']}&" in server.requests[2].target


async def test_opentelemetry(server: ScriptedServer, key: str) -> None:
    """OpenTelemetry makes a span for each call and passes its context on once; the spans have no credentials."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    AioHttpClientInstrumentor().instrument(tracer_provider=provider)
    try:
        await make_calls(server, key)
    finally:
        AioHttpClientInstrumentor().uninstrument()
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    assert [f"{server.base_url}/kaifangqian/openAPI/V2/" in span for span in spans] == [True] * 3
    assert "contractId=C-1" in spans[1]
    assert [len(seen.headers.getall("traceparent")) for seen in server.requests] == [1] * 3
    check_secrets(spans, server.requests, key)


async def test_debug_logging(server: ScriptedServer, key: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither asyncio's debug log, with every callback, nor aiohttp's shows a secret."""
    caplog.set_level(logging.DEBUG)
    loop = asyncio.get_running_loop()
    before, loop.slow_callback_duration = (loop.get_debug(), loop.slow_callback_duration), 0
    loop.set_debug(True)
    try:
        await make_calls(server, key)
    finally:
        loop.set_debug(before[0])
        loop.slow_callback_duration = before[1]
    assert "Executing <" in caplog.text
    check_secrets([caplog.text], server.requests, key)


async def test_tracer_and_middleware(server: ScriptedServer, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No signal of a tracer, no middleware and no replacement of ``ClientRequest.send`` sees a URL with credentials."""
    urls: list[object] = []
    signals = []

    def observe(name: str) -> Any:
        async def hook(_session: object, _context: object, params: Any) -> None:
            signals.append(name)
            urls.extend(getattr(params, part, None) for part in ("url", "exception"))
            if response := getattr(params, "response", None):
                urls.extend([response, response.url, response.real_url, response.request_info])

        return hook

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        urls.extend([request.url, request.original_url, request.request_info, response.url, response.request_info])
        return response

    async def send(self: aiohttp.ClientRequest, conn: Any) -> aiohttp.ClientResponse:
        urls.extend([self.url, self.request_info, conn])
        response = await original_send(self, conn)
        urls.extend([self.url, self.request_info, response, response.request_info])
        return response

    def initialize(self: aiohttp.ClientSession, *args: Any, **options: Any) -> None:
        original_init(self, *args, **options, trace_configs=[config], middlewares=[middleware])

    config = aiohttp.TraceConfig()
    for name in (name for name in dir(config) if name.startswith("on_")):
        getattr(config, name).append(observe(name))
    original_init, original_send = aiohttp.ClientSession.__init__, aiohttp.ClientRequest.send
    monkeypatch.setattr(aiohttp.ClientSession, "__init__", initialize)
    monkeypatch.setattr(aiohttp.ClientRequest, "send", send)
    await make_calls(server, key)
    assert {"on_request_start", "on_request_headers_sent", "on_request_end"} <= set(signals)
    shown = [f"{url} {url!r}" for url in urls]
    assert any("contract/tasks?contractId=C-1" in text for text in shown)
    codes = [seen.target.partition("uniqueCode=")[2].partition("&")[0] for seen in server.requests[1:]]
    assert not [text for text in shown for code in codes if code in text]
    check_secrets(shown, server.requests, key)


async def test_tracebacks_with_local_variables(server: ScriptedServer, key: str) -> None:
    """Calls that fail show no secret in the frames' variables, aiohttp's included, whatever tool prints them.

    They fail by themselves, by hooks of a tracer and by a middleware. Sentry's breadcrumbs and spans show none either.
    """
    values = {**PERSONAL, "base_url": server.base_url, "key": key, "control": "CONTROL-VALUE"}
    script, pipe = str(Path(observed_process.__file__)), asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, script, stdin=pipe, stdout=pipe)
    output, _ = await process.communicate(json.dumps(values).encode())
    assert process.returncode == 0
    recorded = orjson.loads(output)
    for tool, texts in recorded.items():
        assert sum("CONTROL-VALUE" in text for text in texts) >= len(observed_process.FAILURES), tool
        assert any("client_reqrep.py" in text for text in texts), tool
        check_secrets(texts, server.requests, key)
    assert any('"op": "http.client"' in text and "contractId=C-1" in text for text in recorded["sentry"])
    assert any('"category": "httplib"' in text for text in recorded["sentry"])
