"""Hundreds of operations that drive contracts at once, against a platform on which they collide."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from contract_platform import contract_fixtures
from driven_contracts import EXPECTED, Drive, perform, prepare, shapes, upload, wire_request
from kfq_async import AsyncSession
from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Sandbox
from self_hosted import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio import Redis

COUNT = 300
CONNECTIONS = 50
LEASE = 16.0
"""Seconds; an attempt has a quarter of it each for connecting and responding, which a busy machine may need."""
PROCESS = Path(__file__).parent / "gather_process.py"
SOUND = [*EXPECTED.values()]
STUCK: list[tuple[str, list[str]]] = [("SIGNING", []), ("START", [])]


@pytest.fixture
async def platform() -> AsyncIterator[Sandbox]:
    """A platform on which operations collide, without its rate limit."""
    async with Sandbox(fixtures=contract_fixtures(), rate_limit_form="none") as sandbox:
        yield sandbox


@pytest.fixture
async def session(platform: Sandbox) -> AsyncIterator[AsyncSession]:
    """A session without a rate limit."""
    async with AsyncSession(TOKEN, base_url=platform.base_url, rate_limit=None) as session:
        yield session


async def gather_plainly(base_url: str, drives: Sequence[Drive], doc_id: str) -> Counter[object]:
    """Send operations over plain HTTP, all at once, and return the codes of the responses."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as http:

        async def send(drive: Drive) -> object:
            path, fields = wire_request(drive, doc_id)
            body = {"appAuthToken": TOKEN, "uniqueCode": "u", **fields}
            async with http.post(f"{base_url}{API_PATH}{path}", json=body) as response:
                return (await response.json())["code"]

        return Counter(await asyncio.gather(*map(send, drives)))


async def test_two_sessions(platform: Sandbox, session: AsyncSession) -> None:
    """A gather from two sessions leaves every contract sound; the same over plain HTTP leaves some stuck."""
    doc_id = await upload(session)
    drives = await prepare(session, doc_id, COUNT)
    before = len(platform.contracts)
    async with AsyncSession(TOKEN, base_url=platform.base_url, rate_limit=None) as other:
        sessions = [session, other]
        driven = await asyncio.gather(
            *(perform(sessions[number % 2], drive, doc_id) for number, drive in enumerate(drives))
        )
    assert await shapes(session, driven) == [EXPECTED[drive.kind] for drive in drives]
    starts = sum(drive.kind == "start" for drive in drives)
    assert len(platform.contracts) == before + starts

    drives = await prepare(session, doc_id, COUNT)
    known = {contract.contract_id for contract in platform.contracts}
    codes = await gather_plainly(platform.base_url, drives, doc_id)
    assert codes.total() == COUNT
    ids = {drive.contract_id for drive in drives if drive.contract_id}
    ids |= {contract.contract_id for contract in platform.contracts} - known
    found = await shapes(session, ids)
    assert sum(shape in STUCK for shape in found) > 0


@pytest.fixture(params=["redis", "postgres"])
def service(request: pytest.FixtureRequest, redis: Redis, redis_port: int, postgres: str) -> tuple[str, str]:
    """Kind and address of each of both services, empty."""
    assert redis is not None
    return request.param, {"redis": f"redis://127.0.0.1:{redis_port}", "postgres": postgres}[request.param]


@pytest.mark.services
async def test_three_processes(
    service: tuple[str, str], platform: Sandbox, session: AsyncSession, tmp_path: Path
) -> None:
    """Three processes, of which one is killed, leave every contract sound, and start none twice."""
    doc_id = await upload(session)
    drives = await prepare(session, doc_id, COUNT)
    before = len(platform.contracts)

    async def start(number: int) -> asyncio.subprocess.Process:
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps([(drive.kind, drive.contract_id) for drive in drives[number::3]]))
        arguments = (*service, platform.base_url, str(LEASE), doc_id, str(file))
        return await asyncio.create_subprocess_exec(
            sys.executable, str(PROCESS), *arguments, stdout=asyncio.subprocess.PIPE
        )

    victim, *others = [await start(number) for number in range(3)]
    assert victim.stdout is not None
    for _ in range(10):
        assert await victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    printed = b"".join([(await process.communicate())[0] for process in (victim, *others)])
    assert [process.returncode for process in (victim, *others)] == [-signal.SIGKILL, 0, 0]
    driven = [line.split() for line in printed.decode().splitlines()]
    assert len(driven) >= COUNT * 2 // 3
    assert await shapes(session, (contract_id for _, contract_id in driven)) == [EXPECTED[each] for each, _ in driven]
    found = await shapes(session, (contract.contract_id for contract in platform.contracts))
    assert [shape for shape in found if shape not in SOUND] == []
    starts = sum(drive.kind == "start" for number in (1, 2) for drive in drives[number::3])
    victims = sum(drive.kind == "start" for drive in drives[0::3])
    assert before + starts <= len(platform.contracts) <= before + starts + victims
