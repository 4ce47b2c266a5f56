"""`Sandbox`: arguments, start and stop in a loop and in a thread, port, state file, and the operator's actions."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import sys
import threading
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kfq_async import (
    AsyncSession,
    CorpIdentLinkRequest,
    CredentialPlacement,
    KfqError,
    Operation,
    ParameterError,
    RetryPolicy,
)
from kfq_async.sandbox import SAMPLE_TOKEN, Fault, Sandbox
from kfq_async.sandbox.fixtures import DefaultFixtures, load_fixtures
from kfq_async.sandbox.notifications import NotificationSender
from kfq_async.sandbox.store import Setting, Store, process_key, public_text
from self_hosted import STRANGER, TOKEN, fixtures_document

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


async def link(sandbox: Sandbox, key: str = "row-1") -> str:
    """Request a link once, and return the order's number."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=RetryPolicy(attempts=1)) as session:
        request = CorpIdentLinkRequest(account_name="13800138000", client_request_id=key)
        return (await session.auth.corp_ident_link(request)).order_no


def threads() -> list[str]:
    """Return the names of the threads that run a sandbox."""
    return [thread.name for thread in threading.enumerate() if thread.name == "kfq-sandbox"]


@pytest.mark.parametrize("host", list(loopbacks()))
async def test_in_the_event_loop(host: str) -> None:
    """`async with` serves in the running loop, over IPv4 and IPv6, without a thread."""
    async with Sandbox(host=host) as sandbox:
        assert threads() == []
        number = await link(sandbox)
        assert [order.order_no for order in sandbox.orders] == [number]


@pytest.mark.parametrize("host", list(loopbacks()))
def test_in_a_thread(host: str) -> None:
    """`with` serves in a thread, which has ended afterwards."""
    with Sandbox(host=host) as sandbox:
        assert threads() == ["kfq-sandbox"]
        number = asyncio.run(link(sandbox))
        assert [order.order_no for order in sandbox.orders] == [number]
    assert threads() == []


async def test_in_a_thread_inside_a_loop(_no_blocking: BlockBuster) -> None:  # noqa: PT019  # switched off below
    """`with` works inside a running loop, although it blocks the loop while starting and stopping."""
    _no_blocking.deactivate()
    with Sandbox() as sandbox:
        number = await link(sandbox)
        assert [order.order_no for order in sandbox.orders] == [number]
    assert threads() == []


@pytest.mark.parametrize(
    ("host", "origin"),
    [("127.0.0.1", "http://127.0.0.1:8899"), ("127.1.2.3", "http://127.1.2.3:8899"), ("::1", "http://[::1]:8899")],
)
def test_addresses(host: str, origin: str) -> None:
    """With a given port, origin and base_url are known before the start; IPv6 stands in brackets."""
    sandbox = Sandbox(host=host, port=8899)
    assert sandbox.origin == origin
    assert sandbox.base_url == f"{origin}/resrun-paas"


def test_tokens() -> None:
    """`token` is that of the published sample, or the first of ``tokens``."""
    assert Sandbox().token == SAMPLE_TOKEN == "PV9LQWZA"
    assert Sandbox(tokens=iter(["A", "B"])).token == "A"


def test_fixtures(tmp_path: Path) -> None:
    """``fixtures`` is a file, its data, or `Fixtures`; `token` is the first one that is enabled."""
    file = tmp_path / "platform.json"
    file.write_bytes(orjson.dumps(fixtures_document()))
    for fixtures in (file, str(file), fixtures_document(), load_fixtures(file)):
        sandbox = Sandbox(fixtures=fixtures)
        assert sandbox.token == TOKEN
        assert sandbox.fixtures == load_fixtures(file)
    assert isinstance(Sandbox().fixtures, DefaultFixtures)
    with pytest.raises(ValueError, match="needs at least one enabled developer"):
        Sandbox(fixtures={"enterprises": []})
    with pytest.raises(ValueError, match="tokens must be left out with fixtures"):
        Sandbox(fixtures=file, tokens=["A"])


