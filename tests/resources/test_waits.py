"""`session.contracts.wait` and `watch` of a session: closing, views, slots, lane and events."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from calls import NO_RETRY, open_session, refusal, respond
from driven_platform import DrivenPlatform
from kfq_async import (
    AsyncSession,
    BusinessError,
    ContractEvents,
    ContractStatus,
    ContractUser,
    SessionError,
    TotalTimeout,
)
from servers import ScriptedServer, success
from waits import deliver, error_or_result

SIGNING = success({"status": "SIGNING", "todoTaskList": [{"taskId": "T1", "taskType": "SIGN"}]})
COMPLETE = success({"status": "COMPLETE", "todoTaskList": []})
PERSON = ContractUser(contact="13800000001")


async def test_request() -> None:
    """A look is one request of the contract's tasks, as the view sends it."""
    async with ScriptedServer(respond(COMPLETE)) as server, open_session(server) as session:
        view = session.for_token("OTHER", operator_account="op")
        assert (await view.contracts.wait("C-1")).status is ContractStatus.COMPLETED
        (request,) = server.requests
    fields = parse_qs(urlsplit(request.target).query)
    assert (request.method, urlsplit(request.target).path[-15:]) == ("GET", "/contract/tasks")
    assert [fields[name] for name in ("contractId", "appAuthToken", "operatorAccount")] == [["C-1"], ["OTHER"], ["op"]]


async def test_retry() -> None:
    """A look is retried as a call of `tasks` is."""
    async with ScriptedServer(respond(None, None, COMPLETE)) as server, open_session(server) as session:
        await session.contracts.wait("C-1")
        assert len(server.requests) == 3


async def test_no_such_contract() -> None:
    """A contract that the platform does not know ends wait and iteration with the error of the call."""
    async with ScriptedServer(respond(refusal(31000))) as server, open_session(server) as session:
        with pytest.raises(BusinessError) as caught:
            await session.contracts.wait("C-1")
        with pytest.raises(BusinessError):
            await anext(session.contracts.watch("C-1"))
    assert (caught.value.operation, caught.value.attempts) == ("GET /contract/tasks", 1)


async def test_total_during_a_look() -> None:
    """The end of ``total`` ends the request of a look, and the session is of use afterwards."""
    released = asyncio.Event()

    async def script(number: int, _seen: object) -> bytes:
        if number == 0:
            await released.wait()
        return COMPLETE

    async with ScriptedServer(script) as server, open_session(server, concurrency=1) as session:
        with pytest.raises(TotalTimeout, match="before the contract could be looked at"):
            await session.contracts.wait("C-1", total=0.1)
        released.set()
        assert (await session.contracts.wait("C-1")).status is ContractStatus.COMPLETED


async def test_closing_the_session_ends_its_waits() -> None:
    """Waits and iterations that pause, or wait for another's look, have ended with `SessionError` when it is closed."""
    async with ScriptedServer(respond(SIGNING)) as server:
        session = open_session(server)
        view = session.for_token("OTHER")
        changes = session.contracts.watch("C-3")
        await anext(changes)
        waits = [asyncio.create_task(error_or_result(session.contracts.wait("C-1"))) for _ in range(3)]
        waits += [
            asyncio.create_task(error_or_result(view.contracts.wait("C-2"))),
            asyncio.create_task(error_or_result(anext(changes))),
        ]
        await server.wait_for_requests(3)
        await view.contracts.tasks("C-2")  # the responses to the looks have arrived, too
        await session.aclose()
        assert [type(wait.result()) for wait in waits] == [SessionError] * 5
        assert type(await error_or_result(session.contracts.wait("C-1"))) is SessionError
        assert len(server.requests) == 4


async def test_closing_the_session_during_a_look() -> None:
    """Waits whose look is under way end with `SessionError`."""

    async def script(_number: int, _seen: object) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with ScriptedServer(script) as server:
        session = open_session(server)
        waits = [asyncio.create_task(error_or_result(session.contracts.wait("C-1"))) for _ in range(3)]
        await server.wait_for_requests()
        await session.aclose()
        assert {type(error) for error in await asyncio.gather(*waits)} == {SessionError}
        assert len(server.requests) == 1


async def test_cancelled_wait() -> None:
    """A cancelled wait is forgotten by the session."""
    async with ScriptedServer(respond(SIGNING)) as server, open_session(server) as session:
        wait = asyncio.create_task(session.contracts.wait("C-1"))
        await server.wait_for_requests()
        await session.contracts.tasks("C-1")
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert session._client.waits == set()


async def test_views_share_their_looks() -> None:
    """Views of the same token share their looks, whatever their other options; those of another one do not."""
    async with ScriptedServer(respond(COMPLETE)) as server, open_session(server) as session:
        views = [session, session.with_options(retry=NO_RETRY), session.for_token("PV9LQWZA")]
        others = [session.for_token("OTHER"), session.with_options(operator_account="op")]
        await asyncio.gather(*(view.contracts.wait("C-1") for view in [*views, *others]))
        assert len(server.requests) == 3


