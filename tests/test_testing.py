"""The pytest plugin, in this suite and in a user's project."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kfq_async import AsyncSession, ContractEvent, CorpIdentLinkRequest, IdentityNotification
from kfq_async.sandbox import CapturedNotification, Fault
from kfq_async.testing import DeliveryReply, asgi_lifespan
from output import quiet_environment
from senders import SIGNED, make_body

if TYPE_CHECKING:
    from pathlib import Path

    from kfq_async.sandbox import Sandbox
    from kfq_async.testing import DeliverNotification

USER_TESTS = """
import asyncio
import threading
import urllib.request

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest


async def link(sandbox):
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        return await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))


def test_plain(kfq_sandbox):
    found = asyncio.run(link(kfq_sandbox))
    assert [order.order_no for order in kfq_sandbox.orders] == [found.order_no]


def test_fresh(kfq_sandbox):
    assert kfq_sandbox.orders == ()


def test_page(kfq_sandbox):
    found = asyncio.run(link(kfq_sandbox))
    with urllib.request.urlopen(found.auth_url) as page:
        assert page.status == 200


@pytest.mark.asyncio
async def test_asynchronous(kfq_sandbox):
    found = await link(kfq_sandbox)
    assert [order.order_no for order in kfq_sandbox.orders] == [found.order_no]


def test_stopped():
    assert "kfq-sandbox" not in [thread.name for thread in threading.enumerate()]
"""


SESSION_TESTS = """
import asyncio

import pytest

import kfq_async as kfq

REQUEST = kfq.CorpIdentLinkRequest(account_name="13800138000")
ONCE = kfq.RetryPolicy(attempts=1)


async def link(kfq_session, **options):
    async with kfq_session(**options) as session:
        return await session.send(kfq.CORP_IDENT_LINK, REQUEST)


def test_synchronous(kfq_session, kfq_sandbox):
    response = asyncio.run(link(kfq_session))
    assert [order.order_no for order in kfq_sandbox.orders] == [response.result.order_no]


MARK
async def test_asynchronous(kfq_session, kfq_sandbox):
    response = await link(kfq_session)
    assert [order.order_no for order in kfq_sandbox.orders] == [response.result.order_no]


MARK
@pytest.mark.kfq_faults("lose-response*1")
async def test_fault(kfq_session, kfq_sandbox):
    with pytest.raises(kfq.ConnectionLost):
        await link(kfq_session, retry=ONCE)
    assert len(kfq_sandbox.orders) == 1
    assert (await link(kfq_session)).attempts == 1


@pytest.mark.kfq_faults("502*1")
class TestFaults:
    MARK
    @pytest.mark.kfq_faults("503*1")
    async def test_those_of_the_test_come_first(self, kfq_session):
        statuses = []
        for _ in range(2):
            with pytest.raises(kfq.GatewayError) as caught:
                await link(kfq_session, retry=ONCE)
            statuses.append(caught.value.http_status)
        assert statuses == [503, 502]


MARK
async def test_options(kfq_session):
    with pytest.raises(kfq.CredentialsError):
        await link(kfq_session, app_auth_token="OTHER")
"""
NOTIFICATION_TESTS = """
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from sanic import Sanic

import kfq_async as kfq
from kfq_async.integrations.fastapi import kfq_lifespan, notification_router
from kfq_async.integrations.sanic import notification_blueprint, setup_kfq
from kfq_async.testing import asgi_lifespan

URLS = kfq.CallbackUrls(
    [b"a secret of 32 random bytes....."],
    page="https://your-domain.com/done",
    notify="https://your-domain.com/api/hooks/kfq",
    public_path="/api",
)


@pytest.fixture
def handled():
    return []


