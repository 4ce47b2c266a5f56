"""Errors as HTTP answers, bounded reading, and the session for web requests."""

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
        (kfq.PoolTimeout("no turn"), 503),
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
def test_the_table_of_statuses(error: KfqError, status: int) -> None:
    """Every error of the package has one status, and a body of names and numbers."""
    found = http_error(error)
    assert found.status == status
    assert found.body["error"]
    assert found.body["phase"] == error.phase


@pytest.mark.parametrize(("asked", "told"), [(None, "1"), (2.1, "3")])
def test_when_to_come_again(asked: float | None, told: str) -> None:
    """Who asked too often learns after how many whole seconds to come again."""
    error = kfq.TooFrequentError(999999, None, http_status=429)
    error.retry_after = asked
    assert http_error(error).headers == {"Retry-After": told}


def test_an_answer_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What the browser is not told stands in the log, without people's data."""
    http_error(kfq.ServerError(91000, "手机号13800138000", http_status=500))
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("kfq_async", logging.ERROR)
    assert "code 91000" in record.message
    assert "138" not in record.message


async def test_no_more_is_read_than_wanted() -> None:
    """Reading stops with the chunk that is too much."""
    given = []

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"ab", b"cd", b"ef"):
            given.append(chunk)
            yield chunk

    assert await read_limited(chunks(), 6) == b"abcdef"
    given.clear()
    assert await read_limited(chunks(), 3) is None
    assert given == [b"ab", b"cd"]


async def test_a_session_for_web_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from the environment, and no call lasts longer than ten seconds unless told otherwise."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", "T")
    assert web_session()._settings.timeouts.total == 10
    assert web_session(timeouts=kfq.Timeouts(total=3))._settings.timeouts.total == 3
