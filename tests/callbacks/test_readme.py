"""The guide to notifications: its code receives a notification of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

import kfq_async
from calls import REQUEST
from guide_code import blocks, guide, run
from kfq_async import AsyncSession

if TYPE_CHECKING:
    from kfq_async.sandbox import Sandbox

SERVICE = "https://your-domain.com"


async def test_the_code_runs(sandbox: Sandbox, session: AsyncSession) -> None:
    """The URL is bound, the route receives the notification, and the handler runs once."""
    finished: list[str | None] = []

    async def identified(client_request_id: str | None, *, once_per: str) -> None:
        assert once_per
        finished.append(client_request_id)

    async def receive(request: web.Request) -> web.Response:
        names.update(body=await request.read(), headers=request.headers, path=request.raw_path)
        await run(in_the_route, names)
        reply = names["reply"]
        return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})

    service = web.Application()
    service.router.add_post("/hooks/kfq/{segment}", receive)
    names: dict[str, Any] = {"kfq": kfq_async, "SECRET": bytes(32), "identified": identified}
    names |= {"request": REQUEST, "session": session}
    receiver, in_the_route = blocks(guide("callbacks"), "python")
    assert SERVICE in receiver
    async with TestServer(service) as server:
        await run(receiver.replace(SERVICE, str(server.make_url("")).rstrip("/")), names)
        sandbox.complete(names["link"].order_no)
        [notification] = await sandbox.wait_for_notifications()
        await names["receiver"].aclose()
    assert notification.acknowledged
    assert finished == [REQUEST.client_request_id]
