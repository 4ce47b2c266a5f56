"""What a failed attempt leads to: a table over idempotency and kind of failure. Pure; nothing is repeated here."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from kfq_async.errors import (
    ApiError,
    CertificateError,
    ClockError,
    ConnectError,
    KfqError,
    NonceError,
    Phase,
    PoolTimeout,
    TooFrequentError,
    TotalTimeout,
    TransportError,
)
from kfq_async.protocol.codes import AMBIGUOUS_CODES
from kfq_async.protocol.operation import Idempotency

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Failure", "Verdict", "failure_of", "verdict_on"]


class Failure(Enum):
    """The columns of the table."""

    NOT_SENT = auto()
    """No connection, so nothing was sent."""
    NO_ANSWER = auto()
    """Sent, and no complete answer: time-out, connection lost, truncated, 502, 503, 504."""
    TOO_FREQUENT = auto()
    """Refused before it ran."""
    IN_DOUBT = auto()
    """The platform failed and may have acted."""
    NONCE = auto()
    """The nonce was seen before, so a copy of the request may have been acted on."""
    CLOCK = auto()
    """The timestamp was refused before anything ran."""
    DOUBTFUL_ANSWER = auto()
    """What answered may not have been the platform."""
    FINAL = auto()
    """Any other answer."""


class Verdict(Enum):
    """What to do about a failure."""

    AGAIN = auto()
    RAISE = auto()
    UNKNOWN = auto()
    """Raise `OutcomeUnknown`: repeating could make a second one."""


_A, _R, _U = Verdict.AGAIN, Verdict.RAISE, Verdict.UNKNOWN
_F = Failure

_SAFE = {_F.NOT_SENT: _A, _F.NO_ANSWER: _A, _F.TOO_FREQUENT: _A, _F.IN_DOUBT: _A, _F.NONCE: _A, _F.CLOCK: _A}
_KEYED = _SAFE
_KEYED_ONCE = {_F.NOT_SENT: _A, _F.TOO_FREQUENT: _A, _F.NONCE: _A, _F.CLOCK: _A}
_KEYLESS = {_F.NOT_SENT: _A, _F.TOO_FREQUENT: _A, _F.CLOCK: _A}
_NONE = {
    _F.NOT_SENT: _A,
    _F.NO_ANSWER: _U,
    _F.TOO_FREQUENT: _A,
    _F.IN_DOUBT: _U,
    _F.NONCE: _U,
    _F.CLOCK: _A,
    _F.DOUBTFUL_ANSWER: _U,
}


def verdict_on(error: KfqError, idempotency: Idempotency, *, has_key: bool, repeat_sent: bool) -> Verdict:
    """Look the error up in the row of the operation.

    A ``KEYED`` request whose id was set to ``None`` is repeated only where nothing can have been acted on, as
    is one under ``repeat_sent=False``; both raise what happened.
    """
    row: Mapping[Failure, Verdict]
    match idempotency:
        case Idempotency.SAFE:
            row = _SAFE
        case Idempotency.KEYED:
            row = _KEYLESS if not has_key else _KEYED if repeat_sent else _KEYED_ONCE
        case _:
            row = _NONE
    return row.get(failure_of(error), Verdict.RAISE)


def failure_of(error: KfqError) -> Failure:
    """Return the column that an error belongs to."""
    match error:
        case CertificateError():
            return Failure.FINAL
        case PoolTimeout() | TotalTimeout():
            return Failure.DOUBTFUL_ANSWER if error.phase is Phase.SENT else Failure.FINAL
        case ConnectError():
            return Failure.NOT_SENT
        case TransportError():
            return Failure.NO_ANSWER
        case TooFrequentError():
            return Failure.TOO_FREQUENT
        case ClockError():
            return Failure.CLOCK
        case NonceError():
            return Failure.NONCE
        case ApiError(code=code) if code in AMBIGUOUS_CODES:
            return Failure.IN_DOUBT
    return Failure.DOUBTFUL_ANSWER if error.phase is Phase.SENT else Failure.FINAL