def test_rate_limit_form() -> None:
    """An unknown form of the rate limit is refused with those that exist."""
    with pytest.raises(ValueError, match="rate_limit_form must be one of internal, api, hidden, none, not 'off'"):
        Sandbox(rate_limit_form="off")


@pytest.mark.parametrize(
    ("fixtures", "strict", "refuses"),
    [(None, None, True), (None, False, False), (fixtures_document(), None, False), (fixtures_document(), True, True)],
)
async def test_strict(*, fixtures: dict[str, Any] | None, strict: bool | None, refuses: bool) -> None:
    """Unknown fields are refused by default without fixtures, and ignored with them."""
    async with (
        Sandbox(fixtures=fixtures, strict=strict) as sandbox,
        AsyncSession(sandbox.token, base_url=sandbox.base_url) as session,
    ):
        operation = Operation[Any, Any]("POST", "/annex/file", credentials=CredentialPlacement.PARAMETERS)
        upload = {"fileName": "a", "file": "UEsDBA==", "fileSuffix": ".zip", "fileNmae": "b"}
        if refuses:
            with pytest.raises(ParameterError, match="23000"):
                await session.send(operation, upload)
        else:
            assert (await session.send(operation, upload)).result["fileId"]


async def test_uploads_survive_a_restart(tmp_path: Path) -> None:
    """Files and registered accounts are in the state file."""
    state = tmp_path / "state.db"
    operation = Operation[Any, Any]("POST", "/companyCreateAndAuth", credentials=CredentialPlacement.PARAMETERS)
    lines = Operation[Any, Any]("GET", "/signRes", credentials=CredentialPlacement.PARAMETERS)
    account = {"contactType": "MOBILE", "contact": STRANGER}
    for sent, request in ((operation, {"account": account, "companyName": "东方示例有限公司"}), (lines, account)):
        async with (
            Sandbox(fixtures=fixtures_document(), state=state) as sandbox,
            AsyncSession(sandbox.token, base_url=sandbox.base_url) as session,
        ):
            result = (await session.send(sent, request)).result
    assert result[0]["signReId"] == "sales"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "2001:db8::1", "128.0.0.1"])
def test_host_must_be_loopback(host: str) -> None:
    """An address that is not loopback is refused with the reason."""
    with pytest.raises(ValueError, match=f"host must be a loopback address such as 127.0.0.1, not {host}: "):
        Sandbox(host=host)


@pytest.mark.parametrize(
    "host", ["", "localhost", "LOCALHOST", "app.localhost", "home.kaifangqian.com", "127.0.0.1:80", "127.1"]
)
def test_host_must_be_an_address(host: str) -> None:
    """A host name is refused, because it could resolve to another machine."""
    with pytest.raises(ValueError, match=f"host must be a loopback address such as 127.0.0.1, not {host}:"):
        Sandbox(host=host)


