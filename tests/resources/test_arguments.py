"""Arguments that a method cannot do without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from calls import open_session, respond
from kfq_async import AsyncSession, ContractUser
from servers import ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PERSON = ContractUser(name="李四", contact_type="MOBILE", contact="13800138000")
NONE: Any = None
CALLS: list[tuple[str, Callable[[AsyncSession], Awaitable[object]]]] = [
    ("contract_id", lambda session: session.contracts.tasks(NONE)),
    ("contract_id", lambda session: session.contracts.wait(NONE)),
    ("contract_id", lambda session: session.contracts.add_signers(NONE, [])),
    ("signers", lambda session: session.contracts.add_signers("C1", NONE)),
    ("contract_id", lambda session: session.contracts.approve(NONE, signer=PERSON)),
    ("signer", lambda session: session.contracts.approve("C1", signer=NONE)),
    ("signer", lambda session: session.contracts.refuse("C1", signer=NONE)),
    ("contract_id", lambda session: session.contracts.finish(NONE)),
    ("contract_id", lambda session: session.contracts.recall(NONE)),
    ("signer", lambda session: session.contracts.sign_for_person("C1", signer=NONE)),
    ("task_id", lambda session: session.contracts.task_url("C1", NONE)),
    ("contact", lambda session: session.contracts.page_url("C1", NONE)),
    ("contact", lambda session: session.contracts.download("C1", contact=NONE, to="a")),
    ("contact", lambda session: session.accounts.business_lines(NONE)),
]


@pytest.mark.parametrize(("name", "call"), CALLS)
async def test_none(name: str, call: Callable[[AsyncSession], Awaitable[object]]) -> None:
    """``None`` in place of a required argument is refused, and not left out of the request."""
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:
        with pytest.raises(TypeError, match=f"^{name} must not be None"):
            await call(session)
    assert server.requests == []
