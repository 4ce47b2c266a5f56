"""Waits for contracts against a platform that sends its events to a service: signed, withdrawn, kept open, unheard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from contract_platform import contract_fixtures
from driven_contracts import Drive, draft_of, perform, upload
from kfq_async import (
    AsyncSession,
    ContractEnded,
    ContractEvents,
    ContractEventVerifier,
    ContractStatus,
    NotificationReceiver,
)
from kfq_async.contracts import waiting
from kfq_async.sandbox import Sandbox
from self_hosted import TOKEN
from waits import error_or_result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async import ContractTasks


class Service:
    """A service with a session, and the events of the platform."""

    def __init__(self, session: AsyncSession, events: ContractEvents) -> None:
        self.session = session
        self.events = events
        self.doc_id = ""

    async def start(self, kind: str) -> str:
        """Start a contract that waits for an operation of a kind, and return its id."""
        return (await self.session.contracts.draft(draft_of(kind, self.doc_id))).contract_id

    def wait(self, contract_id: str) -> asyncio.Task[ContractTasks]:
        """Begin to wait for a contract."""
        return asyncio.create_task(
            error_or_result(self.session.contracts.wait(contract_id, events=self.events, auto_finish=True))
        )


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """A service whose waits look at first and after events only."""
    monkeypatch.setattr(waiting, "interval_after", lambda _: 3600.0)
    platform: Sandbox

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        verifier = ContractEventVerifier(platform.public_key)
        async with NotificationReceiver(events, verifier=verifier) as receiver:
            reply = await receiver.receive(body, request.headers, request.raw_path)
        return web.Response(status=reply.status, body=reply.body)

    app = web.Application()
    app.router.add_post("/events", receive)
    async with TestServer(app) as server, ContractEvents(grace=0) as events:
        fixtures = contract_fixtures()
        fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = str(server.make_url("/events"))
        async with (
            Sandbox(fixtures=fixtures, rate_limit_form="none") as platform,
            AsyncSession(TOKEN, base_url=platform.base_url, rate_limit=None) as session,
        ):
            service = Service(session, events)
            service.doc_id = await upload(session)
            yield service


async def test_signed(service: Service) -> None:
    """A wait ends with the last signature, and an iteration tells of each step."""
    contract_id = await service.start("approve")
    wait = service.wait(contract_id)
    seen = []
    async for tasks in service.session.contracts.watch(contract_id, events=service.events):
        kinds = [task.task_type for task in tasks.todo_task_list]
        seen.append((tasks.status, kinds))
        if kinds:
            kind = {"APPROVE": "approve", "SIGN": "sign"}[kinds[0]]
            await perform(service.session, Drive(kind, contract_id), service.doc_id)
    assert seen == [("SIGNING", ["APPROVE"]), ("SIGNING", ["SIGN"]), ("COMPLETED", [])]
    assert (await wait).status is ContractStatus.COMPLETED


async def test_withdrawn(service: Service) -> None:
    """A wait for a contract that is withdrawn ends with the reason of its event."""
    contract_id = await service.start("sign")
    assert (await anext(service.events.unclaimed())).callback_type == "SEND_SIGNING"
    wait = service.wait(contract_id)
    await anext(service.session.contracts.watch(contract_id))  # the first look was made
    await service.session.contracts.recall(contract_id)
    error = await wait
    assert isinstance(error, ContractEnded)
    assert (error.status, error.reason) == ("RECALLED", "通过API撤销")


async def test_events_of_a_waited_contract_are_claimed(service: Service) -> None:
    """The events of a contract that is waited for are not those of a lost draft."""
    contract_id = await service.start("sign")
    lost = await service.start("sign")
    wait = service.wait(contract_id)
    await perform(service.session, Drive("sign", contract_id), service.doc_id)
    await wait
    assert (await anext(service.events.unclaimed())).contract_id == lost
