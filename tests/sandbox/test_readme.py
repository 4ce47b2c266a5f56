"""The guide to the sandbox: the test that it shows passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kfq_async
from calls import REQUEST
from guide_code import blocks, guide, run, section
from kfq_async import AsyncSession, IdentityStatus

if TYPE_CHECKING:
    from kfq_async.sandbox import Sandbox


async def test_the_code_runs(kfq_sandbox: Sandbox) -> None:
    """The shown test passes, and the order is completed without a browser."""
    names: dict[str, Any] = {"kfq_sandbox": kfq_sandbox, "request": REQUEST}
    shown_test, completion = blocks(section(guide("sandbox"), "## In your tests"), "python")
    await run(shown_test, names)
    await names["test_mine"](kfq_sandbox)
    async with AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url) as session:
        names["link"] = await session.auth.corp_ident_link(REQUEST)
    await run(completion, names)
    assert names["order"].status is IdentityStatus.IDENTIFIED
    assert isinstance(names["verifier"], kfq_async.CallbackVerifier)
