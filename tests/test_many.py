"""Many concurrent calls: no call is lost, times out while queueing, or creates two orders."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from kfq_async import AsyncSession, CorpIdentLink, CorpIdentLinkRequest
from kfq_async.sandbox import SAMPLE_TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVER = """
import sys
from kfq_async.sandbox import Sandbox

with Sandbox() as sandbox:
    print(sandbox.base_url, flush=True)
    sys.stdin.read()
"""


@asynccontextmanager
async def sandbox_process() -> AsyncIterator[str]:
    """Run a sandbox in another process and yield its ``base_url``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        await process.communicate(b"")


async def request_links(number: int, base_url: str, **options: Any) -> tuple[set[str], dict[str, Any]]:
    """Request so many links in one ``gather``; return their request ids and the sandbox's list of orders."""
    requests = [CorpIdentLinkRequest(account_name="13800138000") for _ in range(number)]
    async with AsyncSession(SAMPLE_TOKEN, base_url=base_url, **options) as session:
        links = await asyncio.gather(*map(session.auth.corp_ident_link, requests))
    assert all(isinstance(link, CorpIdentLink) for link in links)
    async with aiohttp.ClientSession() as http, http.get(URL(base_url).origin() / "sandbox" / "orders") as response:
        listed: dict[str, Any] = await response.json()
    assert {link.order_no for link in links} == {order["orderNo"] for order in listed["orders"]}
    return {request.client_request_id or "" for request in requests}, listed


async def test_ten_thousand_links_in_one_gather() -> None:
    """10,000 calls at a concurrency of 100 and with default timeouts create one order each."""
    async with sandbox_process() as base_url:
        ids, listed = await request_links(10_000, base_url, concurrency=100)
    assert len(ids) == listed["count"] == 10_000
    assert ids == {order["clientRequestId"] for order in listed["orders"]}


async def test_ten_thousand_links_over_five_connections() -> None:
    """10,000 calls over a caller's connector of five connections create one order each and leave it open."""
    async with sandbox_process() as base_url, aiohttp.TCPConnector(limit=5) as connector:
        ids, listed = await request_links(10_000, base_url, connector=connector)
        assert not connector.closed
    assert len(ids) == listed["count"] == 10_000
    assert ids == {order["clientRequestId"] for order in listed["orders"]}


async def test_no_response_at_the_wrong_call() -> None:
    """Two tenants share a connector; a server pushes, repeats and delays responses, and calls are cancelled."""
    command = (sys.executable, "-m", "benchmarks.crossed", "--calls", "2000")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    assert b"wrong 0" in output


async def test_benchmark_of_files() -> None:
    """The benchmark of uploads and downloads runs, also if warnings are errors, and prints its figures."""
    command = (sys.executable, "-W", "error", "-m", "benchmarks.files", "--size", "1", "--rounds", "1")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=Path(__file__).parents[1], stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    ways = ("upload_document(path)", "upload_document(bytes)", "download(to=path)", "download_stream()")
    for way in ways:
        (line,) = (line for line in output.decode().splitlines() if line.startswith(way))
        milliseconds, ratio, stall, worst, peak = (float(figure.strip("()")) for figure in line[len(way) :].split())
        assert min(milliseconds, ratio, peak) > 0
        assert 0 <= stall <= worst
