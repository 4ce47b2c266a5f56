"""One call for one company, and how it ended: no error of the platform or of the network leaves it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from kfq_async.errors import KfqError, SessionError
from kfq_async.resources.auth import CORP_IDENT_LINK

if TYPE_CHECKING:
    from kfq_async.models.identity import CorpIdentLink
    from kfq_async.protocol.requests import Encoded
    from kfq_async.session import AsyncSession

__all__ = ["CallEnd", "ask"]


class CallEnd(NamedTuple):
    """How a call ended."""

    result: CorpIdentLink | KfqError
    attempts: int
    """Requests made."""
    seconds: float
    """How long it took, its waits and repetitions included."""


async def ask(session: AsyncSession, request: Encoded) -> CallEnd:
    """Ask for a link; raises `SessionError`, which is the caller's mistake, and no other `KfqError`."""
    began = time.monotonic()
    ended: CorpIdentLink | KfqError
    try:
        answer = await session.send(CORP_IDENT_LINK, request)
        ended, attempts = answer.result, answer.attempts
    except SessionError:
        raise
    except KfqError as problem:
        ended, attempts = problem, problem.attempts
    return CallEnd(ended, attempts, time.monotonic() - began)
