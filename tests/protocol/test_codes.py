"""Error codes: every documented code has its exception class and meaning."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kfq_async.errors import (
    ApiError,
    BusinessError,
    ClockError,
    CredentialsError,
    HiddenErrorPage,
    NonceError,
    NotFoundError,
    ParameterError,
    ServerError,
    SignatureError,
    TooFrequentError,
)
from kfq_async.protocol.codes import AMBIGUOUS_CODES, classify_code
from kfq_async.protocol.envelope import Envelope, EnvelopeKind

SIGNING = (*range(32100, 32115), *range(32200, 32204))


@pytest.mark.parametrize(
    ("code", "error", "meaning"),
    [
        (20000, SignatureError, "signature"),
        (21000, ParameterError, "missing"),
        (22000, ParameterError, "blank"),
        (23000, ParameterError, "wrong format, length or value"),
        (23001, ParameterError, "mobile number"),
        (24000, ParameterError, "type unsupported"),
        (24001, SignatureError, "charset"),
        (25000, ParameterError, "not a JSON object"),
        (26000, SignatureError, "signature"),
        (31000, BusinessError, "business failure"),
        (31100, BusinessError, "already verified"),
        (31101, BusinessError, "operator is not verified"),
        (31102, BusinessError, "not verified"),
        (31103, BusinessError, "order does not exist"),
        (31104, BusinessError, "subject does not exist"),
        (31105, BusinessError, "not the enterprise's operator"),
        (31106, BusinessError, "mobile number"),
        (32000, BusinessError, "already bound"),
        (32001, BusinessError, "enterprise not registered"),
        (32002, BusinessError, "user not registered"),
        (32003, BusinessError, "user closed"),
        (32004, BusinessError, "account closed"),
        (40000, CredentialsError, "token missing"),
        (41000, CredentialsError, "token invalid"),
        (41001, ClockError, "timestamp"),
        (41002, NonceError, "nonce"),
        (41003, BusinessError, "balance"),
        (42000, CredentialsError, "developer disabled"),
        (43000, ServerError, "timed out"),
        (51000, ParameterError, "SQL"),
        (52000, ParameterError, "cross-site"),
        (91000, ServerError, "server error"),
        (999999, TooFrequentError, "rate limit exceeded"),
        *((code, BusinessError, "signing") for code in SIGNING),
        (27, ApiError, "undocumented code"),
        (32099, ApiError, "undocumented code"),
        (32300, ApiError, "undocumented code"),
        (None, ApiError, "no error code"),
    ],
)
def test_api_codes(code: int | None, error: type[ApiError], meaning: str) -> None:
    """Every code of the API and the identity service has a class and a meaning; others are undocumented."""
    found, text = classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)
    assert found is error
    assert meaning in text


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, HiddenErrorPage),
        (404, NotFoundError),
        (405, NotFoundError),
        (500, ServerError),
        (510, ApiError),
        (550, ApiError),
        (31000, BusinessError),
        (999999, TooFrequentError),
        (200, ApiError),
        (10000, ApiError),
        (None, ApiError),
    ],
)
def test_internal_codes(code: int | None, error: type[ApiError]) -> None:
    """The internal envelope has codes of its own, and may pass on those of the API."""
    assert classify_code(Envelope(kind=EnvelopeKind.INTERNAL, code=code), 200)[0] is error


@pytest.mark.parametrize("code", [401, 404, 405, 500, 510, 550])
def test_internal_codes_in_the_api_envelope(code: int) -> None:
    """The internal codes have no meaning in the API's envelope."""
    assert classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)[0] is ApiError


@pytest.mark.parametrize(
    ("status", "error", "meaning"),
    [
        (404, NotFoundError, "does not know this path"),
        (405, NotFoundError, "wrong method"),
        (500, ServerError, "unhandled exception"),
        (429, TooFrequentError, "rate limit exceeded"),
        (400, ApiError, "HTTP 400"),
        (503, ApiError, "HTTP 503"),
    ],
)
def test_framework_statuses(status: int, error: type[ApiError], meaning: str) -> None:
    """The framework's document has no code, so the HTTP status decides."""
    found, text = classify_code(Envelope(kind=EnvelopeKind.FRAMEWORK, code=None), status)
    assert found is error
    assert meaning in text


@pytest.mark.parametrize(
    ("kind", "code", "message", "status"),
    [
        (EnvelopeKind.INTERNAL, 500, "请勿频繁操作", 200),
        (EnvelopeKind.INTERNAL, 500, "操作失败，请勿频繁操作", 200),
        (EnvelopeKind.API, 999999, "请勿频繁操作", 200),
        (EnvelopeKind.API, 999999, None, 200),
        (EnvelopeKind.API, None, "请勿频繁操作", 200),
        (EnvelopeKind.FRAMEWORK, None, "请勿频繁操作", 500),
        (EnvelopeKind.API, 31000, None, 429),
    ],
)
def test_rate_limit_errors(kind: EnvelopeKind, code: int | None, message: str | None, status: int) -> None:
    """A rate-limit error is recognised by code, message or status, in every envelope."""
    assert classify_code(Envelope(kind=kind, code=code, message=message), status)[0] is TooFrequentError


@given(st.sampled_from(EnvelopeKind), st.none() | st.integers(0, 999_999), st.integers(100, 599))
@example(EnvelopeKind.INTERNAL, 401, 401)
def test_credentials_errors(kind: EnvelopeKind, code: int | None, status: int) -> None:
    """Three codes mean that the credentials were refused, and no other response does."""
    error, _ = classify_code(Envelope(kind=kind, code=code), status)
    if error is CredentialsError:
        assert code in {40000, 41000, 42000}


def test_ambiguous_codes() -> None:
    """The platform may have acted only with its own time-out and its unknown server error."""
    assert {43000, 91000} == AMBIGUOUS_CODES
    assert {classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)[0] for code in AMBIGUOUS_CODES} == {
        ServerError
    }


@given(st.sampled_from(EnvelopeKind), st.none() | st.integers(), st.none() | st.text(), st.integers(100, 599))
def test_any_code(kind: EnvelopeKind, code: int | None, message: str | None, status: int) -> None:
    """Every code has a class and a meaning."""
    error, meaning = classify_code(Envelope(kind=kind, code=code, message=message), status)
    assert issubclass(error, ApiError)
    assert meaning
