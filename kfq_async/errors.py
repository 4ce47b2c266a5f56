"""Every error of the package, and the masking that keeps people's data out of their words.

KfqError
├── EncodeError (ValueError)         the request cannot be written as JSON
├── SessionError (RuntimeError)      the session is closed, or used from another loop or process
├── TransportError                   the network gave no answer
│   ├── ConnectError                 no connection was made
│   │   ├── ConnectTimeout (TimeoutError)
│   │   └── CertificateError         the other side could not prove who it is
│   ├── PoolTimeout (TimeoutError)   ``total`` ended while the call waited for its turn
│   ├── AttemptTimeout (TimeoutError)  ``attempt`` ended before the answer was complete
│   ├── TotalTimeout (TimeoutError)  ``total`` ended during an attempt
│   ├── ConnectionLost               the connection broke before the answer was complete
│   └── GatewayError                 a proxy answered 502, 503 or 504 for the platform
├── UnexpectedResponse               something answered, but not in a form of the platform
├── DecodeError                      the platform said yes, and its result is not readable
├── ApiError                         the platform said no
│   ├── CredentialsError             token, developer or permission
│   ├── ParameterError               a field is missing, blank or malformed
│   ├── SignatureError               the signature was not accepted
│   │   ├── ClockError               the timestamp is out of range
│   │   └── NonceError               the nonce was seen before
│   ├── BusinessError                the platform's rules forbid it
│   ├── TooFrequentError             too many calls; this one was not executed
│   ├── NotFoundError                the platform does not have this operation
│   └── ServerError                  the platform failed on its side
├── OutcomeUnknown                   a write that must not be repeated blindly may have happened
├── OnboardingError                  many companies cannot go on
│   ├── SourceError (ValueError)     a file of companies cannot be read, or lacks what is needed
│   ├── LedgerError                  the ledger cannot be used
│   └── RunPaused                    what happened concerns every row, so the rest was not asked
└── CallbackRejected                 what came to a callback URL was not accepted
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ApiError",
    "AttemptTimeout",
    "BusinessError",
    "CallbackRejected",
    "CertificateError",
    "ClockError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "CredentialsError",
    "DecodeError",
    "EncodeError",
    "GatewayError",
    "KfqError",
    "LedgerError",
    "NonceError",
    "NotFoundError",
    "OnboardingError",
    "OutcomeUnknown",
    "ParameterError",
    "Phase",
    "PoolTimeout",
    "RejectionReason",
    "RunPaused",
    "ServerError",
    "SessionError",
    "SignatureError",
    "SourceError",
    "TooFrequentError",
    "TotalTimeout",
    "TransportError",
    "UnexpectedResponse",
    "redact",
]

_LONGEST = 500
"""Characters of the platform's words that an error repeats."""
# Each starts where a run of its characters starts, so that a long run is not searched again from each of them.
_LINK = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://[^\s\"'<>]+")
_ADDRESS = re.compile(r"(?<![^\s\"'<>:,;，。；：@])[^\s\"'<>:,;，。；：@]+@[^\s\"'<>,;，。；：]+")
_DIGITS = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]*\d(?:[\s-]?\d){3,}[A-Za-z0-9]*")
_NUMBER = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*\d)[A-Za-z0-9]{6,}")


def redact(words: str, sensitive_values: Iterable[str] = ()) -> str:
    """Return ``words`` without links, addresses, numbers, and the given ``sensitive_values``.

    The platform repeats what it was sent; ``sensitive_values`` are the values that must not come back in a log. What is
    longer than 500 characters is cut.
    """
    for echo in sorted(sensitive_values, key=len, reverse=True):
        words = words.replace(echo, "***")
    words = _LINK.sub("<link>", words)
    words = _ADDRESS.sub("<address>", words)
    words = _DIGITS.sub("***", words)
    words = _NUMBER.sub("***", words)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


class Phase(StrEnum):
    """How far a call got, as far as anyone can know."""

    NOT_SENT = "not_sent"
    """No byte of the request can have been acted on."""
    SENT = "sent"
    """The platform may have acted on it."""
    ANSWERED = "answered"
    """The platform said so itself."""


class KfqError(Exception):
    """Root of everything this package raises on purpose; catch it to catch all.

    Its text is fit for a log: it holds no token, no link and no person's data.
    """

    phase: Phase
    operation: str | None = None
    """The operation, as ``METHOD /path``."""
    attempts: int = 0
    """Requests made for this call, the last one included."""
    client_request_id: str | None = None
    """The id under which the same request can be asked again."""
    unique_code: str | None = None
    """The serial number (流水号) of the last attempt."""

    def __init__(self, text: str, *, phase: Phase = Phase.NOT_SENT) -> None:
        super().__init__(text)
        self.phase = phase

    def __str__(self) -> str:
        text = str(self.args[0])
        if self.operation is None:
            return text
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        code = f", uniqueCode {self.unique_code}" if self.unique_code else ""
        return f"{self.operation}: {text} [{self.phase}, {times}{code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[KfqError], args: tuple[Any, ...], state: dict[str, Any]) -> KfqError:
    error = cls.__new__(cls)
    error.args = args  # an OSError, and so a TimeoutError, does not take them in __new__ here
    error.__dict__.update(state)
    return error


