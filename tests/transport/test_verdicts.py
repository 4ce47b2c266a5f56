"""What a failure leads to: the design's table, written out and compared cell by cell."""

from __future__ import annotations

from itertools import product

import pytest

from kfq_async import (
    ApiError,
    AttemptTimeout,
    BusinessError,
    CertificateError,
    ClockError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    CredentialsError,
    DecodeError,
    GatewayError,
    Idempotency,
    KfqError,
    NonceError,
    NotFoundError,
    ParameterError,
    Phase,
    PoolTimeout,
    ServerError,
    SessionError,
    SignatureError,
    TooFrequentError,
    TotalTimeout,
    UnexpectedResponse,
)
from kfq_async.transport.verdicts import Failure, Verdict, failure_of, verdict_on

SENT, NOT_SENT, ANSWERED = Phase.SENT, Phase.NOT_SENT, Phase.ANSWERED


def said(kind: type[ApiError], code: int | None, status: int = 200) -> ApiError:
    """Make an error out of the platform's words."""
    return kind(code, "…", http_status=status)


FAILURES: dict[str, list[KfqError]] = {
    "not sent": [ConnectError("…"), ConnectTimeout("…")],
    "no answer": [
        AttemptTimeout("…", phase=SENT),
        ConnectionLost("…", phase=SENT),
        *(GatewayError(status) for status in (502, 503, 504)),
    ],
    "too frequent": [said(TooFrequentError, 999999), said(TooFrequentError, 500), said(TooFrequentError, None, 429)],
    "in doubt": [said(ServerError, 91000), said(ServerError, 43000)],
    "nonce": [said(NonceError, 41002)],
    "clock": [said(ClockError, 41001)],
    "doubtful": [
        UnexpectedResponse("HTML with 200", http_status=200),
        TotalTimeout("…", phase=SENT),
        PoolTimeout("…", phase=SENT),
    ],
    "final": [
        UnexpectedResponse("a redirect", http_status=302, phase=ANSWERED),
        UnexpectedResponse("a page", http_status=404, phase=ANSWERED),
        DecodeError(("required key missing @ $.result.orderNo",)),
        CertificateError("…"),
        PoolTimeout("…"),
        TotalTimeout("…"),
        SessionError("…"),
        said(ApiError, 77777),
        said(ApiError, None),
        said(BusinessError, 31000),
        said(CredentialsError, 41000),
        said(NotFoundError, None, 404),
        said(ParameterError, 21000),
        said(ServerError, 500),
        said(SignatureError, 26000),
    ],
}

AGAIN, RAISE, UNKNOWN = Verdict.AGAIN, Verdict.RAISE, Verdict.UNKNOWN

TABLE = {
    "SAFE": {
        "not sent": AGAIN,
        "no answer": AGAIN,
        "too frequent": AGAIN,
        "in doubt": AGAIN,
        "nonce": AGAIN,
        "clock": AGAIN,
        "doubtful": RAISE,
        "final": RAISE,
    },
    "KEYED": {
        "not sent": AGAIN,
        "no answer": AGAIN,
        "too frequent": AGAIN,
        "in doubt": AGAIN,
        "nonce": AGAIN,
        "clock": AGAIN,
        "doubtful": RAISE,
        "final": RAISE,
    },
    "KEYED, repeat_sent=False": {
        "not sent": AGAIN,
        "no answer": RAISE,
        "too frequent": AGAIN,
        "in doubt": RAISE,
        "nonce": AGAIN,
        "clock": AGAIN,
        "doubtful": RAISE,
        "final": RAISE,
    },
    "KEYED, id set to None": {
        "not sent": AGAIN,
        "no answer": RAISE,
        "too frequent": AGAIN,
        "in doubt": RAISE,
        "nonce": RAISE,
        "clock": AGAIN,
        "doubtful": RAISE,
        "final": RAISE,
    },
    "NONE": {
        "not sent": AGAIN,
        "no answer": UNKNOWN,
        "too frequent": AGAIN,
        "in doubt": UNKNOWN,
        "nonce": UNKNOWN,
        "clock": AGAIN,
        "doubtful": UNKNOWN,
        "final": RAISE,
    },
}

# Whether there is a key and whether what was sent may be repeated matter to KEYED alone.
ROWS = {
    "SAFE": [(Idempotency.SAFE, key, repeat) for key, repeat in product([True, False], repeat=2)],
    "KEYED": [(Idempotency.KEYED, True, True)],
    "KEYED, repeat_sent=False": [(Idempotency.KEYED, True, False)],
    "KEYED, id set to None": [(Idempotency.KEYED, False, True), (Idempotency.KEYED, False, False)],
    "NONE": [(Idempotency.NONE, key, repeat) for key, repeat in product([True, False], repeat=2)],
}


@pytest.mark.parametrize(("row", "column"), [(row, column) for row in TABLE for column in FAILURES])
def test_every_cell_of_the_table(row: str, column: str) -> None:
    """What is repeated, what is raised and what stays unknown is exactly what the table says."""
    for error, (idempotency, has_key, repeat_sent) in product(FAILURES[column], ROWS[row]):
        verdict = verdict_on(error, idempotency, has_key=has_key, repeat_sent=repeat_sent)
        assert verdict is TABLE[row][column], f"{error!r} with {error.phase}"


def test_the_columns_are_the_failures() -> None:
    """Each column of the table stands for one kind of failure, and none is forgotten."""
    kinds = [{failure_of(error) for error in errors} for errors in FAILURES.values()]
    assert kinds == [{failure} for failure in Failure]
    assert all(row.keys() == FAILURES.keys() for row in TABLE.values())
