"""Two tenants share one connector with a server that pushes, repeats and delays responses at random.

``python -m benchmarks.crossed`` makes 100,000 calls, of which it cancels some, and exits with status 1 if one of them
got the response to another call. Server and client share an event loop, so the server knows whether a request is on its
way: it pushes on idle connections only, since HTTP/1.1 cannot tell a response that is pushed later from the right one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import select
import time
from collections import Counter
from typing import cast

from kfq_async import AsyncSession, CorpIdentLinkRequest

TENANTS = ("TENANT-A", "TENANT-B")
WORKERS = 25
_HEADER = re.compile(rb"(?im)^(appAuthToken|Content-Length): *([^\r\n]+)")


class Pusher(asyncio.Protocol):
    """One connection of the server; a response names the tenant and the id of its request."""

    def __init__(self, chance: random.Random, seen: Counter[str]) -> None:
        self._chance = chance
        self._seen = seen
        self._data = b""
        self._pending = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Respond to a complete request, now or later."""
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        fields = {name.lower(): value for name, value in _HEADER.findall(head)}
        if not end or len(body) < int(fields[b"content-length"]):
            return
        self._data = b""
        self._pending += 1
        order = f"{fields[b'appauthtoken'].decode()}:{json.loads(body)['clientRequestId']}"
        delay = self._chance.choice((0, 0, 0, 0.002, 0.01))
        asyncio.get_running_loop().call_later(delay, self._respond, order)

    def _respond(self, order: str) -> None:
        assert self._transport is not None
        self._pending -= 1
        way = self._chance.choices(("once", "twice", "push"), (70, 10, 20))[0]
        self._seen[way] += 1
        self._transport.write(response(order) * (2 if way == "twice" else 1))
        if way == "push":
            asyncio.get_running_loop().call_later(self._chance.choice((0, 0.0005, 0.003)), self._push)

    def _push(self) -> None:
        assert self._transport is not None
        if self._transport.is_closing() or self._pending or self._data or readable(self._transport):
            return
        self._seen["pushed"] += 1
        self._transport.write(response("NOBODY:pushed"))


def readable(transport: asyncio.Transport) -> bool:
    """Return whether the kernel holds data for a transport."""
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poller.poll(0))


def response(order: str) -> bytes:
    """Return a successful response."""
    result = {"orderNo": order, "authUrl": "https://platform.example/auth"}
    body = json.dumps({"code": 10000, "message": "ok", "result": result, "timestamp": time.time_ns() // 10**6}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def work(
    session: AsyncSession, tenant: str, calls: list[None], chance: random.Random, ends: Counter[str]
) -> None:
    """Call one after another until no call is left."""
    while calls:
        calls.pop()
        request = CorpIdentLinkRequest(account_name="13800138000")
        limit = 0.003 if chance.random() < 0.05 else None
        try:
            async with asyncio.timeout(limit):
                link = await session.auth.corp_ident_link(request)
        except TimeoutError:
            ends["cancelled"] += 1
        else:
            ends["right" if link.order_no == f"{tenant}:{request.client_request_id}" else "wrong"] += 1


async def run(number: int, seed: int) -> Counter[str]:
    """Make so many calls, and count how they end."""
    chance = random.Random(seed)  # noqa: S311  # reproducible
    ends: Counter[str] = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: Pusher(chance, ends), "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/resrun-paas"
    calls: list[None] = [None] * number
    async with server, AsyncSession(TENANTS[0], base_url=base_url, concurrency=20) as session:
        views = {TENANTS[0]: session, TENANTS[1]: session.for_token(TENANTS[1])}
        async with asyncio.TaskGroup() as group:
            for tenant, view in views.items():
                for _ in range(WORKERS):
                    group.create_task(work(view, tenant, calls, chance, ends))
    return ends


def main() -> int:
    """Run, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    found = parser.parse_args()
    ends = asyncio.run(run(found.calls, found.seed))
    print(", ".join(f"{name} {ends[name]:,}" for name in ("right", "cancelled", "wrong", "twice", "pushed")))
    return int(ends["wrong"] > 0 or ends["right"] + ends["cancelled"] != found.calls)


if __name__ == "__main__":
    raise SystemExit(main())
