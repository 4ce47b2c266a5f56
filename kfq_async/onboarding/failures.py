"""What holds a worker back after something that concerns every row, so that it does not burn them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from kfq_async.errors import (
    ApiError,
    CertificateError,
    CredentialsError,
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

__all__ = ["FAILURES", "CircuitBreaker", "SystemicFailureDetector"]


NO_BALANCE = 41003


def systemic_failure_advice(error: KfqError) -> str | None:
    """Return what to do about an error that concerns every row, or ``None`` if it is one row's."""
    if isinstance(error, ApiError) and error.code == NO_BALANCE:
        return "Top up the account"
    if isinstance(error, CredentialsError):
        return "Check the token and its permissions"
    if isinstance(error, SignatureError) and not isinstance(error, NonceError):
        return "Check the signer's key, and this machine's clock"
    if isinstance(error, NotFoundError) or (isinstance(error, UnexpectedResponse) and _of_the_address(error)):
        return "Check the base URL, its context path, and what stands in between"
    if isinstance(error, CertificateError):
        return "Check the base URL and the CA"
    return None


def _of_the_address(error: UnexpectedResponse) -> bool:
    return 300 <= error.http_status < 400 or error.http_status in {401, 403, 404, 405, 407}


_log = logging.getLogger("kfq_async")


FAILURES = 20
"""Calls in a row without an answer of the platform, after which the cause is none of one row."""
NOBODY_ANSWERS = f"{FAILURES} calls in a row had no answer of the platform: check the network and the base URL"


class SystemicFailureDetector:
    """Sees the ends of calls, one after the other."""

    def __init__(self) -> None:
        self.failures = 0
        """Calls in a row, up to the last one, without an answer of the platform."""

    def saw(self, ended: CorpIdentLink | KfqError) -> str | None:
        """Return what to do about something that concerns every row, or ``None`` if nothing of the kind is seen."""
        if not isinstance(ended, KfqError):
            self.failures = 0
            return None
        self.failures = self.failures + 1 if isinstance(ended, TransportError | UnexpectedResponse) else 0
        return systemic_failure_advice(ended) or (NOBODY_ANSWERS if self.failures >= FAILURES else None)


class CircuitBreaker:
    """Lets nothing begin for a while, twice as long each time, until a call has been answered as it should be.

    Times are in seconds; ``clock`` must not go back.
    """

    def __init__(
        self, *, first: float = 1.0, longest: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._pause = first
        self._until = clock()
        self._watch = SystemicFailureDetector()

    async def released(self) -> None:
        """Wait until something may begin."""
        while (left := self._until - self._clock()) > 0:  # noqa: ASYNC110  # it may be pulled again meanwhile
            await asyncio.sleep(left)

    def saw(self, ended: CorpIdentLink | KfqError) -> None:
        """Take note of how a call ended: pause for what concerns every row, also twenty calls without an answer."""
        advice = self._watch.saw(ended)
        if advice is not None and self._clock() >= self._until:  # others that were under way saw the same
            _log.warning("paused for %g s: %s. %s", self._pause, ended, advice)
            self._until = self._clock() + self._pause
            self._pause = min(2 * self._pause, self._longest)
        elif advice is None and not self._watch.failures:
            self._pause = self._first
