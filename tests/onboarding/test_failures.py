"""Systemic failures: the errors that show them, the detector, and the circuit breaker of workers."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kfq_async import (
    ApiError,
    BusinessError,
    CertificateError,
    ClockError,
    ConnectError,
    CorpIdentLink,
    CredentialsError,
    KfqError,
    NonceError,
    NotFoundError,
    ParameterError,
    ServerError,
    SignatureError,
    UnexpectedResponse,
)
from kfq_async.onboarding.failures import (
    MAX_FAILURES,
    CircuitBreaker,
    SystemicFailureDetector,
    systemic_failure_advice,
)
from output import package_records

LINK = CorpIdentLink(order_no="1", auth_url="https://secret")
REFUSED_TOKEN = CredentialsError(41000, "token invalid", http_status=200)


def api_error(kind: type[ApiError], code: int = 31000) -> ApiError:
    """Return an error response from the platform."""
    return kind(code, "平台的话", http_status=200)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (api_error(BusinessError, 41003), "Top up"),
        (api_error(CredentialsError, 40000), "token"),
        (api_error(CredentialsError, 41000), "token"),
        (api_error(CredentialsError, 42000), "token"),
        (api_error(SignatureError), "signer's key"),
        (api_error(ClockError), "clock"),
        (api_error(NotFoundError), "base URL"),
        (UnexpectedResponse("x", http_status=302), "base URL"),
        (UnexpectedResponse("x", http_status=407), "base URL"),
        (CertificateError("x"), "CA"),
    ],
)
def test_systemic_failure(error: KfqError, advice: str) -> None:
    """The advice of an error that concerns every row names its remedy."""
    assert advice in (systemic_failure_advice(error) or "")


@pytest.mark.parametrize(
    "error",
    [
        api_error(BusinessError),
        api_error(ParameterError),
        api_error(NonceError),
        api_error(ServerError),
        ConnectError("x"),
        UnexpectedResponse("x", http_status=413),
    ],
)
def test_single_failure(error: KfqError) -> None:
    """An error that concerns one row has no advice."""
    assert systemic_failure_advice(error) is None


class Clock:
    """A clock that stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that the test sets."""
    return Clock()


def pauses(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the logged pauses."""
    return [record.getMessage().partition(":")[0] for record in package_records(caplog)]


@pytest.mark.parametrize("result", [LINK, BusinessError(31000, "no", http_status=200), ConnectError("refused")])
async def test_single_results_do_not_open_it(
    clock: Clock, result: CorpIdentLink | KfqError, caplog: pytest.LogCaptureFixture
) -> None:
    """After a link, a refusal or one lost response, calls may begin."""
    breaker = CircuitBreaker(clock=clock)
    breaker.record(result)
    await breaker.wait_until_closed()
    assert package_records(caplog) == []


def test_pause_doubles(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The pause doubles up to its bound, and is short again after a proper response."""
    breaker = CircuitBreaker(first=1.0, longest=3.0, clock=clock)
    for _ in range(3):
        breaker.record(REFUSED_TOKEN)
        clock.now += 10
    breaker.record(LINK)
    breaker.record(REFUSED_TOKEN)
    assert pauses(caplog) == ["paused for 1 s", "paused for 2 s", "paused for 3 s", "paused for 1 s"]
    assert "Check the token" in caplog.text


def test_concurrent_failures_are_one_pause(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Ten concurrent calls that fail for one reason cause one pause."""
    breaker = CircuitBreaker(clock=clock)
    for _ in range(10):
        breaker.record(REFUSED_TOKEN)
    assert pauses(caplog) == ["paused for 1 s"]


def test_calls_without_a_response(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Twenty lost responses in a row open it; a response in between starts the count anew."""
    breaker = CircuitBreaker(clock=clock)
    for _ in range(MAX_FAILURES - 1):
        breaker.record(ConnectError("refused"))
    breaker.record(LINK)
    for _ in range(MAX_FAILURES - 1):
        breaker.record(ConnectError("refused"))
    assert pauses(caplog) == []
    breaker.record(ConnectError("refused"))
    assert pauses(caplog) == ["paused for 1 s"]
    assert "base URL" in caplog.text


async def test_wait_until_closed() -> None:
    """A call waits while the breaker is open."""
    now = 0.0
    breaker = CircuitBreaker(first=0.01, longest=0.02, clock=lambda: now)
    breaker.record(REFUSED_TOKEN)
    waiting = asyncio.ensure_future(breaker.wait_until_closed())
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    now = 1.0
    await waiting


def test_log_masks_personal_data(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the known words of an error's message, on one line."""
    caplog.set_level(logging.WARNING)
    CircuitBreaker(clock=clock).record(CredentialsError(41000, "\n用户13800138000不存在", http_status=200))
    (record,) = package_records(caplog)
    assert record.message.isprintable()
    assert "“ 用户…不存在”" in record.message


@pytest.mark.parametrize("response", [LINK, BusinessError(31000, "no", http_status=200)])
def test_consecutive_failures(response: CorpIdentLink | KfqError) -> None:
    """Twenty calls in a row without a response are systemic; any response in between starts the count anew."""
    detector = SystemicFailureDetector()
    no_response: list[KfqError] = [ConnectError("x"), UnexpectedResponse("x", http_status=200)]
    many = no_response * MAX_FAILURES
    assert [detector.record(result) for result in many[: MAX_FAILURES - 1]] == [None] * (MAX_FAILURES - 1)
    assert detector.record(response) is None
    assert [detector.record(result) for result in many[: MAX_FAILURES - 1]] == [None] * (MAX_FAILURES - 1)
    assert "20 calls in a row" in (detector.record(many[0]) or "")
    assert detector.failures == MAX_FAILURES


def test_systemic_by_itself() -> None:
    """Some errors are systemic the first time."""
    detector = SystemicFailureDetector()
    assert "token" in (detector.record(CredentialsError(40000, "no", http_status=200)) or "")
    assert "base URL" in (detector.record(UnexpectedResponse("x", http_status=404)) or "")
    assert detector.failures == 1
