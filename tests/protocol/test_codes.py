"""The platform's numbers: every one that is documented becomes the error of its meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.errors import (
    ApiError,
    BusinessError,
    ClockError,
    CredentialsError,
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
    ("code", "error", "words"),
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
        (999999, TooFrequentError, "too frequent"),
        *((code, BusinessError, "signing") for code in SIGNING),
        (27, ApiError, "not documented"),
        (32099, ApiError, "not documented"),
        (32300, ApiError, "not documented"),
        (None, ApiError, "without a number"),
    ],
)
def test_codes_of_the_api(code: int | None, error: type[ApiError], words: str) -> None:
    """Every number of the API and the identity service has its class and its words, and others are told so."""
    found, meaning = classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)
    assert found is error
    assert words in meaning


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, CredentialsError),
        (404, NotFoundError),
        (405, NotFoundError),
        (500, ServerError),
        (510, CredentialsError),
        (550, CredentialsError),
        (31000, BusinessError),
        (999999, TooFrequentError),
        (200, ApiError),
        (10000, ApiError),
        (None, ApiError),
    ],
)
def test_codes_of_the_internal_envelope(code: int | None, error: type[ApiError]) -> None:
    """The internal envelope has numbers of its own, and may pass the API's through."""
    assert classify_code(Envelope(kind=EnvelopeKind.INTERNAL, code=code), 200)[0] is error


@pytest.mark.parametrize("code", [401, 404, 405, 500, 510, 550])
def test_internal_numbers_mean_nothing_in_the_api_envelope(code: int) -> None:
    """The internal envelope's small numbers are not read into the API's own."""
    assert classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)[0] is ApiError


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, NotFoundError, "does not know this path"),
        (405, NotFoundError, "wrong method"),
        (500, ServerError, "unhandled failure"),
        (429, TooFrequentError, "too frequent"),
        (400, ApiError, "HTTP 400"),
        (503, ApiError, "HTTP 503"),
    ],
)
def test_statuses_of_the_framework(status: int, error: type[ApiError], words: str) -> None:
    """The framework's document has no number, so the HTTP status says what it means."""
    found, meaning = classify_code(Envelope(kind=EnvelopeKind.FRAMEWORK, code=None), status)
    assert found is error
    assert words in meaning


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
def test_too_frequent_in_each_shape(kind: EnvelopeKind, code: int | None, message: str | None, status: int) -> None:
    """Too many calls are recognised by number, words or status, in whichever envelope they come."""
    assert classify_code(Envelope(kind=kind, code=code, message=message), status)[0] is TooFrequentError


def test_numbers_that_leave_the_outcome_open() -> None:
    """Exactly the platform's own time-out and its unknown failure leave open whether it acted."""
    assert {43000, 91000} == AMBIGUOUS_CODES
    assert {classify_code(Envelope(kind=EnvelopeKind.API, code=code), 200)[0] for code in AMBIGUOUS_CODES} == {
        ServerError
    }


@given(st.sampled_from(EnvelopeKind), st.none() | st.integers(), st.none() | st.text(), st.integers(100, 599))
def test_any_number(kind: EnvelopeKind, code: int | None, message: str | None, status: int) -> None:
    """Whatever number comes, there is a class and a meaning for it."""
    error, meaning = classify_code(Envelope(kind=kind, code=code, message=message), status)
    assert issubclass(error, ApiError)
    assert meaning
