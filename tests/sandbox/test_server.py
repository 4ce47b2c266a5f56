"""`Sandbox` from start to stop: in the loop and in a thread, with a port and a state that can be relied on."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest, KfqError, RetryPolicy
from kfq_async.sandbox import SAMPLE_TOKEN, Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blockbuster import BlockBuster


def loopbacks() -> Iterator[str]:
    """Yield the loopback addresses that this machine has."""
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        try:
            socket.create_server((host, 0), family=family).close()
        except OSError:
            continue
        yield host


async def ask(sandbox: Sandbox, key: str = "row-1") -> str:
    """Ask once for a link and return the order's number."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=RetryPolicy(attempts=1)) as session:
        link = await session.auth.corp_ident_link(CorpIdentLinkRequest(client_request_id=key))
    return link.order_no


def threads() -> list[str]:
    """Return the names of the threads that serve a sandbox."""
    return [thread.name for thread in threading.enumerate() if thread.name == "kfq-sandbox"]


@pytest.mark.parametrize("host", list(loopbacks()))
async def test_in_the_loop(host: str) -> None:
    """`async with` serves in the running loop, over IPv4 and IPv6, without a thread of its own."""
    async with Sandbox(host=host) as sandbox:
        assert threads() == []
        number = await ask(sandbox)
        assert [order.order_no for order in sandbox.orders] == [number]


@pytest.mark.parametrize("host", list(loopbacks()))
def test_in_a_thread(host: str) -> None:
    """`with` serves from a thread of its own, which is gone afterwards."""
    with Sandbox(host=host) as sandbox:
        assert threads() == ["kfq-sandbox"]
        number = asyncio.run(ask(sandbox))
        assert [order.order_no for order in sandbox.orders] == [number]
    assert threads() == []


async def test_in_a_thread_beside_a_loop(_no_blocking: BlockBuster) -> None:  # noqa: PT019  # it is told to look away
    """`with` works inside a running loop too, though it blocks it while starting and stopping."""
    _no_blocking.deactivate()
    with Sandbox() as sandbox:
        number = await ask(sandbox)
        assert [order.order_no for order in sandbox.orders] == [number]
    assert threads() == []


@pytest.mark.parametrize(
    ("host", "origin"),
    [("127.0.0.1", "http://127.0.0.1:8899"), ("127.1.2.3", "http://127.1.2.3:8899"), ("::1", "http://[::1]:8899")],
)
def test_addresses(host: str, origin: str) -> None:
    """Origin and base_url are known beforehand when the port is given, IPv6 in brackets."""
    sandbox = Sandbox(host=host, port=8899)
    assert sandbox.origin == origin
    assert sandbox.base_url == f"{origin}/resrun-paas"


def test_tokens() -> None:
    """`token` is the published sample's, or the first of those that were given."""
    assert Sandbox().token == SAMPLE_TOKEN == "PV9LQWZA"
    assert Sandbox(tokens=iter(["A", "B"])).token == "A"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "2001:db8::1", "128.0.0.1"])
def test_loopback_only(host: str) -> None:
    """An address that others could reach is refused with the reason."""
    with pytest.raises(ValueError, match=f"host must be a loopback address such as 127.0.0.1, not {host}: "):
        Sandbox(host=host)


@pytest.mark.parametrize("host", ["", "localhost", "home.kaifangqian.com", "127.0.0.1:80", "127.1"])
def test_host_is_an_address(host: str) -> None:
    """A host that is no address is refused by name, since a name could lead anywhere."""
    with pytest.raises(ValueError, match=f"'{host}' does not appear to be an IPv4 or IPv6 address"):
        Sandbox(host=host)


