"""One call, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from companies import request
from kfq_async import AsyncSession, BusinessError, ConnectionLost, CorpIdentLink, RetryPolicy, SessionError
from kfq_async.onboarding.bodies import written
from kfq_async.onboarding.calls import ask
from kfq_async.sandbox import Fault

if TYPE_CHECKING:
    from kfq_async.sandbox import Sandbox

QUICK = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)


async def test_a_link(session: AsyncSession, sandbox: Sandbox) -> None:
    """A link is an end, with the requests that it took, and the time of all of them."""
    sandbox.fail(Fault("drop", times=1))
    end = await ask(session.with_options(retry=QUICK), written(request(), "id-1"))
    assert isinstance(end.result, CorpIdentLink)
    assert end.attempts == 2
    assert end.seconds >= 0.005
    assert [order.client_request_id for order in sandbox.orders] == ["id-1"]


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [(Fault("code-31000"), BusinessError, 1), (Fault("drop"), ConnectionLost, 3)],
)
async def test_an_error(
    session: AsyncSession, sandbox: Sandbox, fault: Fault, kind: type[Exception], attempts: int
) -> None:
    """A refusal is an end as well, and so is a network that fails."""
    sandbox.fail(fault)
    end = await ask(session.with_options(retry=QUICK), written(request(), "id-1"))
    assert (type(end.result), end.attempts) == (kind, attempts)


async def test_a_mistake(session: AsyncSession) -> None:
    """What the caller did wrong is no end of a call."""
    await session.aclose()
    with pytest.raises(SessionError):
        await ask(session, written(request(), "id-1"))
