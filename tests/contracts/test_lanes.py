"""Lanes: requests that drive contracts reach a platform one at a time, whatever session or tenant they come from."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import TCPConnector

from calls import NO_RETRY, TOKEN, StuckResolver, error_of, open_session, refusal, respond
from driven_platform import DrivenPlatform
from kfq_async import (
    ApiResponse,
    AsyncSession,
    BusinessError,
    ContractDraftRequest,
    ContractSigner,
    ContractUser,
    CredentialPlacement,
    Idempotency,
    KfqError,
    Operation,
    OutcomeUnknown,
    Phase,
    PoolTimeout,
    ProcessLane,
    SessionError,
    Timeouts,
)
from kfq_async.resources.contracts import CONTRACT_APPROVAL, CONTRACT_DRAFT
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PERSON = ContractUser(name="王五", contact_type="MOBILE", contact="13900139000")
SIGNER = ContractSigner(signer_type="RECEIVER_PERSONAL", signer_order="2", receiver=PERSON)
DRAFT = ContractDraftRequest(subject="合同", operator=PERSON, sign_re_id="line", send="1")
EXCLUSIVE: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "approval": lambda session: session.contracts.approve("C-1", signer=PERSON),
    "refusal": lambda session: session.contracts.refuse("C-1", signer=PERSON),
    "signature": lambda session: session.contracts.sign_for_person("C-1", signer=PERSON),
    "addition": lambda session: session.contracts.add_signers("C-1", [SIGNER]),
    "start": lambda session: session.contracts.draft(DRAFT),
    "by send": lambda session: session.send(CONTRACT_APPROVAL, {"contractId": "C-1", "approval": 1}),
}
SHARED: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "tasks": lambda session: session.contracts.tasks("C-1"),
    "finish": lambda session: session.contracts.finish("C-1"),
    "recall": lambda session: session.contracts.recall("C-1"),
    "draft": lambda session: session.send(CONTRACT_DRAFT, {"subject": "合同", "send": "0"}),
}


@pytest.fixture
async def platform() -> AsyncIterator[DrivenPlatform]:
    """A platform that serves."""
    async with DrivenPlatform().serving() as platform:
        yield platform


class RecordedLane:
    """A lane of the caller's own, which records its use and lets everything pass."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.platforms: list[str] = []
        self.releases: list[float] = []
        self.lease = inf

    async def acquire(self, platform: str) -> RecordedLane:
        """Take the lane."""
        self.log.append("acquire")
        self.platforms.append(platform)
        return self

    @property
    def remaining(self) -> float:
        """How long it is held, as told to the lane."""
        return self.lease

    async def release(self) -> None:
        """Open the lane."""
        self.keep(0.0)

    def keep(self, seconds: float) -> None:
        """Open the lane later."""
        self.log.append("release")
        self.releases.append(seconds)


def approve(session: AsyncSession, contract_id: str = "C-1") -> asyncio.Task[ApiResponse[object]]:
    """Send an approval in a task."""
    return asyncio.create_task(session.send(CONTRACT_APPROVAL, {"contractId": contract_id, "approval": 1}))


@pytest.mark.parametrize("lane", [True, False])
async def test_a_gather(platform: DrivenPlatform, *, lane: bool) -> None:
    """Driving requests of all sessions, views and tenants go one at a time, unless that is switched off."""
    options: dict[str, Any] = {} if lane else {"lane": None}
    async with platform.open(**options) as first, platform.open(**options) as second:
        sessions = [first, second, first.for_token("OTHER"), second.with_options(timeouts=Timeouts(attempt=9))]
        await asyncio.gather(*(call(session) for call in EXCLUSIVE.values() for session in sessions))
    assert (platform.most == 1) is lane


@pytest.mark.parametrize("call", SHARED.values(), ids=SHARED)
async def test_others_do_not_wait(call: Callable[[AsyncSession], Awaitable[object]], platform: DrivenPlatform) -> None:
    """What was safe beside driving requests does not wait for them."""
    platform.hold.clear()
    async with platform.open() as session:
        driving = approve(session)
        await platform.wait_for(1)
        await call(session)
        assert not driving.done()
        platform.hold.set()
        await driving


async def test_first_come_first_served(platform: DrivenPlatform) -> None:
    """Calls are sent in the sequence in which they were made."""
    async with platform.open() as first, platform.open() as second:
        await asyncio.gather(*(approve((first, second)[number % 2], f"C-{number}") for number in range(10)))
    assert platform.arrived == [f"approval C-{number}" for number in range(10)]


