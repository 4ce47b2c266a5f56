"""Fault kinds, their text form, the fault plan, and the effect of faults on requests."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.faults import FAULT_KINDS, FaultPlan

BODY = b'{"accountName":"13800138000"}'
if TYPE_CHECKING:
    from collections.abc import Iterable

PATH = f"/resrun-paas{API_PATH}/auth/corp/ident/link"


async def post(sandbox: Sandbox, path: str = PATH) -> bytes:
    """Post a valid request over a plain socket, and return all bytes of the response."""
    host, port = sandbox.origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n"
        f"appAuthToken: {sandbox.token}\r\nnonce: {uuid4()}\r\ntimestamp: {round(time.time() * 1000)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + BODY)
        return await reader.read()
    finally:
        writer.close()


async def outcomes(sandbox: Sandbox, count: int) -> str:
    """Post several requests; return ``.`` for each success and ``x`` for each reset connection."""
    letters = ""
    for _ in range(count):
        try:
            response = await post(sandbox)
        except ConnectionResetError:
            letters += "x"
        else:
            assert b'"code":10000' in response
            letters += "."
    return letters


async def wait_for_order(sandbox: Sandbox) -> None:
    """Return as soon as there is an order."""
    for _ in range(2000):
        if sandbox.orders:
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lose-response", Fault("lose-response")),
        ("lose-request", Fault("lose-request")),
        ("delay", Fault("delay")),
        (" lose-response ", Fault("lose-response")),
        ("delay:0.2", Fault("delay", seconds=0.2)),
        ("delay:3", Fault("delay", seconds=3.0)),
        ("lose-response*2", Fault("lose-response", times=2)),
        ("lose-response*0", Fault("lose-response", times=0)),
        ("lose-request@0.25", Fault("lose-request", probability=0.25)),
        ("lose-request@0", Fault("lose-request", probability=0.0)),
        ("lose-request@1", Fault("lose-request", probability=1.0)),
        ("delay:0.2*3", Fault("delay", seconds=0.2, times=3)),
        ("delay:0.2@0.1", Fault("delay", seconds=0.2, probability=0.1)),
        ("502/acted", Fault("502", acted=True)),
        ("cut-body/unacted*1", Fault("cut-body", acted=False, times=1)),
        ("503 / unacted : 2", Fault("503", seconds=2.0)),
        ("refuse", Fault("refuse", seconds=0.5)),
        ("delay:0.2*3@0.1", Fault("delay", seconds=0.2, times=3, probability=0.1)),
    ],
)
def test_parse(text: str, fault: Fault) -> None:
    """Every documented text form is parsed."""
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "fault '' does not exist; the kinds are refuse, reset-connect,"),
        ("explode", "fault 'explode' does not exist"),
        ("LOSE-RESPONSE", "fault 'LOSE-RESPONSE' does not exist"),
        ("delay:soon", "'soon'"),
        ("delay:-1", "seconds must be finite and 0 or more, not -1"),
        ("delay:nan", "seconds must be finite and 0 or more, not nan"),
        ("delay:inf", "seconds must be finite and 0 or more, not inf"),
        ("lose-response*", "''"),
        ("lose-response*two", "'two'"),
        ("lose-response*1.5", "'1.5'"),
        ("lose-response*-1", "times must be 0 or more, not -1"),
        ("lose-response@", "''"),
        ("lose-response@often", "'often'"),
        ("lose-response@1.1", "between 0 and 1, not 1.1"),
        ("lose-response@-0.1", "between 0 and 1, not -0.1"),
        ("lose-response@nan", "between 0 and 1, not nan"),
        ("lose-response@0.5*2", "'0.5*2'"),
        ("502/perhaps", "'perhaps' is neither 'acted' nor 'unacted'"),
        ("502/", "'' is neither 'acted' nor 'unacted'"),
        ("lose-response/unacted", "'lose-response' is always acted on"),
        ("lose-request/acted", "'lose-request' is always not acted on"),
    ],
)
def test_parse_rejects(text: str, problem: str) -> None:
    """Invalid text is a ValueError that quotes it, shows valid examples and gives the reason."""
    with pytest.raises(ValueError, match=r"is not a fault such as 'delay:0\.2@0\.1' or 'lose-response\*2': ") as caught:
        Fault.parse(text)
    assert str(caught.value).startswith(f"{text!r} ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_can_be_parsed(kind: str) -> None:
    """Each kind can be written as bare text."""
    assert Fault.parse(kind) == Fault(kind)


def test_docstring_lists_every_kind() -> None:
    """`help(Fault)` names every kind."""
    assert Fault.__doc__ is not None
    assert [kind for kind in FAULT_KINDS if f"``{kind}``" not in Fault.__doc__] == []


def test_faults_apply_in_order_until_used_up() -> None:
    """Faults apply in the order given, each for its number of times; then requests succeed."""
    first, second = Fault("lose-request", times=2), Fault("lose-response", times=1)
    plan = FaultPlan((first, Fault("delay", times=0), second), seed=0)
    assert [plan.draw() for _ in range(5)] == [first, first, second, None, None]


def test_fault_without_times_applies_always() -> None:
    """A fault without a number of times applies to every request."""
    plan = FaultPlan((Fault("lose-request"),), seed=0)
    assert all(plan.draw() == Fault("lose-request") for _ in range(100))


@pytest.mark.parametrize(("probability", "hits"), [(0.0, range(1)), (0.3, range(200, 400)), (1.0, range(1000, 1001))])
def test_probability(probability: float, hits: range) -> None:
    """The share of affected requests matches the probability; 0 and 1 mean never and always."""
    plan = FaultPlan((Fault("lose-request", probability=probability),), seed=1)
    assert sum(plan.draw() is not None for _ in range(1000)) in hits


def test_times_count_affected_requests() -> None:
    """With a probability, ``times`` counts the affected requests only."""
    plan = FaultPlan((Fault("lose-request", times=5, probability=0.2),), seed=1)
    drawn = [plan.draw() for _ in range(1000)]
    assert sum(fault is not None for fault in drawn) == 5
    assert drawn[:5] != [Fault("lose-request", times=5, probability=0.2)] * 5


HALF = ("delay@0.5", "502@0.5", "lose-response@0.5", "delay-acting@0.5")


def drawn(faults: Iterable[str], seed: int, count: int = 4000) -> list[tuple[str, ...]]:
    """Return the kinds of fault that so many requests meet."""
    plan = FaultPlan(map(Fault.parse, faults), seed)
    return [tuple(fault.kind for fault in plan.draw_for_request(reused=True)) for _ in range(count)]


def test_faults_are_drawn_independently() -> None:
    """Of two faults with probability 0.5 each, a quarter of the requests meets both, and a quarter neither."""
    counts = Counter(drawn(("delay@0.5", "502@0.5"), seed=1))
    assert counts.keys() == {(), ("delay",), ("502",), ("delay", "502")}
    assert all(900 < count < 1100 for count in counts.values())


def test_one_damage_and_all_delays() -> None:
    """A request meets all delays that are drawn, and the first of the other faults."""
    counts = Counter(drawn(HALF, seed=1))
    assert not [kinds for kinds in counts if {"502", "lose-response"} <= set(kinds)]
    assert all(200 < counts[kinds] < 300 for kinds in ((), ("delay",), ("delay", "delay-acting")))
    assert all(400 < counts[kinds] < 600 for kinds in (("502",), ("delay", "delay-acting", "502")))
    assert all(200 < counts[kinds] < 300 for kinds in (("lose-response",), ("delay", "lose-response")))


def test_choice_of_a_fault_does_not_depend_on_others() -> None:
    """The seed fixes the choice of a fault, whatever other faults there are; another seed makes another choice."""

    def hits(faults: Iterable[str], seed: int) -> list[bool]:
        return ["delay" in kinds for kinds in drawn(faults, seed, 200)]

    assert hits(HALF, 1) == hits(["delay@0.5"], 1) == hits(["503", "code-31000*3", "delay@0.5"], 1)
    assert hits(HALF, 2) != hits(HALF, 1)


def test_faults_of_one_kind_are_drawn_independently() -> None:
    """Two faults of one kind do not make the same choice."""
    assert {len(kinds) for kinds in drawn(["delay@0.5", "delay@0.5"], seed=1)} == {0, 1, 2}


def test_script_beside_independent_faults() -> None:
    """Faults with a number of times take turns; those without meet every request besides."""
    assert drawn(["delay*1", "502*2", "delay-acting", "lose-response*1"], seed=0, count=5) == [
        ("delay", "delay-acting"),
        ("delay-acting", "502"),
        ("delay-acting", "502"),
        ("delay-acting", "lose-response"),
        ("delay-acting",),
    ]


def test_a_fault_that_gives_way_is_not_used_up() -> None:
    """A fault that another one keeps from being injected keeps its number of times."""
    plan = FaultPlan((Fault("502"), Fault("lose-response", times=1)))
    assert [plan.draw_for_request(reused=True) for _ in range(2)] == [(Fault("502"),)] * 2
    assert plan.remaining() == [Fault("502"), Fault("lose-response", times=1)]


def test_idle_connections() -> None:
    """`close-idle` spares a new connection, and lets the next fault take its turn."""
    plan = FaultPlan((Fault("close-idle", times=1), Fault("502", times=1)))
    assert plan.draw_for_request(reused=False) == (Fault("502", times=1),)
    assert plan.draw_for_request(reused=True) == (Fault("close-idle", times=1),)


async def test_delay_and_damage() -> None:
    """A request that meets a delay and a lost response is acted on, waits, and is then reset."""
    async with Sandbox(faults=["lose-response", "delay:0.2"]) as sandbox:
        request = asyncio.create_task(post(sandbox))
        await wait_for_order(sandbox)
        assert not request.done()
        with pytest.raises(ConnectionResetError):
            await request


async def test_lose_response_acts() -> None:
    """`lose-response` resets the connection without a byte of a response, after the order is made."""
    async with Sandbox(faults=[Fault("lose-response", times=1)]) as sandbox:
        with pytest.raises(ConnectionResetError):
            await post(sandbox)
        assert len(sandbox.orders) == 1
        assert await outcomes(sandbox, 1) == "."


async def test_lose_request_does_not_act() -> None:
    """`lose-request` resets the connection without a byte of a response, and makes no order."""
    async with Sandbox(faults=[Fault("lose-request", times=1)]) as sandbox:
        with pytest.raises(ConnectionResetError):
            await post(sandbox)
        assert sandbox.orders == ()
        assert await outcomes(sandbox, 1) == "."


async def test_delay_acts_first() -> None:
    """`delay` makes the order at once, and responds in full after the delay."""
    async with Sandbox(faults=[Fault("delay", seconds=0.2)]) as sandbox:
        started = time.monotonic()
        request = asyncio.create_task(post(sandbox))
        await wait_for_order(sandbox)
        assert not request.done()
        assert b'"code":10000' in await request
        assert time.monotonic() - started >= 0.19


async def test_injected_resets_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An injected fault is not logged as an error of the sandbox."""
    async with Sandbox(faults=[Fault("lose-response", times=1), Fault("lose-request", times=1)]) as sandbox:
        assert await outcomes(sandbox, 3) == "xx."
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_seed_repeats_the_choice() -> None:
    """The same seed affects the same requests, another seed others, and neither all nor none."""
    seen: dict[int, set[str]] = {}
    for seed in (1, 1, 2):
        async with Sandbox(faults=[Fault("lose-request", probability=0.5)], seed=seed) as sandbox:
            seen.setdefault(seed, set()).add(await outcomes(sandbox, 16))
    assert [len(choices) for choices in seen.values()] == [1, 1]
    assert seen[1] != seen[2]
    assert {"x", "."} == set("".join(seen[1]))


