"""Error responses, bounded reading, and sessions for web requests."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

import kfq_async as kfq
from kfq_async.errors import KfqError, Phase, RejectionReason
from kfq_async.integrations.web import http_error, read_limited, web_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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


@pytest.mark.parametrize(("retry_after", "expected"), [(None, "1"), (2.1, "3")])
def test_retry_after(retry_after: float | None, expected: str) -> None:
    """A rate-limited call has a ``Retry-After`` header in whole seconds, rounded up, at least 1."""
    error = kfq.TooFrequentError(999999, None, http_status=429)
    error.retry_after = retry_after
    assert http_error(error).headers == {"Retry-After": expected}


def test_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged on one line with its code and without personal data."""
    http_error(kfq.ServerError(91000, "\x1b[2J手机号13800138000\r\nERROR forged", http_status=500))
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("kfq_async", logging.ERROR)
    assert "error 91000" in record.message
    assert record.message.isprintable()
    assert not any(word in record.message for word in ("138", "forged"))


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