async def test_one_lane_for_each_platform(platform: DrivenPlatform) -> None:
    """Another platform has another lane, and the form of a URL does not matter."""
    platform.hold.clear()
    async with DrivenPlatform().serving() as other, platform.open() as first, other.open() as second:
        spelt = AsyncSession(TOKEN, base_url=platform.base_url.replace("http://", "HTTP://") + "/", rate_limit=None)
        async with spelt:
            driving = approve(first)
            await platform.wait_for(1)
            await approve(second)
            waiting = approve(spelt)
            await asyncio.sleep(0.05)
            assert len(platform.arrived) == 1
            platform.hold.set()
            await asyncio.gather(driving, waiting)


@pytest.mark.parametrize(
    ("base_url", "other"),
    [
        ("https://a.example/x", "https://a.example:443/x/"),
        ("http://a.example", "http://A.example:80/"),
        ("http://[::1]:80/x", "http://[::1]/x"),
    ],
)
async def test_normalised_url(base_url: str, other: str) -> None:
    """The default port, letter case of the host and a slash at the end make no other platform."""
    lane = RecordedLane()
    for url in (base_url, other):
        async with AsyncSession(TOKEN, base_url=url, lane=lane, retry=NO_RETRY, proxy="http://127.0.0.1:9") as session:
            with pytest.raises(KfqError):
                await session.contracts.approve("C-1", signer=PERSON)
    assert len(lane.platforms) == 2
    assert len(set(lane.platforms)) == 1


async def test_cancelled_in_the_queue(platform: DrivenPlatform) -> None:
    """A call that is cancelled while it waits leaves the lane to the next one."""
    platform.hold.clear()
    async with platform.open() as session:
        driving, waiting, last = approve(session, "1"), approve(session, "2"), approve(session, "3")
        await platform.wait_for(1)
        waiting.cancel()
        platform.hold.set()
        await asyncio.gather(driving, last)
    assert waiting.cancelled()
    assert platform.arrived == ["approval 1", "approval 3"]


async def test_cancelled_after_sending(platform: DrivenPlatform) -> None:
    """The lane of a call that was cancelled after it was sent opens when the limit of its attempt is over."""
    platform.hold.clear()
    loop = asyncio.get_running_loop()
    async with platform.open(timeouts=Timeouts(attempt=0.4)) as session:
        driving = approve(session, "1")
        await platform.wait_for(1)
        began = loop.time()
        driving.cancel()
        await asyncio.wait([driving])
        assert driving.cancelled()
        assert loop.time() - began < 0.3
        platform.hold.set()
        await approve(session, "2")
        assert loop.time() - began > 0.3
    assert platform.arrived == ["approval 1", "approval 2"]


async def test_no_task_holds_the_lane(platform: DrivenPlatform) -> None:
    """The lane of a session that was closed with a request under way opens by itself, without a task."""
    platform.hold.clear()
    session = platform.open(timeouts=Timeouts(attempt=0.3))
    driving = approve(session)
    await platform.wait_for(1)
    tasks = asyncio.all_tasks() - {driving}
    await session.aclose()
    with pytest.raises(OutcomeUnknown):
        await driving
    assert asyncio.all_tasks() <= tasks
    platform.hold.set()
    async with platform.open() as other:
        await approve(other)


async def test_total_expired_after_sending(platform: DrivenPlatform) -> None:
    """The limit of the whole call is the caller's: the platform may work on until that of the attempt is over."""
    lane = RecordedLane()
    platform.hold.clear()
    async with platform.open(lane=lane, timeouts=Timeouts(attempt=60, total=0.2)) as session:
        with pytest.raises(OutcomeUnknown):
            await approve(session)
        platform.hold.set()
    [after] = lane.releases
    assert 50 < after < 60


async def test_not_sent() -> None:
    """The lane of a call that sent nothing opens at once."""
    lane, resolver = RecordedLane(), StuckResolver()
    connector = TCPConnector(resolver=resolver)
    async with AsyncSession(TOKEN, base_url="http://platform.example", lane=lane, connector=connector) as session:
        waiting = approve(session)
        await resolver.called.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
    await connector.close()
    assert lane.releases == [0.0]


