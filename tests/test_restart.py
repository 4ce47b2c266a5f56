"""Restart of the platform during a batch of calls."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

from kfq_async import AsyncSession, CorpIdentInfo, CorpIdentLinkRequest

if TYPE_CHECKING:
    from pathlib import Path

LINKS = 5000


def start(state: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    """Start a sandbox process and return it with its base URL."""
    command = [sys.executable, "-m", "kfq_async", "sandbox", "--port", str(port), "--state", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().split()[2]


def orders(base_url: str) -> list[str]:
    """Return the company of each order in the sandbox."""
    with urllib.request.urlopen(base_url.replace("/resrun-paas", "/sandbox/orders"), timeout=30) as response:
        return [order["companyName"] for order in json.load(response)["orders"]]


async def test_five_thousand_links_survive_a_killed_platform(tmp_path: Path) -> None:
    """Calls in progress survive a kill and restart of the platform, and each company gets exactly one order."""
    state = tmp_path / "sandbox.db"
    process, base_url = await asyncio.to_thread(start, state, 0)
    try:
        async with AsyncSession("PV9LQWZA", base_url=base_url) as session:
            requests = [
                CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(company_name=f"公司{number}"))
                for number in range(LINKS)
            ]
            calls = [asyncio.create_task(session.auth.corp_ident_link(request)) for request in requests]
            await asyncio.gather(*calls[: LINKS // 4])
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.communicate)
            assert not all(call.done() for call in calls)
            await asyncio.sleep(1.5)
            process, restarted_url = await asyncio.to_thread(start, state, int(base_url.split(":")[2].split("/")[0]))
            assert restarted_url == base_url
            links = await asyncio.gather(*calls)
        assert len({link.order_no for link in links}) == LINKS
        made = await asyncio.to_thread(orders, base_url)
        assert sorted(made) == sorted(f"公司{number}" for number in range(LINKS))
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)
