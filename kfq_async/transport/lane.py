"""Use of a session's lane, which may be the caller's own: its failures are errors of the call, or reported."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kfq_async.errors import KfqError, Phase, SessionError
from kfq_async.models.masking import type_name

if TYPE_CHECKING:
    from kfq_async.config import Lane, LaneTurn
    from kfq_async.protocol.envelope import Envelope
    from kfq_async.transport.attempt import Attempt

__all__ = ["acquire_lane", "is_held", "leave_lane", "time_in_doubt"]


async def acquire_lane(lane: Lane, platform: str, *, needed: float, cancelling: int) -> LaneTurn:
    """Wait for the lane, and take it for an attempt of at most ``needed`` seconds.

    ``cancelling`` is the task's count of cancellations before the call. Raises `SessionError`, without its cause, if
    the lane fails.
    """
    try:
        turn = await lane.acquire(platform)
    except (Exception, asyncio.CancelledError) as problem:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > cancelling:
            raise  # cancelled, or a limit is over
        failure = f"raised {type(problem).__name__}"
    else:
        if not all(hasattr(turn, name) for name in ("remaining", "release", "keep")):
            failure = f"returned {type_name(turn)}, which is no turn: it needs remaining, release and keep"
        elif turn.remaining >= needed:
            return turn
        else:
            failure = f"returned a turn of {turn.remaining:.3g} s, and an attempt may take {needed:.3g} s (Timeouts)"
            await leave_lane(turn, 0.0)
    raise SessionError(f"the method acquire of {type(lane).__name__}, the session's lane, {failure}")


def is_held(turn: LaneTurn) -> bool:
    """Return whether the lane is still held; a turn that fails to tell counts as lost."""
    try:
        return turn.remaining > 0
    except Exception:  # noqa: BLE001  # a lane may raise anything
        return False


async def leave_lane(turn: LaneTurn, seconds: float) -> None:
    """Release the lane, after so many seconds if any; report a failure without losing the outcome of the call."""
    try:
        if seconds > 0:
            turn.keep(seconds)
        else:
            await turn.release()
    except Exception as problem:  # noqa: BLE001  # a lane may raise anything
        context = {"message": "a session's lane was not released", "exception": problem}
        asyncio.get_running_loop().call_exception_handler(context)


def time_in_doubt(attempt: Attempt | None, outcome: Envelope | KfqError | None) -> float:
    """Return the seconds for which the platform may go on working on what an attempt has sent."""
    if attempt is None or not attempt.connected or not attempt.may_have_sent:
        return 0.0
    if outcome is None or (isinstance(outcome, KfqError) and outcome.phase is Phase.SENT):
        return attempt.remaining
    return 0.0