async def test_answered(platform: DrivenPlatform) -> None:
    """The lane opens with the response, whatever that says."""
    lane = RecordedLane()
    async with platform.open(lane=lane) as session:
        await approve(session)
        with pytest.raises(BusinessError):
            await approve(session, "refused")
    assert lane.releases == [0.0, 0.0]


@pytest.mark.parametrize(("response", "in_doubt"), [(None, True), (http_response({}, 502), True), (refusal(1), False)])
async def test_doubt(response: bytes | None, *, in_doubt: bool) -> None:
    """After a lost response, or that of a gateway, the platform may be working on the request."""
    lane = RecordedLane()
    options: dict[str, Any] = {"lane": lane, "timeouts": Timeouts(attempt=60)}
    async with ScriptedServer(respond(response)) as server, open_session(server, **options) as session:
        with pytest.raises(KfqError):
            await approve(session)
    [after] = lane.releases
    assert (50 < after < 60) is in_doubt


async def test_total_in_the_queue(platform: DrivenPlatform) -> None:
    """A call whose limit is over before its turn was not sent, and says what it waited for."""
    platform.hold.clear()
    async with platform.open() as session:
        driving = approve(session, "1")
        await platform.wait_for(1)
        with pytest.raises(PoolTimeout, match="operations that drive a contract go one at a time") as caught:
            await approve(session.with_options(timeouts=Timeouts(total=0.1)), "2")
        platform.hold.set()
        await asyncio.gather(driving, approve(session, "3"))
    assert caught.value.phase is Phase.NOT_SENT
    assert platform.arrived == ["approval 1", "approval 3"]


async def test_closed_in_the_queue(platform: DrivenPlatform) -> None:
    """A session that is closed ends its calls that wait for the lane."""
    platform.hold.clear()
    async with platform.open() as first:
        driving = approve(first, "1")
        await platform.wait_for(1)
        second = platform.open()
        waiting = approve(second, "2")
        await asyncio.sleep(0)  # it waits
        assert second._client.waits
        await second.aclose()
        with pytest.raises(SessionError):
            await waiting
        platform.hold.set()
        await driving
    assert platform.arrived == ["approval 1"]


async def test_order_of_waits(platform: DrivenPlatform) -> None:
    """A call that waits for the lane holds no slot, so that other calls have it."""
    platform.hold.clear()
    async with platform.open(concurrency=2) as session:
        calls = [approve(session, str(number)) for number in range(5)]
        await platform.wait_for(1)
        await session.contracts.tasks("C-1")
        platform.hold.set()
        await asyncio.gather(*calls)
    assert platform.most == 1


async def test_not_held_between_attempts() -> None:
    """The lane is held by an attempt, and not while its call waits for the next one."""
    lane = RecordedLane()
    operation = Operation[Any, Any]("POST", "/contract/other", idempotency=Idempotency.SAFE, exclusive=True)
    script = respond(refusal(91000), refusal(91000), success())
    async with ScriptedServer(script) as server, open_session(server, lane=lane) as session:
        await session.send(operation, {})
    assert lane.log == ["acquire", "release"] * 3


@pytest.mark.parametrize(
    ("send", "exclusive"),
    [("1", True), ("0", False), (1, True), (0, False), (None, True), (False, True), ("", True), ([], True)],
)
async def test_drafts(send: object, platform: DrivenPlatform, *, exclusive: bool) -> None:
    """A draft that is not started takes no lane; in doubt it is started."""
    lane = RecordedLane()
    async with platform.open(lane=lane) as session:
        await session.send(CONTRACT_DRAFT, {"send": send})
    assert (lane.log != []) is exclusive


async def test_operations_of_the_caller(platform: DrivenPlatform) -> None:
    """An operation that this package does not define takes the lane if it says so, and an upload never does."""
    lane = RecordedLane()
    operation = Operation[Any, Any]("POST", "/other", credentials=CredentialPlacement.PARAMETERS, exclusive=True)
    async with platform.open(lane=lane) as session:
        await session.send(operation, {})
        await session.send(Operation[Any, Any]("POST", "/auth/other"), {})
    assert len(lane.platforms) == 1
    assert lane.platforms[0] == platform.base_url


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (OSError(1, "SECRET"), "the method acquire of BrokenLane, the session's lane, raised PermissionError"),
        (TimeoutError(), "raised TimeoutError"),
        (asyncio.CancelledError(), "raised CancelledError"),
        (None, "returned str, which is no turn"),
    ],
)
async def test_failure_of_a_lane(problem: BaseException | None, message: str, platform: DrivenPlatform) -> None:
    """A lane that fails ends the call before anything is sent, and nothing is held."""

    class BrokenLane:
        async def acquire(self, _platform: str) -> Any:
            if problem is None:
                return "a turn"
            raise problem

    async with platform.open(lane=BrokenLane(), concurrency=1) as session:
        error = await error_of(session, CONTRACT_APPROVAL, {"approval": 1})
        await session.contracts.tasks("C-1")
    assert type(error) is SessionError
    assert message in str(error)
    assert error.phase is Phase.NOT_SENT
    assert (error.__cause__, error.__context__) == (None, None)
    assert platform.arrived == ["tasks C-1"]