async def test_inject_faults_replaces_and_clears(sandbox: Sandbox) -> None:
    """`inject_faults` replaces all faults, and removes them if called without any."""
    assert await outcomes(sandbox, 1) == "."
    sandbox.inject_faults(Fault("lose-response"))
    assert await outcomes(sandbox, 2) == "xx"
    sandbox.inject_faults(Fault("lose-request", times=1))
    assert await outcomes(sandbox, 2) == "x."
    sandbox.inject_faults(Fault("lose-response"), Fault("lose-request"))
    sandbox.inject_faults()
    assert await outcomes(sandbox, 2) == ".."


async def test_inject_faults_restarts_the_choice() -> None:
    """`inject_faults` with the same faults repeats the random choice, so that a test can predict it."""
    fault = Fault("lose-request", probability=0.5)
    async with Sandbox(faults=[fault], seed=7) as sandbox:
        seen = {await outcomes(sandbox, 16)}
        for _ in range(2):
            sandbox.inject_faults(fault)
            seen.add(await outcomes(sandbox, 16))
    assert len(seen) == 1


async def test_faults_spare_pages() -> None:
    """Faults apply to the platform's API only; pages and the list of orders use none up."""
    async with Sandbox(faults=[Fault("lose-request", times=1)]) as sandbox:
        assert b" 405 " in await post(sandbox, "/sandbox/orders")
        assert b" 405 " in await post(sandbox, "/")
        assert await outcomes(sandbox, 2) == "x."