def test_not_running() -> None:
    """Before start and after stop, `orders` is a RuntimeError with advice."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="not running: use it inside `async with` or `with`"):
        _ = sandbox.orders
    with sandbox:
        assert sandbox.orders == ()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.orders


def test_actions_need_a_running_sandbox() -> None:
    """Before start, actions and notifications are a RuntimeError."""
    sandbox = Sandbox()
    for action in (sandbox.complete, sandbox.abandon, sandbox.expire, sandbox.review, sandbox.resend):
        with pytest.raises(RuntimeError, match="not running"):
            action("SBX1")
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.notifications
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.events
    with pytest.raises(RuntimeError, match="not running"):
        asyncio.run(sandbox.wait_for_notifications())


@pytest.mark.parametrize(("action", "status"), [("complete", 1), ("review", 2), ("abandon", 3), ("expire", 4)])
async def test_actions(action: str, status: int) -> None:
    """Each action changes the order at once; a second time, or for an unknown order, it is an error."""
    async with Sandbox() as sandbox:
        number = await link(sandbox)
        after = getattr(sandbox, action)(number)
        assert after.status == status
        assert sandbox.orders == (after,)
        with pytest.raises(ValueError, match=f"order {number}: it already has orderStatus {status}"):
            getattr(sandbox, action)(number)
        with pytest.raises(LookupError, match="order SBX0 does not exist"):
            getattr(sandbox, action)("SBX0")


def test_actions_from_another_thread() -> None:
    """Actions and `wait_for_notifications` work from another thread, with and without a loop."""
    with Sandbox(retry_after=()) as sandbox:
        request = CorpIdentLinkRequest(account_name="13800138000", auth_callback_url="http://127.0.0.1:1/")

        async def order() -> str:
            async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
                return (await session.auth.corp_ident_link(request)).order_no

        number = asyncio.run(order())
        sandbox.review(number)
        sandbox.complete(number)
        notifications = asyncio.run(sandbox.wait_for_notifications())
        assert [(notification.order_status, len(notification.attempts)) for notification in notifications] == [
            (2, 1),
            (1, 1),
        ]
        sandbox.resend(notifications[0].notification_id, Fault("callback-corrupt"))
        assert [len(notification.attempts) for notification in asyncio.run(sandbox.wait_for_notifications())] == [2, 1]


async def test_resend_rejects() -> None:
    """An unknown notification is a LookupError, a fault of another kind a ValueError; both name it."""
    async with Sandbox() as sandbox:
        with pytest.raises(LookupError, match="notification N1 does not exist"):
            sandbox.resend("N1")
        with pytest.raises(ValueError, match="fault 'lose-response' does not apply to notifications"):
            sandbox.resend("N1", Fault("lose-response"))


async def test_public_key() -> None:
    """Without a private key, one is generated at the start and kept; a given one is known before the start."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="generates its key when it starts"):
        _ = sandbox.public_key
    async with sandbox:
        generated = sandbox.public_key
    assert sandbox.public_key == generated
    assert Sandbox(private_key=process_key()).public_key == generated


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_forms_of_a_private_key(encoding: Encoding, form: PrivateFormat) -> None:
    """A private key is PEM, DER or base64 of it with or without line breaks, in either of the two usual structures."""
    content = process_key().private_bytes(encoding, form, NoEncryption())
    forms = [content] if encoding is Encoding.PEM else [content, base64.b64encode(content), base64.encodebytes(content)]
    for each in forms:
        assert Sandbox(private_key=each).public_key == public_text(process_key())


def test_private_key_in_bare_base64(vectors: dict[str, str]) -> None:
    """A private key in bare base64, as the platform shows it, is accepted; its public key has the same form."""
    sandbox = Sandbox(app_id="APP", private_key=vectors["privateKeyPkcs8"])
    assert sandbox.public_key == vectors["publicKeySpki"]
    assert sandbox.app_id == "APP"
    assert vectors["privateKeyPkcs8"][:20] not in repr(vars(sandbox))


def test_invalid_arguments() -> None:
    """An invalid key, schedule or appId is refused by the constructor."""
    with pytest.raises(ValueError, match="private key is neither PEM"):
        Sandbox(private_key="nonsense")
    with pytest.raises(ValueError, match="retry_after"):
        Sandbox(retry_after=[-1])
    with pytest.raises(ValueError, match="app_id"):
        Sandbox(app_id="")