async def test_failing_release(platform: DrivenPlatform) -> None:
    """What the release of a lane raises is reported to the event loop, and the outcome of the call is kept."""

    class LostLane(RecordedLane):
        def keep(self, seconds: float) -> None:
            super().keep(seconds)
            raise OSError("the lock service is away")

    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with platform.open(lane=LostLane()) as session:
        assert (await approve(session)).envelope.ok
    [context] = reported
    assert context["message"] == "a session's lane was not released"
    assert isinstance(context["exception"], OSError)


async def test_short_lease(platform: DrivenPlatform) -> None:
    """A lane that may be lost during an attempt is not used."""
    lane = RecordedLane()
    lane.lease = 34.9
    async with platform.open(lane=lane) as session:
        error = await error_of(session, CONTRACT_APPROVAL, {"approval": 1})
    assert type(error) is SessionError
    assert "returned a turn of 34.9 s, and an attempt may take 35 s (Timeouts)" in str(error)
    assert lane.log == ["acquire", "release"]
    assert platform.arrived == []


async def wait_for_a_slot(session: AsyncSession, platform: DrivenPlatform) -> tuple[asyncio.Task[Any], ...]:
    """Return a call without the lane that has the only slot, and one that has the lane and waits for the slot."""
    slow = Operation[Any, Any]("POST", "/contract/approval", credentials=CredentialPlacement.PARAMETERS)
    first = asyncio.create_task(session.send(slow, {"contractId": "1"}))
    await platform.wait_for(1)
    second = approve(session, "2")
    for _ in range(3):
        await asyncio.sleep(0)
    return first, second


async def test_cancelled_while_waiting_for_a_slot(platform: DrivenPlatform) -> None:
    """A call that is cancelled while it waits for a slot gives the lane back."""
    lane = RecordedLane()
    platform.hold.clear()
    async with platform.open(lane=lane, concurrency=1) as session:
        first, second = await wait_for_a_slot(session, platform)
        second.cancel()
        await asyncio.wait([second])
        assert lane.log == ["acquire", "release"]
        platform.hold.set()
        await first


async def test_lost_while_waiting_for_a_slot(platform: DrivenPlatform) -> None:
    """A lane that was lost before the request is sent is acquired again."""

    class FadingLane(RecordedLane):
        async def acquire(self, platform: str) -> RecordedLane:
            self.lease = 60
            return await super().acquire(platform)

    lane = FadingLane()
    platform.hold.clear()
    async with platform.open(lane=lane, concurrency=1) as session:
        first, second = await wait_for_a_slot(session, platform)
        assert lane.log == ["acquire"]
        lane.lease = 1
        platform.hold.set()
        await asyncio.gather(first, second)
    assert lane.log == ["acquire", "release", "acquire", "release"]
    assert platform.arrived == ["approval 1", "approval 2"]


@pytest.mark.parametrize(
    ("lane", "message"),
    [
        (ProcessLane, "lane must be an instance, such as ProcessLane(), not the class ProcessLane"),
        (True, "lane must have a method acquire, as ProcessLane() has, or be None, not bool"),
    ],
)
def test_invalid_lanes(lane: Any, message: str) -> None:
    """What is no lane is refused when the session is created."""
    with pytest.raises(TypeError) as caught:
        AsyncSession(TOKEN, lane=lane)
    assert str(caught.value) == message


def test_loops() -> None:
    """Every event loop has lanes of its own."""

    async def take() -> None:
        turn = await ProcessLane().acquire("https://platform.example")
        turn.keep(60)

    for _ in range(2):
        asyncio.run(take())
    assert repr(ProcessLane()) == "ProcessLane()"
