"""What concerns every row, and not one alone, so that nobody burns the others on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.errors import KfqError, TransportError, UnexpectedAnswer
from kfq_async.onboarding.decisions import advice_on

if TYPE_CHECKING:
    from kfq_async.models.identity import CorpIdentLink

__all__ = ["FAILURES", "Watch"]

FAILURES = 20
"""Calls in a row without an answer of the platform, after which the cause is none of one row."""
NOBODY_ANSWERS = f"{FAILURES} calls in a row had no answer of the platform: check the network and the base URL"


class Watch:
    """Sees the ends of calls, one after the other."""

    def __init__(self) -> None:
        self.failures = 0
        """Calls in a row, up to the last one, without an answer of the platform."""

    def saw(self, ended: CorpIdentLink | KfqError) -> str | None:
        """Return what to do about something that concerns every row, or ``None`` if nothing of the kind is seen."""
        if not isinstance(ended, KfqError):
            self.failures = 0
            return None
        self.failures = self.failures + 1 if isinstance(ended, TransportError | UnexpectedAnswer) else 0
        return advice_on(ended) or (NOBODY_ANSWERS if self.failures >= FAILURES else None)
