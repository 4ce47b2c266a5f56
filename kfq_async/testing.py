"""pytest plugin for the tests of services; ``pytest_plugins = ["kfq_async.testing"]`` activates it.

The sandbox is imported by the first test that uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

import pytest
from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, MutableMapping
    from typing import Unpack

    from kfq_async.sandbox import CapturedNotification, Sandbox
    from kfq_async.session import AsyncSession, SessionOptions

__all__ = [
    "DeliverNotification",
    "DeliveryReply",
    "SessionFactory",
    "asgi_lifespan",
    "kfq_deliver",
    "kfq_environment",
    "kfq_notifications",
    "kfq_sandbox",
    "kfq_session",
]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker ``kfq_faults``."""
    config.addinivalue_line("markers", "kfq_faults(*faults): faults of kfq_sandbox, such as 'lose-response*1'")


class SessionFactory(Protocol):
    """Type of the fixture `kfq_session`."""

    def __call__(self, **options: Unpack[SessionOptions]) -> AsyncSession:
        """Return a session on the sandbox; ``options`` are those of `AsyncSession`."""
        ...


@frozen(kw_only=True)
class DeliveryReply:
    """Response of an application to a notification.

    Attributes:
        status: HTTP status.
        headers: Headers, by their names in lower case.
        body: Body.
        acknowledged: Whether it acknowledges the notification: HTTP 200 with ``success``.
    """

    status: int
    """HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers, by their names in lower case."""
    body: bytes
    """Body."""

    @property
    def acknowledged(self) -> bool:
        """Whether it acknowledges the notification: HTTP 200 with ``success``."""
        return (self.status, self.body) == (200, b"success")


class DeliverNotification(Protocol):
    """Type of the fixture `kfq_deliver`."""

    async def __call__(self, app: Any, notification: CapturedNotification, *, path: str | None = None) -> DeliveryReply:
        """Deliver a notification to an ASGI application, and return its response."""
        ...


@pytest.fixture
def kfq_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A new sandbox for each test: real HTTP, served by a thread, for synchronous and asynchronous tests.

    Pass ``base_url`` and ``token`` to your session, or use `kfq_session`. ``orders`` lists the orders, ``complete`` and
    ``abandon`` act as the operator, and ``await wait_for_notifications()`` waits for the notifications that follow.
    ``@pytest.mark.kfq_faults("lose-response*1")`` sets faults, and ``inject_faults`` replaces them. With
    `kfq_notifications`, notifications are captured and not sent.
    """
    from kfq_async.sandbox import Sandbox  # noqa: PLC0415  # projects that do not use it pay nothing

    faults = [fault for marker in request.node.iter_markers("kfq_faults") for fault in marker.args]
    captured: list[CapturedNotification] | None = None
    if "kfq_notifications" in request.fixturenames:
        captured = request.getfixturevalue("kfq_notifications")
    with Sandbox(faults=faults, capture=None if captured is None else captured.append) as sandbox:
        yield sandbox


@pytest.fixture
def kfq_session(kfq_sandbox: Sandbox) -> SessionFactory:
    """A function that makes a session on the sandbox.

    Write ``async with kfq_session() as session``, in any event loop. Options are those of `AsyncSession`, such as
    ``kfq_session(retry=kfq.RetryPolicy(attempts=1))``.
    """
    from kfq_async.session import AsyncSession  # noqa: PLC0415  # as above

    def make_session(**options: Unpack[SessionOptions]) -> AsyncSession:
        settings: dict[str, Any] = {"app_auth_token": kfq_sandbox.token, "base_url": kfq_sandbox.base_url, **options}
        return AsyncSession(**settings)

    return make_session


@pytest.fixture
def kfq_environment(kfq_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables of `AsyncSession.from_env` for the test: an application under test calls the sandbox.

    ``KFQ_APP_AUTH_TOKEN`` and ``KFQ_BASE_URL`` have the sandbox's values, and ``KFQ_PRIVATE_KEY`` is unset.
    """
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", kfq_sandbox.token)
    monkeypatch.setenv("KFQ_BASE_URL", kfq_sandbox.base_url)
    monkeypatch.delenv("KFQ_PRIVATE_KEY", raising=False)


@pytest.fixture
def kfq_notifications() -> list[CapturedNotification]:
    """The notifications of the sandbox, oldest first, whatever their host: captured in place of being sent.

    Each has ``path``, ``headers``, ``body``, and the parsed ``notification``, and counts as acknowledged. Faults such
    as ``callback-duplicate`` apply. `kfq_deliver` passes one to your application.
    """
    return []


@pytest.fixture
def kfq_deliver() -> DeliverNotification:
    """An async function that delivers a notification to an ASGI application, without a port.

    Write ``reply = await kfq_deliver(app, notification)``: the `DeliveryReply` of the application. ``path=`` is the
    path that the application sees, if a proxy in front of it rewrites that of the notification. The lifespan of the
    application does not run: enter `asgi_lifespan` around the deliveries.
    """
    return _deliver


async def _deliver(app: Any, notification: CapturedNotification, *, path: str | None = None) -> DeliveryReply:
    url, raw_path = urlsplit(notification.url), notification.path if path is None else path
    headers = {"host": url.netloc, "content-length": str(len(notification.body)), **notification.headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": url.scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": (url.hostname, url.port or {"http": 80, "https": 443}[url.scheme]),
        "state": {},
    }
    requests = [{"type": "http.request", "body": notification.body, "more_body": False}]
    messages: list[MutableMapping[str, Any]] = []
    complete = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if requests:
            return requests.pop()
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            complete.set()

    await app(scope, receive, send)
    if not complete.is_set():
        raise RuntimeError("the application returned without a complete response")
    start, *parts = messages
    return DeliveryReply(
        status=start["status"],
        headers={name.decode().lower(): value.decode() for name, value in start["headers"]},
        body=b"".join(part.get("body", b"") for part in parts),
    )


@asynccontextmanager
async def asgi_lifespan(app: Any) -> AsyncIterator[None]:
    """Start an ASGI application, and shut it down afterwards, as a server does.

    Raises `RuntimeError` if startup or shutdown fails, or what the application raises.
    """
    requests: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    responses: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    running = asyncio.ensure_future(app(scope, requests.get, responses.put))

    async def perform(phase: str) -> None:
        requests.put_nowait({"type": f"lifespan.{phase}"})
        responding = asyncio.ensure_future(responses.get())
        await asyncio.wait({running, responding}, return_when=asyncio.FIRST_COMPLETED)
        if responding.cancel():  # the application has ended without a response
            await running
            raise RuntimeError(f"the application ended before its {phase} was complete")
        response = responding.result()
        if response["type"] != f"lifespan.{phase}.complete":
            raise RuntimeError(f"the {phase} of the application failed: {response.get('message', '')}")

    try:
        await perform("startup")
        try:
            yield
        finally:
            await perform("shutdown")
    finally:
        running.cancel()
        await asyncio.wait({running})