class EncodeError(KfqError, ValueError):
    """The request holds something that JSON cannot carry; mend the field that the text names."""


class SessionError(KfqError, RuntimeError):
    """The session cannot be used here: make one per event loop and process, and use it before closing it."""


class TransportError(KfqError):
    """The network gave no complete answer; ``phase`` says whether the platform may have acted."""


class ConnectError(TransportError):
    """No connection was made, so nothing was sent; check host, port and network, then ask again."""


class ConnectTimeout(ConnectError, TimeoutError):
    """Making the connection took longer than ``Timeouts.connect``; nothing was sent."""


class CertificateError(ConnectError):
    """TLS failed before anything was sent; pass the right CA as ``ssl`` or mend the host's certificate."""


class PoolTimeout(TransportError, TimeoutError):
    """``Timeouts.total`` ended while the call waited for its turn; allow more time, or ask less at once."""


class AttemptTimeout(TransportError, TimeoutError):
    """The answer was not complete within ``Timeouts.attempt``; the platform may have acted."""


class TotalTimeout(TransportError, TimeoutError):
    """``Timeouts.total`` ended during an attempt; ``phase`` says whether the request had left."""


class ConnectionLost(TransportError):
    """The connection broke before the answer was complete; the platform may have acted."""


class GatewayError(TransportError):
    """A proxy answered 502, 503 or 504 in the platform's place; the platform may have acted."""

    def __init__(self, http_status: int, *, retry_after: float | None = None) -> None:
        super().__init__(f"a gateway answered HTTP {http_status} instead of the platform", phase=Phase.SENT)
        self.http_status = http_status
        self.retry_after = retry_after


class UnexpectedResponse(KfqError):
    """What answered did not speak the platform's protocol; the text says what came and what to check."""

    def __init__(self, text: str, *, http_status: int, phase: Phase = Phase.SENT) -> None:
        super().__init__(text, phase=phase)
        self.http_status = http_status


class DecodeError(KfqError):
    """The platform reported success, but a key that the result needs is missing or mistyped.

    ``problems`` lists each as ``what is wrong @ path``. The operation has taken effect.
    """

    def __init__(self, problems: tuple[str, ...], *, phase: Phase = Phase.ANSWERED) -> None:
        super().__init__("unreadable: " + "; ".join(problems), phase=phase)
        self.problems = problems


class ApiError(KfqError):
    """The platform answered, and not with success; ``code`` and ``message`` hold its own words."""

    code: int | None
    message: str | None
    """The platform's words, unmasked: they may hold personal data."""
    http_status: int
    retry_after: float | None = None
    """What the answer's ``Retry-After`` asked for, in seconds."""
    envelope: Any = None
    """The `Envelope` that it came in, where there was one."""

    def __init__(
        self,
        code: int | None,
        message: str | None,
        *,
        http_status: int,
        meaning: str = "",
        hint: str = "",
        sensitive_values: Iterable[str] = (),
    ) -> None:
        words = f" “{redact(message, sensitive_values)}”" if message else ""
        name = f"code {code}" if code is not None else "no code"
        text = f"the platform refused with {name}{f' ({meaning})' if meaning else ''}{words}"
        super().__init__(f"{text}. {hint}" if hint else text, phase=Phase.ANSWERED)
        self.code = code
        self.message = message
        self.http_status = http_status


class CredentialsError(ApiError):
    """The token, the developer behind it or its permissions were refused; asking again cannot help."""


class ParameterError(ApiError):
    """A field is missing, blank, too long or malformed, or names something that does not exist."""


class SignatureError(ApiError):
    """The signature was not accepted; check the private key and what it signs."""


class ClockError(SignatureError):
    """The timestamp is out of the platform's range, although the clock was corrected once."""


class NonceError(SignatureError):
    """The platform has seen this nonce, so an earlier copy of the request may have been accepted."""


class BusinessError(ApiError):
    """The platform's rules forbid it; its words say why."""


class TooFrequentError(ApiError):
    """Too many calls in a second; this one was not executed and can be asked again later."""


class NotFoundError(ApiError):
    """The platform has no such operation, or not by this method; check base URL and edition."""


class ServerError(ApiError):
    """The platform failed on its own side."""


class OutcomeUnknown(KfqError):
    """The operation cannot be repeated safely and may have taken effect: look before asking again.

    ``original_error`` is the error that left it open.
    """

    def __init__(self, original_error: KfqError) -> None:
        super().__init__(
            f"it may have taken effect ({type(original_error).__name__}: {original_error.args[0]}); "
            "look at the platform before asking again",
            phase=original_error.phase,
        )
        self.original_error = original_error


class OnboardingError(KfqError):
    """Many companies cannot go on; what is in the ledger stays, and the same call again continues."""


class SourceError(OnboardingError, ValueError):
    """A file of companies cannot be read, or lacks what is needed; the text names the row or column to mend."""


