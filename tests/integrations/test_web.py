"""Error responses, bounded reading, masked logs, and sessions for web requests."""

from __future__ import annotations

import asyncio
import logging
import logging.config
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kfq_async as kfq
from integrations.service import BOUND_PATH, URLS, Service
from kfq_async.errors import KfqError, Phase, RejectionReason
from kfq_async.integrations.web import (
    CallbackUrlFilter,
    IncompleteBody,
    handle_notification,
    http_error,
    mask_callback_urls,
    read_limited,
    web_session,
)
from output import package_records
from senders import make_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async.sandbox import Sandbox

MAC = BOUND_PATH.rpartition(".")[2]
MASKED_PATH = BOUND_PATH.replace(MAC, "***")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (kfq.CallbackRejected(RejectionReason.UNKNOWN_PATH), 404),
        (kfq.CallbackRejected(RejectionReason.BODY_MALFORMED), 400),
        (kfq.ParameterError(23000, None, http_status=200), 422),
        (kfq.EncodeError("no JSON"), 422),
        (kfq.BusinessError(51000, None, http_status=200), 409),
        (kfq.TooFrequentError(999999, None, http_status=200), 503),
        (kfq.PoolTimeout("no slot"), 503),
        (kfq.CredentialsError(31000, None, http_status=200), 502),
        (kfq.ServerError(91000, None, http_status=500), 502),
        (kfq.CertificateError("not trusted"), 502),
        (kfq.ConnectTimeout("too slow"), 504),
        (kfq.AttemptTimeout("too slow", phase=Phase.SENT), 504),
        (kfq.TotalTimeout("too slow"), 504),
        (kfq.ConnectError("refused"), 503),
        (kfq.SessionError("closed"), 500),
        (kfq.ConnectionLost("lost", phase=Phase.SENT), 502),
        (kfq.GatewayError(503), 502),
        (kfq.DecodeError(("missing @ $.orderNo",)), 502),
        (kfq.UnexpectedResponse("a page", http_status=200), 502),
        (kfq.OutcomeUnknown(kfq.ConnectionLost("lost", phase=Phase.SENT)), 502),
        (KfqError("anything else"), 502),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, KfqError) else str(value),
)
def test_statuses(error: KfqError, status: int) -> None:
    """Every error has a status, and a body with its name and phase."""
    response = http_error(error)
    assert response.status == status
    assert response.body["error"]
    assert response.body["phase"] == error.phase


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("请求字段校验失败：must be one of 1, 2, 3 @ $.corpIdentInfo.companyType", ["corpIdentInfo.companyType"]),
        (
            "needs noLogin @ $.signerList[0].width；required key missing @ $.approval；must be a number @ $.approval",
            ["signerList[0].width", "approval"],
        ),
        ("the request is empty: it needs corpIdentInfo or accountName @ $", None),
        ("must be one of 1, 2 @ $.张三.companyType", None),
        ("must be one of 1, 2 @ $.a13800138000", None),
        (f"{'企业，' * 96}参数，，@ $.namesake", None),  # the text of the error ends inside the path
        ("参数错误", None),
        (None, None),
    ],
)
def test_refused_fields(message: str | None, fields: list[str] | None) -> None:
    """The body has the paths of the fields that the platform refused, as far as the error's text shows them."""
    assert http_error(kfq.ParameterError(23000, message, http_status=200)).body.get("fields") == fields
    assert "fields" not in http_error(kfq.BusinessError(51000, message, http_status=200)).body


async def test_refused_field_of_a_call(kfq_sandbox: Sandbox) -> None:
    """A field that the platform refuses is named."""
    request = kfq.CorpIdentLinkRequest(account_name="zhangsan")
    async with kfq.AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url) as session:
        with pytest.raises(kfq.ParameterError) as caught:
            await session.auth.corp_ident_link(request)
    response = http_error(caught.value)
    assert (response.status, response.body["fields"]) == (422, ["accountName"])


@pytest.mark.parametrize(("retry_after", "expected"), [(None, "1"), (2.1, "3")])
def test_retry_after(retry_after: float | None, expected: str) -> None:
    """A rate-limited call has a ``Retry-After`` header in whole seconds, rounded up, at least 1."""
    error = kfq.TooFrequentError(999999, None, http_status=429)
    error.retry_after = retry_after
    assert http_error(error).headers == {"Retry-After": expected}