def test_state_file_with_an_invalid_key(tmp_path: Path) -> None:
    """A state file with an invalid key is refused at the start, and closed."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as store:
        store.settings.add(Setting(name="private key", value="nonsense"))
    with pytest.raises(ValueError, match="private key is neither PEM"):
        asyncio.run(Sandbox(state=path).start())


async def test_port_taken() -> None:
    """A taken port is an OSError, and the sandbox can start once the port is free."""
    async with Sandbox() as first:
        port = int(first.origin.rsplit(":", 1)[1])
        second = Sandbox(port=port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        with pytest.raises(RuntimeError, match="not running"):
            _ = second.orders
        await link(first)
    async with second:
        await link(second)


def test_port_taken_in_a_thread() -> None:
    """An error at the start is raised in the caller, and no thread is left."""
    with Sandbox() as first:
        second = Sandbox(port=int(first.origin.rsplit(":", 1)[1]))
        with pytest.raises(OSError, match="address already in use"), second:
            pass
        assert threads() == ["kfq-sandbox"]
        asyncio.run(link(first))
    assert threads() == []
    with second:
        asyncio.run(link(second))


def test_invalid_state_in_a_thread(tmp_path: Path) -> None:
    """A file that is no state file is refused in the caller, and no thread is left."""
    path = tmp_path / "companies.csv"
    path.write_text("a,b\n" * 500, encoding="utf-8")
    with pytest.raises(ValueError, match=r"companies\.csv is not a state file of the sandbox"), Sandbox(state=path):
        pass
    assert threads() == []


def test_port_out_of_range(tmp_path: Path) -> None:
    """An impossible port leaves neither the sandbox nor the state file open."""
    sandbox = Sandbox(port=70_000, state=tmp_path / "state.db")
    with pytest.raises(OverflowError):
        asyncio.run(sandbox.start())
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.orders
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


async def test_started_twice() -> None:
    """A second start is refused, and the sandbox continues to serve."""
    async with Sandbox() as sandbox:
        with pytest.raises(RuntimeError, match="already running"):
            await sandbox.start()
        await link(sandbox)


def test_entered_twice() -> None:
    """A second `with` is refused, and does not stop the sandbox."""
    with Sandbox() as sandbox:
        with pytest.raises(RuntimeError, match="already running"), sandbox:
            pass
        asyncio.run(link(sandbox))
    assert threads() == []


async def test_stopped_twice() -> None:
    """`stop` is idempotent, and allowed before the first start."""
    sandbox = Sandbox()
    await sandbox.stop()
    await sandbox.start()
    await sandbox.stop()
    await sandbox.stop()
    with pytest.raises(KfqError):
        await link(sandbox)


async def test_stopped_at_the_same_time() -> None:
    """Each caller of `stop` returns when the sandbox has stopped."""
    sandbox = Sandbox()
    await sandbox.start()
    first = asyncio.create_task(sandbox.stop())
    await asyncio.sleep(0)
    await sandbox.stop()
    assert first.done()
    await first


async def test_stop_that_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled `stop` closes the rest nevertheless: the server, the sender's connections and the state file."""
    closed: list[str] = []
    close_sender, close_store = NotificationSender.close, Store.close

    async def recording_sender(sender: NotificationSender) -> None:
        await close_sender(sender)
        closed.append("sender")

    def recording_store(store: Store) -> None:
        close_store(store)
        closed.append("store")

    monkeypatch.setattr(NotificationSender, "close", recording_sender)
    monkeypatch.setattr(Store, "close", recording_store)
    sandbox = Sandbox(state=tmp_path / "sandbox.db")
    await sandbox.start()
    stopping = asyncio.create_task(sandbox.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert closed == ["sender", "store"]
    with pytest.raises(KfqError):
        await link(sandbox)


def test_exited_twice() -> None:
    """A second exit has no effect."""
    with Sandbox() as sandbox:
        sandbox.__exit__(None, None, None)
        assert threads() == []


async def test_error_inside_the_block() -> None:
    """An error inside `async with` propagates, and the sandbox is stopped."""
    sandbox = Sandbox()
    with pytest.raises(LookupError, match="mine"):
        async with sandbox:
            raise LookupError("mine")
    with pytest.raises(KfqError):
        await link(sandbox)


def test_error_inside_the_block_in_a_thread() -> None:
    """An error inside `with` propagates, and the thread has ended."""
    with pytest.raises(LookupError, match="mine"), Sandbox():
        raise LookupError("mine")
    assert threads() == []


async def test_restart_keeps_the_port() -> None:
    """A restarted sandbox listens on the same port, and without a state file has no orders."""
    sandbox = Sandbox()
    async with sandbox:
        address = sandbox.base_url
        first = await link(sandbox)
    async with sandbox:
        assert sandbox.base_url == address
        assert sandbox.orders == ()
        assert await link(sandbox) != first


async def test_several_sandboxes() -> None:
    """Several sandboxes at a time have separate ports and orders."""
    async with AsyncExitStack() as stack:
        sandboxes = [await stack.enter_async_context(Sandbox()) for _ in range(5)]
        assert len({await link(each) for each in sandboxes}) == 5
        assert {len(each.orders) for each in sandboxes} == {1}
        assert len({each.base_url for each in sandboxes}) == 5


async def test_stop_does_not_wait_for_a_delay() -> None:
    """A delayed request does not keep the sandbox from stopping."""
    async with asyncio.timeout(20):
        async with Sandbox(faults=[Fault("delay", seconds=3600)]) as sandbox:
            request = asyncio.create_task(link(sandbox))
            while not sandbox.orders:  # noqa: ASYNC110  # there is no event to wait for
                await asyncio.sleep(0.005)
        with pytest.raises(KfqError):
            await request


async def test_state_survives_a_restart(tmp_path: Path) -> None:
    """With a state file, orders, links and idempotency survive a restart."""
    path = tmp_path / "state.db"
    async with Sandbox(state=path) as sandbox:
        number = await link(sandbox)
        orders = sandbox.orders
    async with Sandbox(state=str(path)) as sandbox:
        assert sandbox.orders == orders
        assert await link(sandbox) == number
        assert await link(sandbox, "row-2") != number
    assert path.stat().st_mode & 0o777 == 0o600


SERVER = """
import sys
from kfq_async.sandbox import Sandbox
with Sandbox(state=sys.argv[1]) as sandbox:
    print(sandbox.base_url, flush=True)
    sys.stdin.read()
"""


async def test_state_survives_a_kill(tmp_path: Path) -> None:
    """Every order that was confirmed before a SIGKILL survives, and a retry with its id returns it."""
    path = tmp_path / "state.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    base_url = (await process.stdout.readline()).decode().strip()
    confirmed: dict[str, str] = {}

    async def worker(session: AsyncSession, name: str) -> None:
        for number in range(100_000):
            request = CorpIdentLinkRequest(account_name="13800138000", client_request_id=f"{name}-{number}")
            confirmed[f"{name}-{number}"] = (await session.auth.corp_ident_link(request)).order_no
            if len(confirmed) == 200:
                process.kill()

    async with AsyncSession(SAMPLE_TOKEN, base_url=base_url, retry=RetryPolicy(attempts=1)) as session:
        results = await asyncio.gather(*(worker(session, name) for name in "abcdefgh"), return_exceptions=True)
    assert {isinstance(result, KfqError) for result in results} == {True}
    assert await process.wait() == -9

    async with Sandbox(state=path) as sandbox:
        stored = {order.client_request_id: order.order_no for order in sandbox.orders}
        assert len(confirmed) >= 200
        assert confirmed.items() <= stored.items()
        key, number = next(reversed(confirmed.items()))
        assert await link(sandbox, key) == number


@pytest.mark.parametrize(
    ("quirks", "error", "text"),
    [
        ("collisions", TypeError, "write [name]"),
        (("collisions", "colisions"), ValueError, "must be among collisions"),
        (("colisions",), ValueError, "not colisions"),
    ],
)
def test_quirks_are_checked(quirks: object, error: type[Exception], text: str) -> None:
    """An unknown name is refused with the known ones, and one text with how to write it."""
    with pytest.raises(error, match=re.escape(text)):
        Sandbox(quirks=quirks)  # type: ignore[arg-type]  # the point of the test
