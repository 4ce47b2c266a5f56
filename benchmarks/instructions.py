"""Scenarios of the regression check, run under valgrind: ``instructions.py SCENARIO TIMES BASE_URL``.

The guard runs this file of each compared tree, so that names of the package may differ between them. It relies on this
command line and on the keys of ``SCENARIOS``. The file imports nothing but the package, from PYTHONPATH, and counts
only after a warm-up.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import kfq_async as kfq


def request() -> kfq.CorpIdentLinkRequest:
    """Return the request that the guide to single operations shows."""
    return kfq.CorpIdentLinkRequest(
        account_name="13800138000",
        corp_ident_info=kfq.CorpIdentInfo(company_name="某某科技有限公司", credit_code="91110000MA01234567"),
        callback_page="https://your-domain.com/corp/callback",
    )


def counting(state: str) -> None:
    """Switch callgrind's counting ``on`` or ``off``."""
    command = ["callgrind_control", "-i", state, str(os.getpid())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def links(session: kfq.AsyncSession, times: int, concurrency: int) -> None:
    """Request so many links, so many at a time."""
    left = iter(range(times))

    async def worker() -> None:
        for _ in left:
            await session.auth.corp_ident_link(request())

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def codec(_session: kfq.AsyncSession, times: int, _concurrency: int) -> None:
    """Encode requests and decode responses without a network."""
    from kfq_async.protocol.codec import encode, to_wire  # noqa: PLC0415  # the other scenarios do without
    from kfq_async.protocol.envelope import parse_envelope  # noqa: PLC0415

    body = '{"code":10000,"message":"成功","result":{"orderNo":"N1","authUrl":"https://h.example"},"timestamp":1}'
    for _ in range(times):
        encode(to_wire(request()))
        envelope = parse_envelope(body.encode())
        assert envelope is not None
        envelope.decode_result(kfq.CorpIdentLink)


Scenario = Callable[[kfq.AsyncSession, int, int], Coroutine[Any, Any, None]]
SCENARIOS: dict[str, tuple[Scenario, int, int]] = {
    "1": (links, 1, 100),
    "50": (links, 50, 100),
    "500": (links, 500, 500),
    "gather": (links, 1000, 100),
    "codec": (codec, 1, 100),
}
"""Function, calls in flight, and concurrency of the session."""


async def main(name: str, times: int, base_url: str) -> None:
    """Run a scenario once to warm up, then count it."""
    scenario, calls, concurrency = SCENARIOS[name]
    async with kfq.AsyncSession("PV9LQWZA", base_url=base_url, concurrency=concurrency) as session:
        await scenario(session, max(200, concurrency), min(calls, concurrency))
        counting("on")
        await scenario(session, times, calls)
        counting("off")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