class LedgerError(OnboardingError):
    """The ledger cannot be used: it is another's, in use by another run, of another schema, or the disk is full."""


class RunPaused(OnboardingError):
    """Something happened that concerns every row, so the rest was not asked; mend it and run the same again.

    ``original_error`` is the error that showed it.
    """

    def __init__(self, original_error: KfqError, advice: str) -> None:
        super().__init__(f"paused: {original_error.args[0]}. {advice}", phase=original_error.phase)
        self.original_error = original_error


class RejectionReason(StrEnum):
    """Why a notification was not accepted; each is answered with a number of the platform's and an HTTP status."""

    HEADER_MISSING = "header_missing"
    """A header of the signature is absent or blank."""
    HEADER_REPEATED = "header_repeated"
    """A header of the signature occurs twice, so two readers could see two values."""
    HEADER_MALFORMED = "header_malformed"
    """A header of the signature is no text."""
    TIMESTAMP_MALFORMED = "timestamp_malformed"
    """The timestamp is not a number of milliseconds."""
    BODY_TOO_LARGE = "body_too_large"
    """The body is larger than the receiver's bound."""
    BODY_MALFORMED = "body_malformed"
    """The body is not a JSON object in UTF-8."""
    FIELD_MALFORMED = "field_malformed"
    """A field of the body is missing or of a wrong type."""
    WRONG_KIND = "wrong_kind"
    """The body is another kind of notification than the one received here."""
    UNKNOWN_PATH = "unknown_path"
    """The path is not one that was made here: foreign, changed, or made under a secret that is gone."""
    WRONG_APP = "wrong_app"
    """The notification is addressed to another application."""
    STALE = "stale"
    """The timestamp is too far from this machine's clock, on either side."""
    BAD_SIGNATURE = "bad_signature"
    """The signature is not that of this request under any of the keys."""
    REPLAYED = "replayed"
    """The nonce was seen before, with another body."""
    BUSY = "busy"
    """The same notification is being handled at this moment."""
    UNFINISHED = "unfinished"
    """The handler needs longer than the sender can wait; it goes on."""
    HANDLER_FAILED = "handler_failed"
    """The handler raised; ``__cause__`` is what it raised."""
    STORE_FAILED = "store_failed"
    """The store could not be asked; ``__cause__`` is what it raised."""
    CLOSING = "closing"
    """The receiver is being closed."""


_REJECTIONS: dict[RejectionReason, tuple[int, int, str]] = {
    RejectionReason.HEADER_MISSING: (21000, 400, "a header is missing or blank"),
    RejectionReason.HEADER_REPEATED: (23000, 400, "a header occurs more than once"),
    RejectionReason.HEADER_MALFORMED: (23000, 400, "a header is not text"),
    RejectionReason.TIMESTAMP_MALFORMED: (41001, 400, "the timestamp is not a number of milliseconds"),
    RejectionReason.BODY_TOO_LARGE: (23000, 400, "the body is too large"),
    RejectionReason.BODY_MALFORMED: (25000, 400, "the body is not a JSON object in UTF-8"),
    RejectionReason.FIELD_MALFORMED: (23000, 400, "a field is missing or of a wrong type"),
    RejectionReason.WRONG_KIND: (23000, 400, "this is another kind of notification"),
    RejectionReason.UNKNOWN_PATH: (26000, 401, "this path was not given out here"),
    RejectionReason.WRONG_APP: (41000, 401, "the appId is another application's"),
    RejectionReason.STALE: (41001, 401, "the timestamp is out of range"),
    RejectionReason.BAD_SIGNATURE: (26000, 401, "the signature does not fit"),
    RejectionReason.REPLAYED: (41002, 401, "the nonce was used for something else"),
    RejectionReason.BUSY: (91000, 503, "this notification is being handled, come again"),
    RejectionReason.UNFINISHED: (91000, 503, "the handler is still at work, come again"),
    RejectionReason.HANDLER_FAILED: (91000, 503, "the handler failed, come again"),
    RejectionReason.STORE_FAILED: (91000, 503, "the store failed, come again"),
    RejectionReason.CLOSING: (91000, 503, "the receiver is closing, come again"),
}
"""Number (protocol sections 2.2 and 5.5), HTTP status (400 malformed, 401 not authentic, 503 come again), words."""


class CallbackRejected(KfqError):
    """What came to a callback URL was not accepted; ``reason`` says why, and the sender may come again.

    Its text names headers and fields, never what they held.
    """

    def __init__(self, reason: RejectionReason, detail: str = "") -> None:
        words = _REJECTIONS[reason][2]
        super().__init__(f"{words}: {detail}" if detail else words)
        self.reason = reason

    @property
    def code(self) -> int:
        """The platform's number for it (protocol section 5.5)."""
        return _REJECTIONS[self.reason][0]

    @property
    def http_status(self) -> int:
        """400 for what is malformed, 401 for what is not authentic, 503 for what should come again."""
        return _REJECTIONS[self.reason][1]