async def test_waits_hold_neither_slot_nor_lane() -> None:
    """A session with one slot makes other calls while contracts are waited for, driving ones included."""
    platform = DrivenPlatform()
    async with platform.serving(), platform.open(concurrency=1) as session:
        waits = [asyncio.create_task(session.contracts.wait(f"C-{number}")) for number in range(3)]
        await platform.wait_for(3)
        await session.contracts.approve("C-1", signer=PERSON, confirm=False)
        assert not any(wait.done() for wait in waits)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    assert set(platform.arrived) == {"tasks C-0", "tasks C-1", "tasks C-2", "approval C-1"}


async def test_an_event_wakes_a_wait() -> None:
    """An event makes the next look be at once."""
    async with (
        ScriptedServer(respond(SIGNING, SIGNING, COMPLETE)) as server,
        open_session(server) as session,
        ContractEvents() as events,
    ):
        wait = asyncio.create_task(session.contracts.wait("C-1", events=events))
        for number in (1, 2):
            await server.wait_for_requests(number)
            await deliver(events, "SUBMIT_SIGN")
        assert (await wait).status is ContractStatus.COMPLETED
        assert len(server.requests) == 3


async def test_watch() -> None:
    """An iteration looks at the contract and yields its changes."""
    async with (
        ScriptedServer(respond(SIGNING, None, COMPLETE)) as server,
        open_session(server) as session,
        ContractEvents() as events,
    ):
        seen = []
        async for tasks in session.contracts.watch("C-1", events=events):
            seen.append(tasks.status)
            await deliver(events, "SUBMIT_SIGN")
    assert seen == ["SIGNING", "COMPLETED"]


async def test_failed_look_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A look that fails in spite of its retries is reported, and the wait goes on."""
    async with (
        ScriptedServer(respond(None, COMPLETE)) as server,
        open_session(server, retry=NO_RETRY) as session,
        ContractEvents() as events,
    ):
        wait = asyncio.create_task(session.contracts.wait("C-1", events=events))
        await server.wait_for_requests()
        await deliver(events, "SUBMIT_SIGN")
        assert (await wait).status is ContractStatus.COMPLETED
    (message,) = caplog.messages
    assert message.startswith("contract C-1, which is waited for, will be looked at again: GET /contract/tasks: ")


def test_session_of_another_loop() -> None:
    """A session that belongs to another event loop ends a wait with `SessionError`."""
    session = AsyncSession("PV9LQWZA", base_url="http://127.0.0.1:9/resrun-paas", retry=NO_RETRY)

    async def wait() -> Any:
        return await error_or_result(session.contracts.wait("C-1", total=0.1))

    loop = asyncio.new_event_loop()
    try:
        assert type(loop.run_until_complete(wait())) is TotalTimeout
        assert type(asyncio.run(wait())) is SessionError
        loop.run_until_complete(session.aclose())
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"until": None}, TypeError, "until must be a ContractStatus or several, not NoneType"),
        ({"until": ()}, ValueError, "until must be one or several of DRAFT, APPROVING"),
        ({"until": "COMPLET"}, ValueError, "until must be one or several of DRAFT, APPROVING"),
        ({"until": [ContractStatus.SIGNING, 5]}, ValueError, "until must be one or several of DRAFT, APPROVING"),
        ({"until": [[]]}, ValueError, "until must be one or several of DRAFT, APPROVING"),
        ({"total": "60"}, TypeError, "total must be a number of seconds, or None, not str"),
        ({"total": True}, TypeError, "total must be a number of seconds, or None, not bool"),
        ({"total": 0}, ValueError, "total must be more than 0 seconds, and finite; None sets no limit"),
        ({"total": float("nan")}, ValueError, "total must be more than 0 seconds, and finite"),
        ({"total": 10**400}, ValueError, "total must be more than 0 seconds, and finite"),
        ({"auto_finish": 1}, TypeError, "auto_finish must be a bool, not int"),
        ({"events": print}, TypeError, "events must be a ContractEvents, or None, not builtin_function_or_method"),
        ({"contract_id": 5}, TypeError, "contract_id must be a str"),
        ({"contract_id": None}, TypeError, "contract_id must not be None"),
    ],
)
async def test_arguments(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    """A wrong argument is refused before anything is sent or claimed."""
    arguments = {"contract_id": "C-1", **options}
    async with ScriptedServer(respond(COMPLETE)) as server, open_session(server) as session:
        with pytest.raises(kind, match=text):
            await session.contracts.wait(**arguments)
        if options.keys() & {"events", "contract_id"}:
            with pytest.raises(kind, match=text):
                session.contracts.watch(**arguments)
        assert server.requests == []
