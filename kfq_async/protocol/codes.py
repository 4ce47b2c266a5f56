"""Error codes of the platform: meaning and exception class of each (protocol sections 2.2 to 2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from kfq_async.protocol.envelope import EnvelopeKind

if TYPE_CHECKING:
    from kfq_async.protocol.envelope import Envelope

__all__ = ["AMBIGUOUS_CODES", "RATE_LIMITED", "TOO_FREQUENT_MESSAGE", "classify_code"]

TOO_FREQUENT_MESSAGE = "请勿频繁操作"
"""触发限流: text in the message of a rate-limit error, in any envelope (protocol section 1.8)."""
TOO_FREQUENT = 999_999
"""Code of a rate-limit error; not every one carries it."""
_MAX_SCANNED = 1_000
"""Number of characters of a message that are searched for that text; it may have millions."""
AMBIGUOUS_CODES = frozenset({91000, 43000})
"""Transient failures that the platform may report after it has acted."""

RATE_LIMITED = "rate limit exceeded"
"""Meaning of a rate-limit error."""

_Meaning = tuple[type[ApiError], str]

_API: dict[int, _Meaning] = {
    20000: (SignatureError, "signature verification failed"),
    21000: (ParameterError, "a parameter is missing, or refers to something that does not exist"),
    22000: (ParameterError, "a parameter is blank"),
    23000: (ParameterError, "a parameter has a wrong format, length or value"),
    23001: (ParameterError, "mobile number invalid"),
    24000: (ParameterError, "parameter type unsupported"),
    24001: (SignatureError, "signature charset problem on the server"),
    25000: (ParameterError, "the body is not a JSON object"),
    26000: (SignatureError, "signature verification failed"),
    31000: (BusinessError, "business failure"),
    31100: (BusinessError, "already verified, nothing to do"),
    31101: (BusinessError, "the enterprise's operator is not verified"),
    31102: (BusinessError, "not verified, change not possible"),
    31103: (BusinessError, "identity order does not exist"),
    31104: (BusinessError, "subject does not exist"),
    31105: (BusinessError, "this person is not the enterprise's operator"),
    31106: (BusinessError, "the mobile number must be the one verified"),
    32000: (BusinessError, "account already bound"),
    32001: (BusinessError, "target enterprise not registered"),
    32002: (BusinessError, "target user not registered"),
    32003: (BusinessError, "target user closed"),
    32004: (BusinessError, "account closed"),
    40000: (CredentialsError, "token missing, or application id invalid"),
    41000: (CredentialsError, "token invalid"),
    41001: (ClockError, "timestamp out of range"),
    41002: (NonceError, "nonce repeated"),
    41003: (BusinessError, "no balance"),
    42000: (CredentialsError, "developer disabled, or without permission for this operation"),
    43000: (ServerError, "call timed out inside the platform"),
    51000: (ParameterError, "rejected as SQL injection"),
    52000: (ParameterError, "rejected as cross-site scripting"),
    91000: (ServerError, "unknown server error"),
}
_INTERNAL: dict[int, _Meaning] = {
    401: (HiddenErrorPage, "hidden error page"),
    404: (NotFoundError, "unknown path, interface disabled, or IP address blocked"),
    405: (NotFoundError, "wrong method for this path"),
    500: (ServerError, "unhandled exception in the platform"),
    510: (ApiError, "no permission"),
    550: (ApiError, "no permission"),
}
_FRAMEWORK: dict[int, _Meaning] = {
    404: (NotFoundError, "the platform does not know this path"),
    405: (NotFoundError, "wrong method for this path"),
    500: (ServerError, "unhandled exception in the platform"),
}


def classify_code(envelope: Envelope, http_status: int) -> _Meaning:
    """Return the exception class and the meaning, in English, of an envelope that is not a success."""
    if (
        envelope.code == TOO_FREQUENT
        or http_status == 429
        or (envelope.message is not None and TOO_FREQUENT_MESSAGE in envelope.message[:_MAX_SCANNED])
    ):
        return TooFrequentError, RATE_LIMITED
    if envelope.kind is EnvelopeKind.FRAMEWORK:
        return _FRAMEWORK.get(http_status, (ApiError, f"framework error document, HTTP {http_status}"))
    if envelope.kind is EnvelopeKind.INTERNAL and envelope.code in _INTERNAL:
        return _INTERNAL[envelope.code]
    if envelope.code is None:
        return ApiError, "no error code"
    if 32100 <= envelope.code <= 32299:
        return BusinessError, "signing is not possible in this state"
    return _API.get(envelope.code, (ApiError, "undocumented code"))
