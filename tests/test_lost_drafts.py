"""A client that is killed after it sent a draft: the next run finds the contract, and makes no second one."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contract_platform import contract_fixtures, text_pdf
from draft_process import OPERATOR, PERSON, REFERENCE, TOKEN, find, make_request
from kfq_async import AsyncSession, OutcomeUnknown
from kfq_async.sandbox import Sandbox
from proxies import HoldingProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PROCESS = Path(__file__).parent / "draft_process.py"
PDF = text_pdf(1, "SIGNHERE")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket, which a process inherits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
async def platform(listener: socket.socket) -> AsyncIterator[Sandbox]:
    """A platform whose events go to the socket, and are held."""
    fixtures = contract_fixtures()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/events"
    fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = url
    async with Sandbox(fixtures=fixtures) as sandbox:
        sandbox.inject_faults("event-hold")
        yield sandbox


async def start(base_url: str, public_key: str, folder: Path, listener: socket.socket) -> asyncio.subprocess.Process:
    """Start a process that looks at two contracts."""
    descriptor = listener.fileno()
    arguments = (base_url, public_key, str(folder), str(descriptor), "2")
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), *arguments, stdout=asyncio.subprocess.PIPE, pass_fds=[descriptor]
    )


async def draft_with(session: AsyncSession, reference: str) -> str:
    """Start a contract of another reference, and return its id."""
    document = await session.files.upload_document(PDF, name="采购合同", reference=reference)
    return (await session.contracts.draft(make_request(document))).contract_id


def release_events(platform: Sandbox) -> None:
    """Let the platform send its events."""
    for event in platform.events:
        platform.release(event.notification_id)


async def test_killed_client(platform: Sandbox, listener: socket.socket, tmp_path: Path) -> None:
    """Killed before the response, it finds its contract among others by its event, and one contract exists."""
    (tmp_path / "采购合同.pdf").write_bytes(PDF)
    async with AsyncSession(TOKEN, base_url=platform.base_url) as session:
        other = await draft_with(session, "PO-41")
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(HoldingProxy(platform.base_url, "/contract/draft"))
        first = await start(proxy.base_url, platform.public_key, tmp_path, listener)
        await proxy.answered.wait()
        first.send_signal(signal.SIGKILL)
        printed, _ = await first.communicate()
        assert (first.returncode, printed) == (-signal.SIGKILL, b"")
    assert (tmp_path / "reference").read_text() == REFERENCE
    second = await start(platform.base_url, platform.public_key, tmp_path, listener)
    assert second.stdout is not None
    assert await second.stdout.readline() == b"listening\n"
    release_events(platform)
    found = (await second.stdout.readline()).decode().strip()
    assert await second.wait() == 0
    assert [contract.contract_id for contract in platform.contracts] == [other, found]
    async with AsyncSession(TOKEN, base_url=platform.base_url) as session:
        assert (await session.contracts.tasks(found)).status == "SIGNING"


async def test_lost_response(platform: Sandbox, listener: socket.socket) -> None:
    """A draft whose outcome is unknown is found by the client that sent it."""
    async with AsyncSession(TOKEN, base_url=platform.base_url) as session:
        document = await session.files.upload_document(PDF, name="采购合同", reference=REFERENCE)
        platform.inject_faults("event-hold", "lose-response*1")
        with pytest.raises(OutcomeUnknown):
            await session.contracts.draft(make_request(document))
        found = await find(session, platform.public_key, listener, 1, lambda: release_events(platform))
    (contract,) = platform.contracts
    assert found == contract.contract_id


async def test_shared_document(platform: Sandbox) -> None:
    """Contracts that share a document are told apart by those whom their tasks wait for."""
    async with AsyncSession(TOKEN, base_url=platform.base_url) as session:
        contract_id = await draft_with(session, REFERENCE)

        async def find(reference: str, *receivers: str) -> bool | None:
            return await session.contracts.find_lost(
                contract_id, contact=OPERATOR, reference=reference, receivers=receivers
            )

        assert [await find(REFERENCE), await find("PO-41")] == [True, False]
        assert [await find(REFERENCE, PERSON), await find(REFERENCE, "13900000003")] == [True, False]
        await session.contracts.recall(contract_id)
        assert [await find(REFERENCE), await find(REFERENCE, PERSON)] == [True, None]
        assert await session.contracts.find_lost(contract_id, contact="13900000009", reference=REFERENCE) is None
