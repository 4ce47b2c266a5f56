"""`Sandbox` from start to stop: in the loop and in a thread, with a port and a state that can be relied on."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest, KfqError, RetryPolicy
from kfq_async.sandbox import SAMPLE_TOKEN, Fault, Sandbox
from kfq_async.sandbox.store import Setting, Store, process_key

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
    with pytest.raises(ValueError, match=f"host must be a loopback address such as 127.0.0.1, not {host}:"):
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


def test_not_running_for_the_operator() -> None:
    """Before start nobody can play the operator or look at notifications."""
    sandbox = Sandbox()
    for action in (sandbox.complete, sandbox.abandon, sandbox.expire, sandbox.review, sandbox.resend):
        with pytest.raises(RuntimeError, match="not running"):
            action("SBX1")
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.notifications
    with pytest.raises(RuntimeError, match="not running"):
        asyncio.run(sandbox.settled())


@pytest.mark.parametrize(("action", "status"), [("complete", 1), ("review", 2), ("abandon", 3), ("expire", 4)])
async def test_playing_the_operator(action: str, status: int) -> None:
    """A test moves an order on without a browser, once, and sees it at once."""
    async with Sandbox() as sandbox:
        number = await ask(sandbox)
        after = getattr(sandbox, action)(number)
        assert after.status == status
        assert sandbox.orders == (after,)
        with pytest.raises(ValueError, match=f"order {number} has orderStatus {status} already"):
            getattr(sandbox, action)(number)
        with pytest.raises(LookupError, match="there is no order SBX0"):
            getattr(sandbox, action)("SBX0")


def test_playing_the_operator_from_another_thread() -> None:
    """With a sandbox in a thread the same works from a plain test, and from a loop of the test's own."""
    with Sandbox(retry_after=()) as sandbox:
        request = CorpIdentLinkRequest(auth_callback_url="http://127.0.0.1:1/")

        async def link() -> str:
            async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
                return (await session.auth.corp_ident_link(request)).order_no

        number = asyncio.run(link())
        sandbox.review(number)
        sandbox.complete(number)
        notes = asyncio.run(sandbox.settled())
        assert [(note.order_status, len(note.attempts)) for note in notes] == [(2, 1), (1, 1)]
        sandbox.resend(notes[0].notification_id, Fault("callback-corrupt"))
        assert [len(note.attempts) for note in asyncio.run(sandbox.settled())] == [2, 1]


async def test_resend_refuses() -> None:
    """A notification that does not exist, and a fault that happens to calls only, are refused by name."""
    async with Sandbox() as sandbox:
        with pytest.raises(LookupError, match="there is no notification N1"):
            sandbox.resend("N1")
        with pytest.raises(ValueError, match="fault 'drop' cannot happen to a notification"):
            sandbox.resend("N1", Fault("drop"))


async def test_key() -> None:
    """Without a private key one is made at the start and stays; with one it is known beforehand."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="makes its key when it starts"):
        _ = sandbox.public_key
    async with sandbox:
        made = sandbox.public_key
    assert sandbox.public_key == made
    assert Sandbox(private_key=process_key()).public_key == made


def test_vectors_key(vectors: dict[str, str]) -> None:
    """A key in the bare base64 of the platform's pages is taken, and its public half shown in the same form."""
    sandbox = Sandbox(app_id="APP", private_key=vectors["privateKeyPkcs8"])
    assert sandbox.public_key == vectors["publicKeySpki"]
    assert sandbox.app_id == "APP"
    assert vectors["privateKeyPkcs8"][:20] not in repr(vars(sandbox))


def test_poor_settings() -> None:
    """What is no key, no schedule or no appId is refused when the sandbox is made."""
    with pytest.raises(ValueError, match="private key is neither PEM"):
        Sandbox(private_key="nonsense")
    with pytest.raises(ValueError, match="retry_after"):
        Sandbox(retry_after=[-1])
    with pytest.raises(ValueError, match="app_id"):
        Sandbox(app_id="")


def test_a_state_file_with_a_broken_key(tmp_path: Path) -> None:
    """A state file whose key was tampered with is refused at the start, and nothing is left open."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as store:
        store.settings.add(Setting(name="private key", value="nonsense"))
    with pytest.raises(ValueError, match="private key is neither PEM"):
        asyncio.run(Sandbox(state=path).start())


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
