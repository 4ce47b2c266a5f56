"""Faults on demand: what was asked to go wrong does, and leaves behind what it says."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import uuid4

import pytest

from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.faults import KINDS, Faults

PATH = f"/resrun-paas{API_PATH}/auth/corp/ident/link"


async def ask(sandbox: Sandbox, path: str = PATH) -> bytes:
    """Post one good request over a bare socket and return whatever comes back until the connection ends."""
    host, port = sandbox.origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nContent-Length: 2\r\n"
        f"appAuthToken: {sandbox.token}\r\nnonce: {uuid4()}\r\ntimestamp: {round(time.time() * 1000)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + b"{}")
        return await reader.read()
    finally:
        writer.close()


async def outcomes(sandbox: Sandbox, count: int) -> str:
    """Ask several times; a letter for each: ``.`` answered, ``x`` broken."""
    seen = ""
    for _ in range(count):
        try:
            answer = await ask(sandbox)
        except ConnectionResetError:
            seen += "x"
        else:
            assert b'"code":10000' in answer
            seen += "."
    return seen


async def an_order(sandbox: Sandbox) -> None:
    """Return as soon as there is an order."""
    for _ in range(2000):
        if sandbox.orders:
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop", Fault("drop")),
        ("lose", Fault("lose")),
        ("delay", Fault("delay")),
        (" drop ", Fault("drop")),
        ("delay:0.2", Fault("delay", seconds=0.2)),
        ("delay:3", Fault("delay", seconds=3.0)),
        ("drop*2", Fault("drop", times=2)),
        ("drop*0", Fault("drop", times=0)),
        ("lose@0.25", Fault("lose", probability=0.25)),
        ("lose@0", Fault("lose", probability=0.0)),
        ("lose@1", Fault("lose", probability=1.0)),
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
    """Each documented way of writing a fault is read as what it says."""
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "fault '' does not exist; there are refuse, reset-connect,"),
        ("explode", "fault 'explode' does not exist"),
        ("DROP", "fault 'DROP' does not exist"),
        ("delay:soon", "'soon'"),
        ("delay:-1", "seconds are 0 or more, not -1"),
        ("delay:nan", "seconds are 0 or more, not nan"),
        ("delay:inf", "seconds are 0 or more, not inf"),
        ("drop*", "''"),
        ("drop*two", "'two'"),
        ("drop*1.5", "'1.5'"),
        ("drop*-1", "0 times or more, not -1"),
        ("drop@", "''"),
        ("drop@often", "'often'"),
        ("drop@1.1", "between 0 and 1, not 1.1"),
        ("drop@-0.1", "between 0 and 1, not -0.1"),
        ("drop@nan", "between 0 and 1, not nan"),
        ("drop@0.5*2", "'0.5*2'"),
        ("502/perhaps", "'perhaps' is neither 'acted' nor 'unacted'"),
        ("502/", "'' is neither 'acted' nor 'unacted'"),
        ("drop/unacted", "'drop' is always acted on"),
        ("lose/acted", "'lose' is always not acted on"),
    ],
)
def test_parse_refuses(text: str, problem: str) -> None:
    """What is no fault is a ValueError that quotes it, shows how one is written and says what is wrong."""
    with pytest.raises(ValueError, match=r"is no fault, as 'delay:0\.2@0\.1' and 'drop\*2' are: ") as caught:
        Fault.parse(text)
    assert str(caught.value).startswith(f"{text!r} ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_given(kind: str) -> None:
    """Each kind that the list explains can be made and written."""
    assert Fault.parse(kind) == Fault(kind)


def test_times_run_out_one_after_the_other() -> None:
    """Faults come in the order in which they were given, each as often as it says, and then all goes well."""
    lose, drop = Fault("lose", times=2), Fault("drop", times=1)
    faults = Faults((lose, Fault("delay", times=0), drop), seed=0)
    assert [faults.draw() for _ in range(5)] == [lose, lose, drop, None, None]


def test_without_times_for_good() -> None:
    """A fault without a number of times happens to every request."""
    faults = Faults((Fault("lose"),), seed=0)
    assert all(faults.draw() == Fault("lose") for _ in range(100))


@pytest.mark.parametrize(("probability", "hits"), [(0.0, range(1)), (0.3, range(200, 400)), (1.0, range(1000, 1001))])
def test_probability(probability: float, hits: range) -> None:
    """A probability is met over many requests, and 0 and 1 mean never and always."""
    faults = Faults((Fault("lose", probability=probability),), seed=1)
    assert sum(faults.draw() is not None for _ in range(1000)) in hits


def test_times_count_what_happened() -> None:
    """With a probability, the times count the requests that it hit, not those that it spared."""
    faults = Faults((Fault("lose", times=5, probability=0.2),), seed=1)
    drawn = [faults.draw() for _ in range(1000)]
    assert sum(fault is not None for fault in drawn) == 5
    assert drawn[:5] != [Fault("lose", times=5, probability=0.2)] * 5


async def test_drop_acts() -> None:
    """`drop` breaks the connection without a byte of an answer, and the order was made."""
    async with Sandbox(faults=[Fault("drop", times=1)]) as sandbox:
        with pytest.raises(ConnectionResetError):
            await ask(sandbox)
        assert len(sandbox.orders) == 1
        assert await outcomes(sandbox, 1) == "."


async def test_lose_does_not_act() -> None:
    """`lose` breaks the connection without a byte of an answer, and there is no order."""
    async with Sandbox(faults=[Fault("lose", times=1)]) as sandbox:
        with pytest.raises(ConnectionResetError):
            await ask(sandbox)
        assert sandbox.orders == ()
        assert await outcomes(sandbox, 1) == "."


async def test_delay_acts_first() -> None:
    """`delay` makes the order at once and answers in full, no sooner than it says."""
    async with Sandbox(faults=[Fault("delay", seconds=0.2)]) as sandbox:
        begun = time.monotonic()
        asking = asyncio.create_task(ask(sandbox))
        await an_order(sandbox)
        assert not asking.done()
        assert b'"code":10000' in await asking
        assert time.monotonic() - begun >= 0.19


async def test_broken_connections_are_no_errors(caplog: pytest.LogCaptureFixture) -> None:
    """A fault on purpose is not reported as an error of the sandbox."""
    async with Sandbox(faults=[Fault("drop", times=1), Fault("lose", times=1)]) as sandbox:
        assert await outcomes(sandbox, 3) == "xx."
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_same_seed_same_choice() -> None:
    """The same seed lets the same requests go wrong, another seed others, and neither all nor none."""
    seen: dict[int, set[str]] = {}
    for seed in (1, 1, 2):
        async with Sandbox(faults=[Fault("lose", probability=0.5)], seed=seed) as sandbox:
            seen.setdefault(seed, set()).add(await outcomes(sandbox, 16))
    assert [len(choices) for choices in seen.values()] == [1, 1]
    assert seen[1] != seen[2]
    assert {"x", "."} == set("".join(seen[1]))


async def test_fail_replaces_and_clears(sandbox: Sandbox) -> None:
    """`fail` puts its faults in the place of those before, and without any all goes well."""
    assert await outcomes(sandbox, 1) == "."
    sandbox.inject_faults(Fault("drop"))
    assert await outcomes(sandbox, 2) == "xx"
    sandbox.inject_faults(Fault("lose", times=1))
    assert await outcomes(sandbox, 2) == "x."
    sandbox.inject_faults(Fault("drop"), Fault("lose"))
    sandbox.inject_faults()
    assert await outcomes(sandbox, 2) == ".."


async def test_fail_begins_the_choice_again() -> None:
    """`fail` with the same faults repeats the choice of the start, so a test can say beforehand what happens."""
    often = Fault("lose", probability=0.5)
    async with Sandbox(faults=[often], seed=7) as sandbox:
        seen = {await outcomes(sandbox, 16)}
        for _ in range(2):
            sandbox.inject_faults(often)
            seen.add(await outcomes(sandbox, 16))
    assert len(seen) == 1


async def test_only_the_interface_fails() -> None:
    """Faults concern the platform's interface alone, and pages and the list of orders use none of them up."""
    async with Sandbox(faults=[Fault("lose", times=1)]) as sandbox:
        assert b" 405 " in await ask(sandbox, "/sandbox/orders")
        assert b" 405 " in await ask(sandbox, "/")
        assert await outcomes(sandbox, 2) == "x."