@pytest.fixture
def app(handled, kfq_sandbox, kfq_session):
    async def handler(delivery):
        handled.append((delivery.client_request_id, delivery.notification.order_status))

    verifier = kfq.CallbackVerifier([kfq_sandbox.public_key], app_id=kfq_sandbox.app_id, public_path="/api")
    receiver = kfq.NotificationReceiver(handler, urls=URLS, verifier=verifier)
    app = FastAPI(lifespan=kfq_lifespan(kfq_session, receivers=[receiver]))
    app.include_router(notification_router(receiver, "/hooks/kfq"))
    return app


async def identify(kfq_session, kfq_sandbox):
    request = URLS.bind(kfq.CorpIdentLinkRequest(account_name="13800138000"))
    async with kfq_session() as session:
        link = await session.auth.corp_ident_link(request)
    kfq_sandbox.complete(link.order_no)
    await kfq_sandbox.wait_for_notifications()
    return request


@pytest.mark.kfq_faults("callback-duplicate*1")
async def test_notification(kfq_session, kfq_sandbox, kfq_notifications, kfq_deliver, app, handled):
    request = await identify(kfq_session, kfq_sandbox)
    first, copy = kfq_notifications
    assert first.path.startswith("/api/hooks/kfq/")
    assert first.notification.order_status is kfq.IdentityStatus.IDENTIFIED
    assert first.headers["appId"] == kfq_sandbox.app_id
    async with asgi_lifespan(app):
        for notification in (first, copy):
            reply = await kfq_deliver(app, notification, path=notification.path.removeprefix("/api"))
            assert reply.acknowledged
    assert handled == [(request.client_request_id, 1)]
    assert kfq_sandbox.notifications[0].acknowledged


@pytest.mark.kfq_faults("callback-corrupt*1")
async def test_corrupted(kfq_session, kfq_sandbox, kfq_notifications, kfq_deliver, app, handled):
    await identify(kfq_session, kfq_sandbox)
    corrupted, retry = kfq_notifications
    assert corrupted.headers["nonce"] != retry.headers["nonce"]
    reply = await kfq_deliver(app, corrupted, path=corrupted.path.removeprefix("/api"))
    assert (reply.status, reply.acknowledged, handled) == (401, False, [])
    assert reply.headers["content-type"] == "application/json"


async def test_sanic(kfq_session, kfq_sandbox, kfq_notifications, kfq_deliver):
    async def handler(delivery):
        pass

    receiver = kfq.NotificationReceiver(handler, urls=URLS)
    app = Sanic("service", configure_logging=False)
    setup_kfq(app, kfq_session, receivers=[receiver])
    app.blueprint(notification_blueprint(receiver, "/hooks/kfq"))
    await identify(kfq_session, kfq_sandbox)
    (notification,) = kfq_notifications
    async with asgi_lifespan(app):
        reply = await kfq_deliver(app, notification, path=notification.path.removeprefix("/api"))
    assert reply.acknowledged
    assert app.ctx.kfq_session.closed


async def test_sent(kfq_sandbox, kfq_session):
    await identify(kfq_session, kfq_sandbox)
    assert kfq_sandbox.notifications[0].attempts[0].error.startswith("your-domain.com is not this machine")
"""


def run_tests(folder: Path, tests: str, *arguments: str, imports: str = "") -> str:
    """Run tests in a project that activates the plugin, which must pass; return the output."""
    (folder / "conftest.py").write_text(ACTIVE + imports, encoding="utf-8")
    (folder / "test_service.py").write_text(tests, encoding="utf-8")
    status, output = run_pytest(folder, "-q", *arguments)
    assert status == 0, output
    return output


def run_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run pytest as a user does, with warnings as errors; return its exit status and its output."""
    settings = ["-p", "no:cacheprovider", "-W", "error", "-o", "asyncio_default_fixture_loop_scope=function"]
    command = [sys.executable, "-m", "pytest", *settings, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=quiet_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_fixture_in_a_plain_test(kfq_sandbox: Sandbox) -> None:
    """The fixture serves over real HTTP, and lists the orders that were made."""

    async def link() -> str:
        async with AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url) as session:
            return (await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))).order_no

    number = asyncio.run(link())
    assert [order.order_no for order in kfq_sandbox.orders] == [number]


