"""`AsyncSession`: what a user may rely on."""
from kfq_async import AsyncSession, CorpIdentLinkRequest
from kfq_async.sandbox import Sandbox


async def test_one_link(session: AsyncSession, sandbox: Sandbox) -> None:
    """A request makes one order and returns its number and page."""
    link = await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
    (order,) = sandbox.orders
    assert link.order_no == order.order_no

def test_x(kfq_sandbox):
    assert kfq_sandbox.base_url
