"""Waits for contracts, in virtual time: their looks, what ends them, and what events change."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections import Counter
from contextlib import aclosing, suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async import (
    ApiError,
    AttemptTimeout,
    BusinessError,
    CertificateError,
    ConnectError,
    ConnectionLost,
    ContractCompleted,
    ContractEnded,
    ContractEvents,
    ContractStatus,
    ContractStuck,
    ContractTasks,
    CredentialsError,
    DecodeError,
    GatewayError,
    HiddenErrorPage,
    KfqError,
    NonceError,
    ParameterError,
    Phase,
    PoolTimeout,
    ProxyError,
    ServerError,
    SessionError,
    TooFrequentError,
    TotalTimeout,
    UnexpectedResponse,
)
from kfq_async.contracts.waiting import interval_after
from waits import Since, TimetablePlatform, deliver, error_or_result, now, run_virtually

SIGNING = Since(0, "SIGNING")


def api_error(kind: type[ApiError]) -> ApiError:
    """Return an error that the platform reported."""
    return kind(31000, "…", http_status=200)


async def wait_for(platform: TimetablePlatform, *, total: float | None = 7200, **options: Any) -> Any:
    """Wait for the contract, and return its state and open tasks, or the error."""
    return await error_or_result(platform.contracts().wait("C-1", total=total, **options))


def outcome_of(*timetable: Since, **options: Any) -> tuple[Any, list[float]]:
    """Wait for a contract with this timetable; return the outcome, and the times of the looks."""
    platform = TimetablePlatform(*timetable)
    return run_virtually(wait_for(platform, **options)), platform.looks


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_intervals(looks: int, share: float) -> None:
    """Intervals are between 2 and 60 seconds, and each range begins where the former ends, up to 40 seconds."""

    def draw(lowest: float, highest: float) -> float:
        return lowest + share * (highest - lowest)

    def bounds(number: int) -> tuple[float, float]:
        return interval_after(number, draw=min), interval_after(number, draw=max)

    assert 2 <= interval_after(looks, draw=draw) <= 60
    assert bounds(1) == (2, 3)
    assert bounds(looks + 1)[0] == pytest.approx(min(bounds(looks)[1], 40))
    assert bounds(looks)[1] == pytest.approx(1.5 * bounds(looks)[0])


@pytest.mark.parametrize("status", ["COMPLETE", "COMPLETED"])
def test_completion(status: str) -> None:
    """A wait looks at once and then ever less often, and returns what the first look after the completion shows."""
    outcome, looks = outcome_of(SIGNING, Since(600, status, ""))
    assert outcome == ContractTasks(status=ContractStatus.COMPLETED, todo_task_list=())
    assert looks[0] == 0
    assert looks[-2] < 600 <= looks[-1] <= 660.2
    gaps = [later - earlier - 0.1 for earlier, later in pairwise(looks)]
    assert gaps[:8] == sorted(gaps[:8])
    assert all(2 <= gap < 60.1 for gap in gaps)
    assert outcome_of(Since(0, status, ""))[1] == [0]


@pytest.mark.parametrize(
    ("until", "status"),
    [
        (ContractStatus.SIGNING, "SIGNING"),
        ([ContractStatus.COMPLETED, ContractStatus.SIGNING], "SIGNING"),
        ({ContractStatus.REFUSAL_SIGN}, "REFUSAL_SIGN"),
        ("COMPLETE", "COMPLETED"),
        (("REFUSAL_WRIT", "REFUSAL_SIGN"), "REFUSAL_SIGN"),
    ],
)
def test_until(until: Any, status: str) -> None:
    """A wait ends at one state or at any of several, in either spelling, final or not."""
    timetable = [Since(0, "WRITING"), Since(10, "SIGNING"), Since(100, status, "")]
    assert outcome_of(*timetable, until=until)[0].status == status


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("APPROVE_FAILED", "APPROVE_FAILED"),
        ("REFUSAL_WRIT", "REFUSAL_WRITE"),
        ("REFUSAL_WRITE", "REFUSAL_WRITE"),
        ("REFUSAL_SIGN", "REFUSAL_SIGN"),
        ("EXPIRED", "EXPIRED"),
        ("RECALLED", "RECALLED"),
        ("DELETED", "DELETED"),
        ("CLEAN_UP", "CLEAN_UP"),
    ],
)
def test_other_end(status: str, name: str) -> None:
    """Another final state ends the wait with an error that names it, without a reason if no event gave one."""
    error, looks = outcome_of(SIGNING, Since(100, status, ""))
    assert (type(error), error.contract_id, error.status, error.reason) == (ContractEnded, "C-1", name, None)
    assert str(error) == f"the contract has ended as {name}"
    assert looks[-2] < 100


def test_completion_that_was_not_waited_for() -> None:
    """A contract that is complete reaches no other state."""
    error, _ = outcome_of(Since(0, "WRITING"), Since(100, "COMPLETE", ""), until=ContractStatus.RECALLED)
    assert (type(error), error.status) == (ContractCompleted, ContractStatus.COMPLETED)


@pytest.mark.parametrize("status", ["DRAFT", "APPROVING", "START", "WRITING", "SIGNING", "FROZEN"])
@pytest.mark.parametrize("tasks", ["", "1"])
def test_states_on_the_way(status: str, tasks: str) -> None:
    """No other state ends a wait, one that this version does not know included."""
    assert outcome_of(Since(0, status, tasks), Since(600, "COMPLETE", ""))[0].status == "COMPLETED"


@pytest.mark.parametrize(("status", "recallable"), [("SIGNING", True), ("WRITING", True), ("START", False)])
def test_stuck(status: str, recallable: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """A contract that finishes by itself and waits for no one at two looks in a row is stuck."""
    error, looks = outcome_of(SIGNING, Since(100, status, ""), auto_finish=True)
    assert (type(error), error.status, error.recallable) == (ContractStuck, status, recallable)
    assert len([look for look in looks if look >= 100]) == 2
    assert type(outcome_of(Since(0, status, ""), total=900)[0]) is TotalTimeout


def test_stuck_for_a_moment() -> None:
    """A contract without a task at single looks is not stuck."""
    moments = [Since(0, "SIGNING", ""), Since(1, "SIGNING", "2"), Since(4, "SIGNING", ""), Since(6, "COMPLETE", "")]
    outcome, looks = outcome_of(*moments, auto_finish=True)
    assert (outcome.status, len(looks)) == ("COMPLETED", 3 + (looks[2] < 6))


def test_stuck_with_events() -> None:
    """Looks that events bring forward do not make a contract stuck within a moment."""

    async def run() -> tuple[Any, list[float]]:
        platform = TimetablePlatform(Since(0, "SIGNING", ""), seconds=0.01)
        async with ContractEvents(clock=now) as events:
            wait = asyncio.create_task(wait_for(platform, auto_finish=True, events=events))
            for _ in range(5):
                await asyncio.sleep(0.1)
                await deliver(events, "COMPLETE")
            return await wait, platform.looks

    error, looks = run_virtually(run())
    assert type(error) is ContractStuck
    assert [round(look, 1) for look in looks[:-1]] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert looks[-1] >= 2


@pytest.mark.parametrize(
    ("since", "text", "phase"),
    [
        (SIGNING, "while the contract was SIGNING with 1 open task", Phase.ANSWERED),
        (Since(0, "START", "12"), "while the contract was START with 2 open tasks", Phase.ANSWERED),
        (Since(0, "13800138000"), "while the contract was in an unknown state with 1 open task", Phase.ANSWERED),
        (
            Since(0, ConnectError("no route")),
            "before the contract could be looked at; the last look failed (ConnectError: no route)",
            Phase.SENT,
        ),
    ],
)
def test_total(since: Since, text: str, phase: Phase) -> None:
    """A wait ends after ``total`` seconds, and the error has the last state."""

    async def run() -> tuple[Any, float, Any]:
        platform = TimetablePlatform(since)
        error = await wait_for(platform, total=100)
        return error, now(), await platform.contracts().tasks("C-1") if phase is Phase.ANSWERED else None

    error, ended_at, tasks = run_virtually(run())
    assert (type(error), ended_at, error.tasks, error.phase) == (TotalTimeout, 100, tasks, phase)
    assert str(error) == f"total timeout (100 s) expired {text}"


def test_total_within_a_look() -> None:
    """``total`` ends a look that is under way, and what was seen before is told."""
    platform = TimetablePlatform(SIGNING, Since(1, ConnectionLost("lost")), seconds=50)
    error = run_virtually(wait_for(platform, total=120))
    assert error.tasks.status == "SIGNING"
    assert str(error).endswith("SIGNING with 1 open task; the last look failed (ConnectionLost: lost)")


TRANSIENT = [
    ConnectError("no connection"),
    ConnectionLost("lost", phase=Phase.SENT),
    AttemptTimeout("late"),
    PoolTimeout("late"),
    TotalTimeout("late"),
    GatewayError(503),
    ProxyError("…", http_status=503),
    UnexpectedResponse("a page", http_status=500),
    api_error(TooFrequentError),
    api_error(HiddenErrorPage),
    api_error(NonceError),
    api_error(ServerError),
]
FINAL = [
    CertificateError("unknown CA"),
    ProxyError("…", http_status=407),
    UnexpectedResponse("a page", http_status=200),
    DecodeError(("required key missing @ $.result.status",)),
    SessionError("closed"),
    api_error(ApiError),
    api_error(BusinessError),
    api_error(CredentialsError),
    api_error(ParameterError),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("begins_at", [0, 100])
def test_transient_failure(error: KfqError, begins_at: float, caplog: pytest.LogCaptureFixture) -> None:
    """A look that fails for a while is followed by another at the next interval, and reported once."""
    outcome, looks = outcome_of(SIGNING, Since(begins_at, error), Since(400, "COMPLETE", ""))
    assert outcome.status == "COMPLETED"
    assert all(2 <= later - earlier - 0.1 < 60.1 for earlier, later in pairwise(looks))
    (record,) = caplog.record_tuples
    text = f"contract C-1, which is waited for, will be looked at again: {error}"
    assert record == ("kfq_async", logging.WARNING, text)


@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("begins_at", [0, 100])
def test_final_failure(error: KfqError, begins_at: float, caplog: pytest.LogCaptureFixture) -> None:
    """A look that is refused for good ends the wait."""
    outcome, looks = outcome_of(SIGNING, Since(begins_at, error), Since(400, "COMPLETE", ""))
    assert (type(outcome), outcome.args) == (type(error), error.args)
    assert len([look for look in looks if look >= begins_at]) == 1
    assert caplog.records == []


def test_other_failure() -> None:
    """An exception that is no `KfqError`, such as a bug, is raised as it is, and the next wait looks again."""

    async def run() -> None:
        contracts = TimetablePlatform().contracts()
        for _ in range(2):
            with pytest.raises(IndexError):
                await contracts.wait("C-1")

    run_virtually(run())


def test_waits_for_one_contract_share_their_looks() -> None:
    """Any number of waits makes the looks of one, and all of them have its outcome."""
    platform = TimetablePlatform(SIGNING, Since(600, "RECALLED", ""))

    async def run() -> list[Any]:
        return await asyncio.gather(*(wait_for(platform) for _ in range(100)))

    errors = run_virtually(run())
    assert {(type(error), error.status) for error in errors} == {(ContractEnded, "RECALLED")}
    assert len(platform.looks) < 30


def test_waits_share_a_refusal() -> None:
    """A look that is refused for good ends all waits, each with an error of its own, and a later wait looks anew."""
    platform = TimetablePlatform(SIGNING, Since(100, api_error(CredentialsError)), Since(200, "COMPLETE", ""))

    async def run() -> tuple[list[Any], int, Any]:
        errors = await asyncio.gather(*(wait_for(platform) for _ in range(10)))
        refused = len([look for look in platform.looks if look >= 100])
        await asyncio.sleep(200 - now())
        return errors, refused, await wait_for(platform)

    errors, refused, tasks = run_virtually(run())
    assert {type(error) for error in errors} == {CredentialsError}
    assert len({id(error) for error in errors}) == 10
    assert (refused, tasks.status) == (1, "COMPLETED")


def test_refusal_is_not_kept() -> None:
    """A wait that begins while a slow iteration still has to see a refusal looks anew."""
    platform = TimetablePlatform(SIGNING, Since(1, api_error(CredentialsError)), Since(100, "COMPLETE", ""))

    async def run() -> list[Any]:
        async with aclosing(platform.contracts().watch("C-1")) as changes:
            first = await anext(changes)
            refused = await wait_for(platform)
            await asyncio.sleep(100)
            return [first, refused, await wait_for(platform), await anext(changes)]

    first, refused, waited, last = run_virtually(run())
    assert [first.status, type(refused), waited.status, last] == ["SIGNING", CredentialsError, "COMPLETED", waited]


def test_tenants_do_not_share_their_looks() -> None:
    """Waits with other credentials, or for another contract, make looks of their own."""
    platform = TimetablePlatform(Since(0, "COMPLETE", ""))

    async def run() -> None:
        contracts = platform.contracts("A"), platform.contracts("A"), platform.contracts("B")
        await asyncio.gather(*(own.wait("C-1") for own in contracts), contracts[0].wait("C-2"))

    run_virtually(run())
    assert Counter(platform.looked_at) == {"C-1": 2, "C-2": 1}


@pytest.mark.parametrize("joined_at", [1.5, 300])
def test_a_wait_joins(joined_at: float) -> None:
    """A wait that joins uses a look of the last 2 seconds or looks at once, and begins the intervals anew."""
    platform = TimetablePlatform(SIGNING)

    async def run() -> tuple[float, float]:
        first = asyncio.create_task(wait_for(platform))
        await asyncio.sleep(joined_at)
        await platform.contracts().wait("C-1", until=ContractStatus.SIGNING)
        seen_at = now()
        second = asyncio.create_task(wait_for(platform, total=20))
        await second
        first.cancel()
        return seen_at, now()

    seen_at, ended_at = run_virtually(run())
    assert seen_at == (1.5 if joined_at == 1.5 else pytest.approx(300.1))
    looks = [look for look in platform.looks if seen_at < look < ended_at]
    assert seen_at + 0.5 <= looks[0] <= seen_at + 3
    assert 3 <= len(looks) <= 5


def test_a_cancelled_wait_hands_over() -> None:
    """The waits that remain go on when the one that pauses or looks is cancelled."""
    platform = TimetablePlatform(SIGNING, Since(600, "COMPLETE", ""), seconds=1)

    async def run() -> list[Any]:
        waits = [asyncio.create_task(wait_for(platform)) for _ in range(20)]
        for wait in waits[:-2]:
            await asyncio.sleep(0.7)  # within a look and within a pause
            wait.cancel()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(end) for end in ended[:-2]} == {asyncio.CancelledError}
        return ended[-2:]

    assert [tasks.status for tasks in run_virtually(run())] == ["COMPLETED"] * 2
    assert len(platform.looks) < 45


@pytest.mark.parametrize("cancelled_at", [0, 0.05, 1, 100])
def test_cancellation_leaves_nothing(cancelled_at: float) -> None:
    """A cancelled wait leaves no task and no subscription, and makes no further look."""
    platform = TimetablePlatform(SIGNING)

    async def run() -> tuple[int, weakref.ref[Any]]:
        events = ContractEvents(clock=now)
        wait = asyncio.create_task(wait_for(platform, events=events))
        await asyncio.sleep(cancelled_at)
        wait.cancel()
        with suppress(asyncio.CancelledError):
            await wait
        assert asyncio.all_tasks() == {asyncio.current_task()}
        looks = len(platform.looks)
        await deliver(events, "COMPLETE")
        await asyncio.sleep(100)
        reference = weakref.ref(events)
        del events, wait
        gc.collect()
        return looks, reference

    looks, reference = run_virtually(run())
    assert len(platform.looks) == looks
    assert reference() is None


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 900),
        st.sampled_from(["SEND_SIGNING", "SUBMIT_SIGN", "REFUSAL_SIGN", "COMPLETE", "EXPIRED", "UNKNOWN"]),
        st.sampled_from(["START", "SIGNING", "COMPLETE", "COMPLETED", "REFUSAL_SIGN", "FROZEN"]),
    ),
    max_size=12,
)


@given(EVENTS, st.sampled_from(["COMPLETE", "COMPLETED", "REFUSAL_SIGN", "EXPIRED"]), st.booleans())
def test_events_never_change_the_end(delivered: list[tuple[float, str, str]], final: str, twice: bool) -> None:  # noqa: FBT001
    """Events before, after, twice and never, whatever they say: a wait ends in the same way, and not before."""

    async def run(*, listening: bool) -> tuple[Any, float]:
        platform = TimetablePlatform(SIGNING, Since(300, final, ""))
        async with ContractEvents(clock=now) as events:
            deliveries = [
                asyncio.create_task(deliver_at(moment, events, kind, status))
                for moment, kind, status in delivered * (2 if twice else 1)
            ]
            end = await wait_for(platform, events=events if listening else None)
            ended_at = now()
            for delivery in deliveries:
                delivery.cancel()
            return end, ended_at

    (end, ended_at), (other, _) = run_virtually(run(listening=True)), run_virtually(run(listening=False))
    assert (type(end), str(end.status)) == (type(other), str(other.status))
    assert 300 <= ended_at < 361


async def deliver_at(moment: float, events: ContractEvents, kind: str, status: str) -> None:
    """Deliver an event later."""
    await asyncio.sleep(moment)
    await deliver(events, kind, status)


def test_an_event_makes_the_next_look_be_at_once() -> None:
    """An event of the contract is followed by a look at once, one of another contract is not."""

    async def run() -> tuple[Any, list[float]]:
        platform = TimetablePlatform(SIGNING, Since(200, "COMPLETE", ""))
        async with ContractEvents(clock=now) as events:
            wait = asyncio.create_task(wait_for(platform, events=events))
            await asyncio.sleep(190)
            before = len(platform.looks)
            await deliver(events, "COMPLETE", "COMPLETE", to="C-2")
            await asyncio.sleep(1)
            assert len(platform.looks) == before
            for _ in range(2):
                await deliver(events, "COMPLETE", "SIGNING")
                await asyncio.sleep(0.05)
            await asyncio.sleep(200 - now())
            await deliver(events, "SUBMIT_SIGN", "COMPLETE")
            return await wait, platform.looks[before:]

    tasks, looks = run_virtually(run())
    assert tasks.status == "COMPLETED"
    assert looks == pytest.approx([191, 191.1, 200])


def test_an_event_during_a_failed_look() -> None:
    """An event is not lost if the look that it caused fails: the next interval follows."""

    async def run() -> list[float]:
        platform = TimetablePlatform(SIGNING, Since(5, ConnectError("…")), Since(6, "COMPLETE", ""))
        async with ContractEvents(clock=now) as events:
            wait = asyncio.create_task(wait_for(platform, events=events))
            await asyncio.sleep(5.5)
            await deliver(events, "COMPLETE", "COMPLETE")
            assert (await wait).status == "COMPLETED"
            return [look for look in platform.looks if look >= 5.5]

    failed, succeeded = run_virtually(run())
    assert failed == 5.5
    assert 2 <= succeeded - failed < 60.2


def test_an_event_wakes_the_waits_without_events() -> None:
    """Waits share the looks that an event brings forward."""

    async def run() -> float:
        platform = TimetablePlatform(SIGNING, Since(200, "COMPLETE", ""))
        async with ContractEvents(clock=now) as events:
            waits = [wait_for(platform), wait_for(platform, events=events), wait_for(platform, events=events)]
            ended = asyncio.gather(*waits)
            await asyncio.sleep(200.5)
            await deliver(events, "COMPLETE", "COMPLETE")
            await ended
            return now()

    assert run_virtually(run()) < 200.7


@pytest.mark.parametrize("is_claimed", [True, False])
@pytest.mark.parametrize("delivered_at", [-10, 50, 100])
def test_reason(delivered_at: float, is_claimed: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """The reason of an event before or during the wait is that of the error, masked, and the contract is claimed."""

    async def run() -> tuple[Any, list[str]]:
        platform = TimetablePlatform(SIGNING, Since(100, "REFUSAL_SIGN", ""))
        async with ContractEvents(clock=now, grace=0) as events:
            if is_claimed:
                events.claim("C-1")
            if delivered_at < 0:
                await deliver(events, "REFUSAL_SIGN", reason="金额不对")
            wait = asyncio.create_task(wait_for(platform, events=events))
            await asyncio.sleep(max(delivered_at, 1))
            if delivered_at >= 0:
                await deliver(events, "REFUSAL_SIGN", "REFUSAL_SIGN", reason="金额不对")
            await deliver(events, "SUBMIT_SIGN")
            await deliver(events, "SEND_SIGNING", to="C-2")
            error = await wait
            await deliver(events, "RECALLED")
            unclaimed = [(await anext(events.unclaimed())).contract_id]
        return error, unclaimed

    error, unclaimed = run_virtually(run())
    assert (type(error), error.reason, repr(error.reason)) == (ContractEnded, "金额不对", "'***'")
    assert "金额不对" not in str(error)
    assert unclaimed == ["C-2"]


def test_watch() -> None:
    """An iteration yields the present state and each change once, until the final state."""
    timetable = [
        Since(0, "WRITING", "1"),
        Since(100, "SIGNING", "23"),
        Since(200, "SIGNING", "32"),
        Since(300, ConnectError("…")),
        Since(400, "SIGNING", "3"),
        Since(500, "FROZEN", "3"),
        Since(600, "COMPLETE", ""),
    ]
    platform = TimetablePlatform(*timetable)

    async def run() -> list[tuple[str, int]]:
        return [(tasks.status, len(tasks.todo_task_list)) async for tasks in platform.contracts().watch("C-1")]

    expected = [("WRITING", 1), ("SIGNING", 2), ("SIGNING", 1), ("FROZEN", 1), ("COMPLETED", 0)]
    assert run_virtually(run()) == expected


def test_watch_with_events() -> None:
    """An event brings the next look forward also while the body of the loop runs."""

    async def run() -> list[tuple[float, str]]:
        platform = TimetablePlatform(SIGNING, Since(10, "RECALLED", ""))
        seen = []
        async with ContractEvents(clock=now) as events:
            async for tasks in platform.contracts().watch("C-1", events=events):
                seen.append((round(now(), 1), str(tasks.status)))
                await asyncio.sleep(10)
                await deliver(events, "RECALLED")
        return seen

    assert run_virtually(run()) == [(0.1, "SIGNING"), (10.2, "RECALLED")]


def test_watch_of_a_refused_contract() -> None:
    """An iteration raises the error of a look that is refused for good."""

    async def run() -> list[Any]:
        changes = TimetablePlatform(SIGNING, Since(50, api_error(BusinessError))).contracts().watch("C-1")
        return [await error_or_result(anext(changes)) for _ in range(2)]

    first, error = run_virtually(run())
    assert (first.status, type(error)) == ("SIGNING", BusinessError)


def test_many_waits_are_spread() -> None:
    """A thousand waits that begin at once make few looks in any second, over ten minutes."""
    platform = TimetablePlatform(SIGNING)

    async def run() -> None:
        contracts = platform.contracts()
        waits = (error_or_result(contracts.wait(f"C-{number}", total=600)) for number in range(1000))
        await asyncio.gather(*waits)

    run_virtually(run())
    assert set(Counter(platform.looked_at)) == {f"C-{number}" for number in range(1000)}
    assert max(Counter(map(int, platform.looks)).values()) <= 51
    assert 12_000 < len(platform.looks) < 20_000