async def test_fixture_in_an_asynchronous_test(kfq_sandbox: Sandbox) -> None:
    """The fixture serves an asynchronous test, and `inject_faults` applies to its requests."""
    kfq_sandbox.inject_faults(Fault("lose-request", times=1))
    async with AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url) as session:
        link = await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
    assert [order.order_no for order in kfq_sandbox.orders] == [link.order_no]


def test_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of the environment calls the sandbox, whatever the environment was before."""
    monkeypatch.setenv("KFQ_BASE_URL", "https://platform.example")
    monkeypatch.setenv("KFQ_PRIVATE_KEY", "no key")
    request.getfixturevalue("kfq_environment")

    async def link() -> str:
        async with AsyncSession.from_env() as session:
            return (await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))).order_no

    number = asyncio.run(link())
    sandbox: Sandbox = request.getfixturevalue("kfq_sandbox")
    assert [order.order_no for order in sandbox.orders] == [number]


ACTIVE = 'pytest_plugins = ["kfq_async.testing"]\n'


def test_fixture_in_a_users_project(tmp_path: Path) -> None:
    """A project that activates the plugin gets a new sandbox for each test."""
    assert "5 passed" in run_tests(tmp_path, USER_TESTS)


@pytest.mark.parametrize(
    ("mark", "options", "passed"),
    [
        ("", ("-o", "asyncio_mode=auto"), 5),
        ("@pytest.mark.asyncio", ("-o", "asyncio_mode=strict"), 5),
        ("@pytest.mark.anyio", ("-p", "no:asyncio"), 5),
        ("@pytest.mark.anyio", ("-o", "asyncio_mode=strict"), 5),
    ],
    ids=["auto", "strict", "anyio", "both"],
)
def test_sessions_in_a_users_project(tmp_path: Path, mark: str, options: tuple[str, ...], passed: int) -> None:
    """Sessions and faults work under pytest-asyncio in each of its modes, and under anyio's plugin."""
    tests = SESSION_TESTS.replace("MARK", mark)
    if "no:asyncio" in options:
        options = (*options, "-W", "ignore::pytest.PytestConfigWarning")
    anyio = '\nimport pytest\n\n\n@pytest.fixture\ndef anyio_backend():\n    return "asyncio"\n'
    output = run_tests(tmp_path, tests, "--strict-markers", *options, imports=anyio)
    assert f"{passed} passed" in output


def test_notifications_in_a_users_project(tmp_path: Path) -> None:
    """Notifications to a public URL are captured, and delivered to an application without a port."""
    output = run_tests(tmp_path, NOTIFICATION_TESTS, "-o", "asyncio_mode=auto", "--strict-markers")
    assert "4 passed" in output


def test_malformed_fault(tmp_path: Path) -> None:
    """A fault that does not exist is an error of the test, which names it."""
    (tmp_path / "conftest.py").write_text(ACTIVE, encoding="utf-8")
    tests = "import pytest\n\n\n@pytest.mark.kfq_faults('lose')\ndef test_it(kfq_sandbox):\n    pass\n"
    (tmp_path / "test_service.py").write_text(tests, encoding="utf-8")
    status, output = run_pytest(tmp_path, "-q")
    assert status == 1
    assert "fault 'lose' does not exist" in output


def captured(**changes: Any) -> CapturedNotification:
    """Return a notification."""
    values = {"url": "http://a.example:8000/n%20x", "path": "/n%20x", "headers": {"Sign": "S"}, "body": b"{}"}
    return CapturedNotification(**{**values, **changes})