def test_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged on one line with its code and without personal data."""
    error = kfq.ServerError(91000, "\x1b[2J手机号13800138000\r\nERROR forged", http_status=500)
    error.client_request_id, error.unique_code, error.attempts = "row-1", "u-1", 3
    http_error(error)
    (record,) = package_records(caplog)
    assert (record.name, record.levelno) == ("kfq_async", logging.ERROR)
    assert "error 91000" in record.message
    assert record.message.isprintable()
    assert not any(word in record.message for word in ("138", "forged"))
    assert (vars(record)["error"], vars(record)["client_request_id"], vars(record)["unique_code"]) == (
        "ServerError",
        "row-1",
        "u-1",
    )
    assert record.message.endswith("; client_request_id=row-1 unique_code=u-1")
    assert (vars(record)["attempts"], vars(record)["code"], vars(record)["http_status"]) == (3, 91000, 500)


def test_error_without_ids_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An error outside a call has no ids, code or HTTP status."""
    http_error(kfq.SessionError("closed"))
    (record,) = package_records(caplog)
    assert record.message == "responded with 500: closed"
    assert (vars(record)["attempts"], vars(record)["code"], vars(record)["http_status"]) == (0, None, None)


async def test_read_limited() -> None:
    """Reading stops with the chunk that exceeds the limit."""
    consumed = []

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"ab", b"cd", b"ef"):
            consumed.append(chunk)
            yield chunk

    assert await read_limited(chunks(), 6) == b"abcdef"
    consumed.clear()
    assert await read_limited(chunks(), 3) is None
    assert consumed == [b"ab", b"cd"]


def test_web_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is configured from the environment."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", "T")
    monkeypatch.setenv("KFQ_BASE_URL", "https://platform.example")
    assert repr(web_session(concurrency=3)) == "<AsyncSession https://platform.example concurrency=3>"


def test_timeouts_of_a_web_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The total timeout is ten seconds unless ``timeouts`` are given."""
    used: list[kfq.Timeouts] = []
    monkeypatch.setattr(kfq.AsyncSession, "from_env", lambda *, timeouts: used.append(timeouts))
    web_session()
    web_session(timeouts=kfq.Timeouts(total=3))
    assert [timeouts.total for timeouts in used] == [10, 3]


async def body_of(*chunks: bytes | Exception) -> AsyncIterator[bytes]:
    """Return a body in chunks; an exception is raised."""
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


async def test_handled_notification() -> None:
    """A notification is acknowledged, and the connection stays open."""
    body = make_body()
    response = await handle_notification(Service().url_receiver, body_of(body[:9], body[9:]), {}, BOUND_PATH)
    assert (response.status, response.body, response.close) == (200, b"success", False)
    assert response.content_type == "text/plain; charset=utf-8"


async def test_body_of_a_stranger_is_not_read() -> None:
    """If the path is rejected, nothing of the body is read."""
    response = await handle_notification(Service().url_receiver, body_of(AssertionError()), {}, "/hooks/unknown")
    assert (response.status, response.close) == (401, True)


@pytest.mark.parametrize(
    ("chunks", "status", "event", "text"),
    [
        ([bytes(16_384), b"."], 400, "body_too_large", "the body is too large: more than max_body=16384 bytes"),
        (
            [b"{", IncompleteBody("the client disconnected")],
            400,
            "body_incomplete",
            "the body is incomplete: the client disconnected",
        ),
    ],
)
async def test_unreadable_body(
    chunks: list[bytes | Exception], status: int, event: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that cannot be read to its end is rejected with the id of its URL, and the connection must be closed."""
    caplog.set_level(logging.INFO, logger="kfq_async")
    service = Service()
    response = await handle_notification(service.url_receiver, body_of(*chunks), {}, BOUND_PATH)
    assert (response.status, response.close, service.events) == (status, True, [event])
    (record,) = package_records(caplog)
    assert record.message == f"notification rejected: {text}; client_request_id=row-1"


async def test_endless_body(caplog: pytest.LogCaptureFixture) -> None:
    """A body is given up after ``body_timeout``."""
    caplog.set_level(logging.INFO, logger="kfq_async")

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b" "

    service = Service(body_timeout=0.2)
    response = await handle_notification(service.url_receiver, chunks(), {}, BOUND_PATH)
    assert (response.status, response.close, service.events) == (503, True, ["body_timeout"])
    (record,) = package_records(caplog)
    assert record.message == (
        "notification rejected: the body took too long to arrive: incomplete after body_timeout=0.2 s; "
        "the sender was asked to retry; client_request_id=row-1"
    )