def test_not_running() -> None:
    """Before start and after stop there are no orders to look at, and the error says what to do."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="not running: use it inside `async with` or `with`"):
        _ = sandbox.orders
    with sandbox:
        assert sandbox.orders == ()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.orders


async def test_port_taken() -> None:
    """A port that is taken is an OSError, and the sandbox starts once the port is free."""
    async with Sandbox() as first:
        port = int(first.origin.rsplit(":", 1)[1])
        second = Sandbox(port=port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        with pytest.raises(RuntimeError, match="not running"):
            _ = second.orders
        await ask(first)
    async with second:
        await ask(second)


def test_port_taken_in_a_thread() -> None:
    """What keeps the thread from starting is raised in the caller, and no thread is left."""
    with Sandbox() as first:
        second = Sandbox(port=int(first.origin.rsplit(":", 1)[1]))
        with pytest.raises(OSError, match="address already in use"), second:
            pass
        assert threads() == ["kfq-sandbox"]
        asyncio.run(ask(first))
    assert threads() == []
    with second:
        asyncio.run(ask(second))


def test_bad_state_in_a_thread(tmp_path: Path) -> None:
    """A file that is no state file is refused in the caller, and no thread is left."""
    path = tmp_path / "companies.csv"
    path.write_text("a,b\n" * 500, encoding="utf-8")
    with pytest.raises(ValueError, match=r"companies\.csv is not a state file of the sandbox"), Sandbox(state=path):
        pass
    assert threads() == []


def test_port_out_of_range(tmp_path: Path) -> None:
    """A port that cannot exist leaves nothing open: neither sandbox nor state file."""
    sandbox = Sandbox(port=70_000, state=tmp_path / "state.db")
    with pytest.raises(OverflowError):
        asyncio.run(sandbox.start())
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.orders
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


async def test_started_twice() -> None:
    """Starting what is running already is refused, and it goes on serving."""
    async with Sandbox() as sandbox:
        with pytest.raises(RuntimeError, match="running already"):
            await sandbox.start()
        await ask(sandbox)


def test_entered_twice() -> None:
    """Entering what is running already is refused, and the first to enter is the one who stops it."""
    with Sandbox() as sandbox:
        with pytest.raises(RuntimeError, match="running already"), sandbox:
            pass
        asyncio.run(ask(sandbox))
    assert threads() == []


async def test_stopped_twice() -> None:
    """Stopping again, or what was never started, does no harm."""
    sandbox = Sandbox()
    await sandbox.stop()
    await sandbox.start()
    await sandbox.stop()
    await sandbox.stop()
    with pytest.raises(KfqError):
        await ask(sandbox)


def test_left_twice() -> None:
    """Leaving again does no harm."""
    with Sandbox() as sandbox:
        sandbox.__exit__(None, None, None)
        assert threads() == []


async def test_an_error_inside_passes() -> None:
    """An error of the test itself comes out as it is, and the sandbox is stopped."""
    sandbox = Sandbox()
    with pytest.raises(LookupError, match="mine"):
        async with sandbox:
            raise LookupError("mine")
    with pytest.raises(KfqError):
        await ask(sandbox)


def test_an_error_inside_a_thread_passes() -> None:
    """An error of the test itself comes out as it is, and the thread is gone."""
    with pytest.raises(LookupError, match="mine"), Sandbox():
        raise LookupError("mine")
    assert threads() == []


async def test_same_port_again() -> None:
    """A sandbox that is started again listens where it did, so its base_url stays good, and it remembers nothing."""
    sandbox = Sandbox()
    async with sandbox:
        address = sandbox.base_url
        first = await ask(sandbox)
    async with sandbox:
        assert sandbox.base_url == address
        assert sandbox.orders == ()
        assert await ask(sandbox) != first


async def test_several_at_once() -> None:
    """Sandboxes side by side have ports and orders of their own."""
    async with AsyncExitStack() as stack:
        boxes = [await stack.enter_async_context(Sandbox()) for _ in range(5)]
        assert len({await ask(box) for box in boxes}) == 5
        assert {len(box.orders) for box in boxes} == {1}
        assert len({box.base_url for box in boxes}) == 5


async def test_stop_does_not_wait_for_a_delay() -> None:
    """A request that is being delayed for long does not keep the sandbox from stopping."""
    async with asyncio.timeout(20):
        async with Sandbox(faults=[Fault("delay", seconds=3600)]) as sandbox:
            asking = asyncio.create_task(ask(sandbox))
            while not sandbox.orders:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.005)
        with pytest.raises(KfqError):
            await asking


async def test_state_survives_a_restart(tmp_path: Path) -> None:
    """With a state file the orders, their links and the promise about the id outlive the sandbox."""
    path = tmp_path / "state.db"
    async with Sandbox(state=path) as sandbox:
        number = await ask(sandbox)
        orders = sandbox.orders
    async with Sandbox(state=str(path)) as sandbox:
        assert sandbox.orders == orders
        assert await ask(sandbox) == number
        assert await ask(sandbox, "row-2") != number
    assert path.stat().st_mode & 0o777 == 0o600


SERVER = """
import sys
from kfq_async.sandbox import Sandbox
with Sandbox(state=sys.argv[1]) as sandbox:
    print(sandbox.base_url, flush=True)
    sys.stdin.read()
"""


async def test_state_survives_a_kill(tmp_path: Path) -> None:
    """Whatever was answered before the process was killed at once is there afterwards, and asking again finds it."""
    path = tmp_path / "state.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    base_url = (await process.stdout.readline()).decode().strip()
    answered: dict[str, str] = {}

    async def worker(session: AsyncSession, name: str) -> None:
        for number in range(100_000):
            request = CorpIdentLinkRequest(client_request_id=f"{name}-{number}")
            answered[f"{name}-{number}"] = (await session.auth.corp_ident_link(request)).order_no
            if len(answered) == 200:
                process.kill()

    async with AsyncSession(SAMPLE_TOKEN, base_url=base_url, retry=RetryPolicy(attempts=1)) as session:
        ends = await asyncio.gather(*(worker(session, name) for name in "abcdefgh"), return_exceptions=True)
    assert {isinstance(end, KfqError) for end in ends} == {True}
    assert await process.wait() == -9

    async with Sandbox(state=path) as sandbox:
        kept = {order.client_request_id: order.order_no for order in sandbox.orders}
        assert len(answered) >= 200
        assert answered.items() <= kept.items()
        key, number = next(reversed(answered.items()))
        assert await ask(sandbox, key) == number