async def test_scope(kfq_deliver: DeliverNotification) -> None:
    """An application gets the request as from a server; it may send its response in parts, and wait for the end."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, await receive()])
        waiting = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Name", b"v")]})
        await send({"type": "http.response.body", "body": b"succ", "more_body": True})
        await asyncio.sleep(0)
        assert not waiting.done()
        await send({"type": "http.response.body", "body": b"ess"})
        seen.append(await waiting)

    reply = await kfq_deliver(app, captured())
    scope, request, end = seen
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/n x", b"/n%20x", b"")
    assert (scope["scheme"], scope["server"]) == ("http", ("a.example", 8000))
    assert scope["headers"] == [(b"host", b"a.example:8000"), (b"content-length", b"2"), (b"sign", b"S")]
    assert request == {"type": "http.request", "body": b"{}", "more_body": False}
    assert end == {"type": "http.disconnect"}
    assert reply == DeliveryReply(status=200, headers={"x-name": "v"}, body=b"success")
    assert reply.acknowledged


@pytest.mark.parametrize(("url", "port"), [("http://a.example/n", 80), ("https://a.example/n", 443)])
async def test_port(kfq_deliver: DeliverNotification, url: str, port: int) -> None:
    """Without a port the scope has that of the scheme; an application that sends no response is an error."""
    ports: list[int] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        ports.append(scope["server"][1])

    with pytest.raises(RuntimeError, match="without a complete response"):
        await kfq_deliver(app, captured(url=url))
    assert ports == [port]


def test_captured_notifications_are_parsed() -> None:
    """The notification in the body is an identity notification, or a contract event."""
    identity, event = (
        captured(body=make_body()).notification,
        captured(body=make_body(SIGNED)).notification,
    )
    assert isinstance(identity, IdentityNotification)
    assert isinstance(event, ContractEvent)
    assert "13800138000" not in repr(captured(body=make_body()))


def test_fixture_is_documented(tmp_path: Path) -> None:
    """`pytest --fixtures` shows the fixture with its docstring where the plugin is active, and nowhere else."""
    status, output = run_pytest(tmp_path, "--fixtures")
    assert status in {0, 5}, output
    assert "kfq_sandbox" not in output
    (tmp_path / "conftest.py").write_text(ACTIVE, encoding="utf-8")
    status, output = run_pytest(tmp_path, "--fixtures")
    assert status in {0, 5}, output
    assert "kfq_sandbox" in output
    assert "A new sandbox for each test" in output


def test_the_plugin_is_cheap() -> None:
    """Loading the plugin does not import the sandbox."""
    code = "import sys, pytest, kfq_async.testing; print(*(name for name in sys.modules if 'kfq_async.' in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "kfq_async.sandbox" not in done.stdout


async def failing_lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Fail to start."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
    raise LookupError("logged by servers")


async def test_failing_startup() -> None:
    """A startup that fails is an error with the application's message."""
    with pytest.raises(RuntimeError, match=r"^the startup of the application failed: no database$"):
        async with asgi_lifespan(failing_lifespan):
            raise AssertionError


async def raising(scope: Any, receive: Any, send: Any) -> None:
    """Raise at once, as an application without a lifespan does."""
    raise LookupError(scope["type"])


async def returning(scope: Any, receive: Any, send: Any) -> None:
    """Return at once."""


async def test_application_without_a_lifespan() -> None:
    """What an application raises in place of a response is raised; one that returns is an error too."""
    with pytest.raises(LookupError, match=r"^lifespan$"):
        async with asgi_lifespan(raising):
            raise AssertionError
    with pytest.raises(RuntimeError, match=r"^the application ended before its startup was complete$"):
        async with asgi_lifespan(returning):
            raise AssertionError


async def test_shutdown_after_an_error() -> None:
    """The application is shut down if the body fails, and the error of the body is raised."""
    seen: list[str] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            message = await receive()
            seen.append(message["type"])
            await send({"type": f"{message['type']}.complete"})

    with pytest.raises(ZeroDivisionError):
        async with asgi_lifespan(app):
            raise ZeroDivisionError
    assert seen == ["lifespan.startup", "lifespan.shutdown"]