async def test_timeout_of_the_server() -> None:
    """A timeout that the body itself raises is not taken for ``body_timeout``."""
    with pytest.raises(TimeoutError, match="server"):
        await handle_notification(Service().url_receiver, body_of(TimeoutError("server")), {}, BOUND_PATH)


def formatted(message: object, *args: object, **extra: Any) -> str:
    """Return what a handler with the filter logs."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s" + "".join(f" %({name})s" for name in extra)))
    handler.addFilter(CallbackUrlFilter())
    logger = logging.Logger("masked")  # noqa: LOG001  # not among those of the process
    logger.addHandler(handler)
    logger.info(message, *args, extra=extra)
    return stream.getvalue().rstrip("\n")


def test_masked_records() -> None:
    """The HMAC is masked in messages, arguments of either kind, and attributes; all else stays as it is."""
    line = f'"POST {MASKED_PATH} HTTP/1.1" 200'
    assert formatted(f'"POST {BOUND_PATH} HTTP/1.1" 200') == line
    assert formatted('"%s %s HTTP/%s" %d', "POST", BOUND_PATH, "1.1", 200) == line
    assert formatted('"%(r)s" %(s)d', {"r": f"POST {BOUND_PATH} HTTP/1.1", "s": 200}) == line
    assert formatted("", request=f"POST http://127.0.0.1{BOUND_PATH}?a=1 x") == f" POST http://127.0.0.1{MASKED_PATH} x"
    assert formatted(f'"GET {BOUND_PATH}?phone=13800138000&x=1 HTTP/1.1" 200') == f'"GET {MASKED_PATH} HTTP/1.1" 200'
    assert formatted("/?phone=1") == "/?phone=1"
    assert formatted(ValueError("a problem")) == "a problem"
    record = logging.makeLogRecord({"msg": BOUND_PATH, "args": None})
    assert CallbackUrlFilter().filter(record)
    assert record.getMessage() == MASKED_PATH


@given(st.text(min_size=1), st.sampled_from(["", "?a=1", "#a", " HTTP/1.1", "'", '"', "/", "\n"]))
def test_masked_urls(request_id: str, end: str) -> None:
    """The URLs of every request are masked, percent-encoded or not; the id stays for troubleshooting."""
    try:
        bound = URLS.bind(kfq.CorpIdentLinkRequest(client_request_id=request_id))
    except ValueError:  # ids that no request can have
        return
    for url in (bound.callback_page, bound.auth_callback_url):
        head, _, mac = (url or "").rpartition(".")
        encoded_mac = "".join(f"%{ord(character):02X}" for character in mac)
        for spelling in (f"{head}.{mac}", f"{head}%2E{mac}", f"{head}.{encoded_mac}"):
            logged = formatted(f"{spelling}{end}")
            assert mac not in logged
            assert encoded_mac not in logged
            assert head in logged


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hooks/kfq",
        "/static/app.0123456789abcdef.js",
        f"/a.{MAC}a",
        f"/a.{MAC[1:]}",
        "/%2F%2F" * 20_000,
        "/" * 60_000,
    ],
)
def test_other_paths(path: str) -> None:
    """Paths that are no callback URLs are logged as they are, at any length."""
    assert formatted(path) == path


def test_mask_callback_urls() -> None:
    """The filter is added once, to the loggers of uvicorn, Sanic and aiohttp or to the named ones."""
    loggers = ["uvicorn.access", "sanic.access", "sanic.error", "sanic.root", "aiohttp.access", "aiohttp.server"]
    before = {name: list(logging.getLogger(name).filters) for name in [*loggers, "mine"]}
    try:
        mask_callback_urls()
        mask_callback_urls()
        mask_callback_urls("mine")
        for name in [*loggers, "mine"]:
            assert sum(isinstance(each, CallbackUrlFilter) for each in logging.getLogger(name).filters) == 1
    finally:
        for name, filters in before.items():
            logging.getLogger(name).filters[:] = filters


def test_filter_in_a_logging_configuration() -> None:
    """The filter can be named in a configuration of `logging.config`."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"urls": {"()": "kfq_async.integrations.web.CallbackUrlFilter"}},
            "loggers": {"configured": {"filters": ["urls"]}},
        }
    )
    record = logging.makeLogRecord({"msg": quote(BOUND_PATH)})
    logger = logging.getLogger("configured")
    assert logger.filter(record)
    assert MAC not in record.getMessage()
