"""Systemic failures: errors that affect every row, their detection, and the back-off of workers after one."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from kfq_async.errors import (
    ApiError,
    CertificateError,
    CredentialsError,
    HiddenErrorPage,
    KfqError,
    NonceError,
    NotFoundError,
    SignatureError,
    TransportError,
    UnexpectedResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.models.identity import CorpIdentLink

__all__ = ["MAX_FAILURES", "CircuitBreaker", "SystemicFailureDetector", "systemic_failure_advice"]


NO_BALANCE = 41003
NO_PERMISSION = (510, 550)

_log = logging.getLogger("kfq_async")
MAX_FAILURES = 20
"""Number of consecutive calls without a response from the platform that counts as a systemic failure."""
NO_RESPONSE_ADVICE = (
    f"{MAX_FAILURES} calls in a row got no response from the platform: check the network and the base URL"
)


def systemic_failure_advice(error: KfqError) -> str | None:
    """Return the remedy for an error that affects every row, or ``None`` if it affects only one."""
    if isinstance(error, ApiError) and error.code == NO_BALANCE:
        return "Top up the account"
    if isinstance(error, HiddenErrorPage):
        return "Run it again with the base URL of a platform that offers identification links"
    if isinstance(error, CredentialsError) or (isinstance(error, ApiError) and error.code in NO_PERMISSION):
        return "Check the token and its permissions"
    if isinstance(error, SignatureError) and not isinstance(error, NonceError):
        return "Check the signer's key, and this machine's clock"
    if isinstance(error, NotFoundError) or (isinstance(error, UnexpectedResponse) and _suggests_wrong_url(error)):
        return "Check the base URL, its context path, and any proxy or gateway in between"
    if isinstance(error, CertificateError):
        return "Check the base URL and the CA"
    return None


def _suggests_wrong_url(error: UnexpectedResponse) -> bool:
    return 300 <= error.http_status < 400 or error.http_status in {401, 403, 404, 405, 407}


class SystemicFailureDetector:
    """Detects systemic failures from the results of calls: by the error itself, or by too many in a row."""

    def __init__(self) -> None:
        self.failures: int = 0
        """Number of consecutive calls, up to the latest, without a response from the platform."""

    def record(self, result: CorpIdentLink | KfqError) -> str | None:
        """Record the result of a call; return the remedy for a systemic failure, or ``None`` if there is none."""
        if not isinstance(result, KfqError):
            self.failures = 0
            return None
        self.failures = self.failures + 1 if isinstance(result, TransportError | UnexpectedResponse) else 0
        return systemic_failure_advice(result) or (NO_RESPONSE_ADVICE if self.failures >= MAX_FAILURES else None)


class CircuitBreaker:
    """Holds new calls back after a systemic failure, doubling the pause until a call gets a proper response.

    ``first`` and ``longest`` are pauses in seconds; ``clock`` must be monotonic.
    """

    def __init__(
        self, *, first: float = 1.0, longest: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._pause = first
        self._open_until = clock()
        self._detector = SystemicFailureDetector()

    async def wait_until_closed(self) -> None:
        """Wait until a call may begin."""
        while (left := self._open_until - self._clock()) > 0:  # noqa: ASYNC110  # it may open again meanwhile
            await asyncio.sleep(left)

    def record(self, result: CorpIdentLink | KfqError) -> None:
        """Record the result of a call; open after a systemic failure."""
        advice = self._detector.record(result)
        if advice is not None and self._clock() >= self._open_until:  # concurrent calls fail for the same reason
            _log.warning("paused for %g s: %s. %s", self._pause, result, advice)
            self._open_until = self._clock() + self._pause
            self._pause = min(2 * self._pause, self._longest)
        elif advice is None and not self._detector.failures:
            self._pause = self._first
