"""A platform that shows whether requests that drive contracts overlap."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from calls import NO_RETRY, TOKEN
from kfq_async import AsyncSession
from kfq_async.protocol.requests import API_PATH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXCLUSIVE_PATHS = {"approval", "draft", "proxy", "add"}


class DrivenPlatform:
    """A platform that records which driving requests overlap, and holds them as long as it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.005
        self.arrived: list[str] = []
        """Last part of the path of each request that has arrived, followed by its contract."""
        self.most = 0
        """Most driving requests under way at a time."""
        self.hold = asyncio.Event()
        """Set unless driving requests wait for it."""
        self.hold.set()
        self.arrival = asyncio.Condition()
        self._under_way = 0
        self._server = TestServer(web.Application())
        self._server.app.router.add_route("*", "/{path:.*}", self._respond)

    @property
    def base_url(self) -> str:
        """Base URL for a session."""
        return str(self._server.make_url("/resrun-paas"))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[DrivenPlatform]:
        """Serve."""
        async with self._server:
            yield self

    def open(self, **options: Any) -> AsyncSession:
        """Return a session without rate limit that sends a request once."""
        return AsyncSession(TOKEN, base_url=self.base_url, **{"rate_limit": None, "retry": NO_RETRY, **options})

    async def wait_for(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        async with self.arrival:
            await self.arrival.wait_for(lambda: len(self.arrived) >= count)

    async def _respond(self, request: web.Request) -> web.Response:
        fields = await request.json() if request.method == "POST" else dict(request.query)
        name = request.path.removeprefix(f"/resrun-paas{API_PATH}").rpartition("/")[2]
        driving = name in EXCLUSIVE_PATHS and fields.get("send") != "0"
        async with self.arrival:
            self.arrived.append(f"{name} {fields.get('contractId', '')}".strip())
            self.arrival.notify_all()
        if driving:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            try:
                await asyncio.sleep(self.seconds)
                await self.hold.wait()
            finally:
                self._under_way -= 1
        task = {"taskId": "T-1", "taskType": "SIGN"}
        result = {"contractId": "C-1", "status": "SIGNING", "todoTaskList": [task]}
        code = 31000 if fields.get("contractId") == "refused" else 10000
        return web.json_response({"code": code, "message": "成功", "result": result, "timestamp": 1})
