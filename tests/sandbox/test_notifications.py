"""Delivery of notifications over HTTP: requests, retries, faults, and the record of the attempts."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import orjson
import pytest
from yarl import URL

from kfq_async import AsyncSession, CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.protocol.signing import CanonicalRsa2Signer, string_to_sign, verify
from kfq_async.sandbox import Fault, Notification, Sandbox
from kfq_async.sandbox.faults import FaultPlan
from kfq_async.sandbox.notifications import NotificationSender, corrupt, sign_notification
from kfq_async.sandbox.store import Store, process_key, public_text
from receivers import OK, acknowledge, fail_first, policy
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from servers import Script


@asynccontextmanager
async def receiving(script: Script = acknowledge, **settings: Any) -> AsyncIterator[tuple[Sandbox, ScriptedServer]]:
    """Run a receiver, and a sandbox that retries after 10 ms."""
    async with ScriptedServer(script) as receiver, Sandbox(**{"retry_after": (0.01, 0.01), **settings}) as sandbox:
        yield sandbox, receiver


async def order(sandbox: Sandbox, url: str | None) -> str:
    """Make an order with this ``authCallbackUrl``, and return its number."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        request = CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(company_name="甲"), auth_callback_url=url)
        return (await session.auth.corp_ident_link(request)).order_no


def is_authentic(seen: ReceivedRequest, sandbox: Sandbox) -> bool:
    """Verify a notification as its receiver does."""
    headers = seen.headers
    path = seen.target.partition("?")[0]
    message = string_to_sign(
        sandbox.app_id, seen.body, nonce=headers["nonce"], timestamp=headers["timestamp"], uri=path
    )
    return headers["appId"] == sandbox.app_id and verify(message.encode(), headers["sign"], sandbox.public_key)


def status(seen: ReceivedRequest) -> int:
    """Return the ``orderStatus`` of a notification."""
    return int(orjson.loads(seen.body)["orderStatus"])


@pytest.mark.parametrize(("action", "order_status"), [("complete", 1), ("review", 2), ("abandon", 3), ("expire", 4)])
async def test_each_change_is_notified(action: str, order_status: int) -> None:
    """Completing, review, abandoning and expiry each send one signed JSON POST to the URL as given."""
    async with receiving() as (sandbox, receiver):
        number = await order(sandbox, f"{receiver.origin}/hooks/a%20b?x=1")
        getattr(sandbox, action)(number)
        (notification,) = await sandbox.wait_for_notifications()
        (seen,) = receiver.requests
    assert (seen.method, seen.target) == ("POST", "/hooks/a%20b?x=1")
    assert seen.headers["Content-Type"] == "application/json"
    assert is_authentic(seen, sandbox)
    assert abs(int(seen.headers["timestamp"]) - time.time() * 1000) < 60_000
    assert (orjson.loads(seen.body)["orderNo"], status(seen)) == (number, order_status)
    assert (notification.order_no, notification.order_status, notification.acknowledged, notification.due_at) == (
        number,
        order_status,
        True,
        None,
    )
    (attempt,) = notification.attempts
    assert (attempt.http_status, attempt.response_body, attempt.error, attempt.fault) == (200, "success", None, "")
    assert attempt.nonce == seen.headers["nonce"]


@pytest.mark.parametrize("url", [None, ""])
async def test_no_callback_url(url: str | None) -> None:
    """Without ``authCallbackUrl`` there is no notification."""
    async with receiving(strict=False) as (sandbox, _):
        sandbox.complete(await order(sandbox, url))
        assert await sandbox.wait_for_notifications() == ()


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://your-domain.com/api/corp/auth/callback", "your-domain.com is not this machine"),
        ("not a url", "not an http or https URL"),
    ],
)
async def test_disallowed_url(url: str, error: str) -> None:
    """An invalid URL, or one on another machine, is not called, and one attempt records the reason."""
    async with receiving(strict=False) as (sandbox, _):
        sandbox.complete(await order(sandbox, url))
        (notification,) = await sandbox.wait_for_notifications()
    assert [attempt.http_status for attempt in notification.attempts] == [None]
    assert (notification.attempts[0].error or "").startswith(error)
    assert not notification.acknowledged


async def test_retried_until_acknowledged() -> None:
    """A notification is retried until acknowledged, with the same body and a fresh nonce and signature."""
    async with receiving(fail_first(2)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    assert [attempt.http_status for attempt in notification.attempts] == [503, 503, 200]
    assert [attempt.response_body for attempt in notification.attempts] == ["not now", "not now", "success"]
    assert notification.acknowledged
    assert len({seen.body for seen in receiver.requests}) == 1
    assert len({seen.headers["nonce"] for seen in receiver.requests}) == 3
    assert all(is_authentic(seen, sandbox) for seen in receiver.requests)


async def test_given_up() -> None:
    """After the last retry the notification is given up, and recorded as unacknowledged."""
    async with receiving(fail_first(99)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
        assert len(receiver.requests) == 3
    assert (notification.acknowledged, notification.due_at, notification.scheduled_attempts) == (False, None, 3)


async def test_no_schedule() -> None:
    """An empty schedule means one attempt."""
    async with receiving(fail_first(99), retry_after=()) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await sandbox.wait_for_notifications()
        assert len(receiver.requests) == 1


async def test_schedule() -> None:
    """Each retry waits at least as long as the schedule says."""
    async with receiving(fail_first(2), retry_after=(0.1, 0.2)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    first, second, third = (attempt.sent_at for attempt in notification.attempts)
    assert second - first >= 0.1
    assert third - second >= 0.2


@pytest.mark.parametrize(
    ("failure", "http_status", "error"),
    [
        (http_response(b"success", 302, Location="/elsewhere"), 302, None),
        (http_response(b"success", 201), 201, None),
        (http_response(b"success", 503), 503, None),
        (http_response(b" success"), 200, None),
        (http_response(b"s" * 100_000), 200, None),
        (http_response(b"\xff\xfe"), 200, None),
        (None, None, "ServerDisconnectedError: "),
        (b"nonsense\r\n\r\n", None, "ClientResponseError: "),
        (b"HTTP/1.1 200 X\r\nContent-Length: 20\r\nConnection: close\r\n\r\nsuccess", 200, "ClientPayloadError: "),
    ],
)
async def test_failed_attempt(failure: bytes | None, http_status: int | None, error: str | None) -> None:
    """A redirect is not followed, and any response that does not acknowledge leads to a retry."""
    async with receiving(fail_first(1, failure)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
        assert len(receiver.requests) == 2
    first, second = notification.attempts
    assert (first.http_status, first.acknowledged, second.acknowledged) == (http_status, False, True)
    assert len(first.response_body) <= 200
    assert (first.error or "").startswith(error or "")
    assert (first.error is None) == (error is None)


async def test_back_to_back() -> None:
    """By default there are three attempts at once, and the fourth one after a pause."""
    async with ScriptedServer(fail_first(3)) as receiver, Sandbox() as sandbox:
        sandbox.complete(await order(sandbox, receiver.origin))
        while sandbox.notifications[0].scheduled_attempts < 3:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.005)
        (notification,) = sandbox.notifications
    assert [attempt.http_status for attempt in notification.attempts] == [503, 503, 503]
    assert (notification.due_at or 0) - notification.attempts[2].sent_at >= 5


async def test_dropped_connection() -> None:
    """An attempt whose connection is dropped is sent once more at once, with the same nonce and signature."""
    async with receiving(fail_first(99, None)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    nonces = [seen.headers["nonce"] for seen in receiver.requests]
    assert len(nonces) == 6
    assert nonces[::2] == nonces[1::2]
    assert len(set(nonces)) == 3
    assert [attempt.nonce for attempt in notification.attempts] == nonces
    assert (notification.scheduled_attempts, notification.acknowledged) == (3, False)


async def test_reset_connection() -> None:
    """A connection that is reset counts as dropped."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_server(reset, "127.0.0.1", 0) as receiver, Sandbox(retry_after=()) as sandbox:
        host, port = receiver.sockets[0].getsockname()
        sandbox.complete(await order(sandbox, f"http://{host}:{port}/"))
        (notification,) = await sandbox.wait_for_notifications()
    assert [attempt.http_status for attempt in notification.attempts] == [None, None]
    assert (notification.scheduled_attempts, notification.acknowledged) == (1, False)


async def test_acknowledged_after_a_dropped_connection() -> None:
    """The repetition of an attempt may acknowledge."""
    async with receiving(fail_first(1, None), retry_after=()) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    assert len(receiver.requests) == 2
    assert [attempt.acknowledged for attempt in notification.attempts] == [False, True]
    assert (notification.scheduled_attempts, notification.acknowledged) == (1, True)


async def test_name_below_localhost() -> None:
    """A name below ``localhost`` is connected to 127.0.0.1, whatever the system's resolver says about it."""
    async with receiving() as (sandbox, receiver):
        port = receiver.origin.rsplit(":", 1)[1]
        with patch("socket.getaddrinfo", side_effect=AssertionError("looked up")):
            sandbox.complete(await order(sandbox, f"http://hooks.LocalHost:{port}/"))
            (notification,) = await sandbox.wait_for_notifications()
    assert notification.acknowledged
    assert receiver.requests[0].headers["Host"] == f"hooks.localhost:{port}"


async def test_closed_port() -> None:
    """A refused connection is recorded and retried."""
    async with receiving() as (sandbox, receiver):
        receiver.stop_listening()
        sandbox.complete(await order(sandbox, "http://127.0.0.1:1/hook"))
        (notification,) = await sandbox.wait_for_notifications()
    assert len(notification.attempts) == 3
    assert {(attempt.error or "").partition(":")[0] for attempt in notification.attempts} == {"ClientConnectorError"}


async def test_slow_receiver() -> None:
    """A response that is late, at its start or at its end, is recorded as a timeout and retried."""

    async def respond_slowly(number: int, _: ReceivedRequest) -> bytes | tuple[bytes, ...]:
        if number == 0:
            await asyncio.sleep(30)
        return OK if number == 2 else tuple(OK[index : index + 1] for index in range(len(OK)))

    async with receiving(respond_slowly, callback_timeout=0.2) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    assert [attempt.error for attempt in notification.attempts] == ["no complete response within 0.2 s"] * 2 + [None]
    assert notification.acknowledged


async def test_no_cookies() -> None:
    """A cookie that the receiver sets is not sent back."""
    async with receiving(fail_first(1, http_response(b"no", Set_Cookie="a=b"))) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await sandbox.wait_for_notifications()
        assert [seen.headers.get("Cookie") for seen in receiver.requests] == [None, None]


async def test_duplicate() -> None:
    """`callback-duplicate` sends the same request twice, nonce and signature included."""
    async with receiving(faults=[Fault("callback-duplicate", times=1)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    first, second = receiver.requests
    assert first == second
    assert is_authentic(first, sandbox)
    assert [attempt.fault for attempt in notification.attempts] == ["callback-duplicate"] * 2


async def test_duplicate_with_a_delay() -> None:
    """`callback-duplicate:SECONDS` sends the second copy after the delay."""
    async with receiving(faults=[Fault("callback-duplicate", seconds=0.2)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    assert notification.attempts[1].sent_at - notification.attempts[0].sent_at >= 0.15


async def test_delay() -> None:
    """`callback-delay` sends a notification SECONDS after it was signed."""
    async with receiving(faults=[Fault("callback-delay", seconds=0.3)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await sandbox.wait_for_notifications()
    (seen,) = receiver.requests
    assert is_authentic(seen, sandbox)
    assert time.time() * 1000 - int(seen.headers["timestamp"]) >= 250


async def test_reorder() -> None:
    """`callback-reorder` sends the notification after the next one."""
    async with receiving(faults=[Fault("callback-reorder", seconds=30, times=1)]) as (sandbox, receiver):
        number = await order(sandbox, receiver.origin)
        sandbox.review(number)
        await asyncio.sleep(0.05)
        sandbox.complete(number)
        notifications = await sandbox.wait_for_notifications()
    assert [status(seen) for seen in receiver.requests] == [1, 2]
    assert all(is_authentic(seen, sandbox) for seen in receiver.requests)
    assert [notification.acknowledged for notification in notifications] == [True, True]


async def test_reorder_without_another_notification() -> None:
    """`callback-reorder` sends after SECONDS if no other notification is sent; a copy of its own does not count."""
    async with receiving(faults=[Fault("callback-reorder", seconds=0.2, times=1)]) as (sandbox, receiver):
        started = time.monotonic()
        sandbox.complete(await order(sandbox, receiver.origin))
        sandbox.resend(sandbox.notifications[0].notification_id)
        await sandbox.wait_for_notifications()
        assert time.monotonic() - started >= 0.2
        assert len(receiver.requests) == 2


async def test_corrupt() -> None:
    """`callback-corrupt` sends another status under the same signature; the authentic one follows as a retry."""
    async with receiving(faults=[Fault("callback-corrupt", times=1)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
    forged, authentic = receiver.requests
    assert (status(forged), is_authentic(forged, sandbox)) == (3, False)
    assert (status(authentic), is_authentic(authentic, sandbox)) == (1, True)
    assert [(attempt.fault, attempt.acknowledged) for attempt in notification.attempts] == [
        ("callback-corrupt", True),
        ("", True),
    ]


async def test_corrupt_does_not_count_as_acknowledged() -> None:
    """Acknowledging a corrupted copy does not acknowledge the notification."""
    async with receiving(faults=[Fault("callback-corrupt")], retry_after=()) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
        assert not notification.acknowledged


async def test_faults_of_requests_and_notifications_are_independent() -> None:
    """A notification fault does not affect requests, and a request fault does not affect notifications."""
    faults = [Fault("callback-corrupt", times=1), Fault("delay", seconds=0.2, times=1)]
    async with receiving(faults=faults) as (sandbox, receiver):
        started = time.monotonic()
        number = await order(sandbox, receiver.origin)
        assert time.monotonic() - started >= 0.19
        sandbox.complete(number)
        await sandbox.wait_for_notifications()
        assert [status(seen) for seen in receiver.requests] == [3, 1]


@pytest.mark.parametrize(
    "kind", [None, "callback-duplicate", "callback-corrupt", "callback-delay:0", "callback-reorder:0"]
)
async def test_resend(kind: str | None) -> None:
    """An acknowledged notification can be sent once more, with or without a fault."""
    async with receiving() as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (notification,) = await sandbox.wait_for_notifications()
        sandbox.resend(notification.notification_id, Fault.parse(kind) if kind else None)
        (notification,) = await sandbox.wait_for_notifications()
    assert len(receiver.requests) == (3 if kind == "callback-duplicate" else 2)
    assert len(notification.attempts) == len(receiver.requests)


async def test_resend_to_a_disallowed_url() -> None:
    """A resend to another machine is recorded, and not sent."""
    async with receiving() as (sandbox, _):
        sandbox.complete(await order(sandbox, "https://your-domain.com/"))
        (notification,) = await sandbox.wait_for_notifications()
        sandbox.resend(notification.notification_id, Fault("callback-corrupt"))
        (notification,) = await sandbox.wait_for_notifications()
    assert [attempt.fault for attempt in notification.attempts] == ["", "callback-corrupt"]


async def test_acknowledged_resend() -> None:
    """An acknowledged resend ends the wait for the next attempt."""
    async with receiving(fail_first(1), retry_after=(3600,)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await receiver.wait_for_requests(1)
        while not sandbox.notifications[0].attempts:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.005)
        sandbox.resend(sandbox.notifications[0].notification_id)
        async with asyncio.timeout(20):
            (notification,) = await sandbox.wait_for_notifications()
        assert len(receiver.requests) == 2
    assert notification.acknowledged


async def test_acknowledged_resend_during_an_attempt() -> None:
    """An acknowledged resend during a scheduled attempt stops the schedule."""
    resumed = asyncio.Event()

    async def script(number: int, _: ReceivedRequest) -> bytes:
        if number == 0:
            await resumed.wait()
            return http_response(b"too late", 500)
        return OK

    async with receiving(script) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await receiver.wait_for_requests(1)
        sandbox.resend(sandbox.notifications[0].notification_id)
        await receiver.wait_for_requests(2)
        while not sandbox.notifications[0].acknowledged:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.005)
        resumed.set()
        (notification,) = await sandbox.wait_for_notifications()
    assert [attempt.http_status for attempt in notification.attempts] == [200, 500]


async def test_stop_cancels_notifications() -> None:
    """Stopping the sandbox cancels waiting and running attempts without an error."""
    async with receiving(fail_first(99), retry_after=(0.05,) * 50) as (sandbox, receiver):
        number = await order(sandbox, receiver.origin)
        sandbox.review(number)
        await receiver.wait_for_requests(2)
        sandbox.complete(number)
        await sandbox.stop()
        seen = len(receiver.requests)
        await asyncio.sleep(0.2)
        assert len(receiver.requests) == seen


async def test_resend_after_close() -> None:
    """A resend that another thread requests while the sender closes is dropped without an error."""
    with closing(await asyncio.to_thread(Store, None)) as store:
        signer = CanonicalRsa2Signer("A", process_key())
        sender = NotificationSender(store, signer, FaultPlan(), policy(), time.time)
        await sender.close()
        done = sender.resend((), None)
        await asyncio.sleep(0.05)
        assert not done.done()


async def test_restart_resumes_notifications(tmp_path: Path) -> None:
    """With a state file, unacknowledged notifications are resumed after a restart, under the same key."""
    state = tmp_path / "state.db"
    async with ScriptedServer(fail_first(1)) as receiver:
        async with Sandbox(state=state, retry_after=(0.2,)) as sandbox:
            key = sandbox.public_key
            sandbox.complete(await order(sandbox, f"{receiver.origin}/hook"))
            await receiver.wait_for_requests(1)
            while not sandbox.notifications[0].scheduled_attempts:  # noqa: ASYNC110  # there is no event to wait for
                await asyncio.sleep(0.005)
        async with Sandbox(state=state, retry_after=(0.2,)) as sandbox:
            assert sandbox.public_key == key
            (notification,) = await sandbox.wait_for_notifications()
            assert len(receiver.requests) == 2
            assert is_authentic(receiver.requests[1], sandbox)
    assert notification.acknowledged
    assert [attempt.http_status for attempt in notification.attempts] == [503, 200]


async def test_many_notifications() -> None:
    """Hundreds of notifications at once all arrive; time spent queueing does not count towards the timeout."""

    async def acknowledge_slowly(_number: int, _seen: ReceivedRequest) -> bytes:
        await asyncio.sleep(0.02)
        return OK

    async with receiving(acknowledge_slowly, callback_timeout=10.0, retry_after=()) as (sandbox, receiver):
        numbers = [await order(sandbox, receiver.origin) for _ in range(5)]
        numbers += await asyncio.gather(*(order(sandbox, receiver.origin) for _ in range(300)))
        for number in numbers:
            sandbox.complete(number)
        notifications = await sandbox.wait_for_notifications()
    assert len(receiver.requests) == len(notifications) == 305
    assert all(notification.acknowledged for notification in notifications)


def test_notification_hides_its_secrets() -> None:
    """The repr of a notification contains neither URL nor body."""
    notification = Notification(
        notification_id="N",
        order_no="SBX1",
        order_status=1,
        url="http://h/secret-path",
        body='{"name":"张三"}',
        created_at=0.0,
        due_at=None,
    )
    assert "SBX1" in repr(notification)
    assert "secret-path" not in repr(notification)
    assert "张三" not in repr(notification)


def test_sign_notification() -> None:
    """A notification has four headers, and its signature covers the encoded path without the query."""
    body = '{"orderNo":"SBX1","orderStatus":1,"companyName":"某"}'
    url = URL("http://127.0.0.1:1/hooks/公司?a=1")
    signer = CanonicalRsa2Signer("APP", process_key())
    signed = sign_notification(body, url, "APP", signer, nonce="n", timestamp="1775010802000")
    assert signed.body == body.encode()
    assert {name: signed.headers[name] for name in ("appId", "nonce", "timestamp")} == {
        "appId": "APP",
        "nonce": "n",
        "timestamp": "1775010802000",
    }
    path = "/hooks/%E5%85%AC%E5%8F%B8"
    message = string_to_sign("APP", signed.body, nonce="n", timestamp="1775010802000", uri=path)
    assert verify(message.encode(), signed.headers["sign"], public_text(process_key()))


@pytest.mark.parametrize(("status", "other"), [(1, 3), (2, 1), (3, 1), (4, 1)])
def test_corrupt_changes_the_status(status: int, other: int) -> None:
    """A corrupted notification holds another status under the same signature."""
    signer = CanonicalRsa2Signer("APP", process_key())
    signed = sign_notification(f'{{"orderStatus":{status}}}', URL("http://h/"), "APP", signer, nonce="n", timestamp="1")
    assert orjson.loads(corrupt(signed).body) == {"orderStatus": other}
    assert corrupt(signed).headers == signed.headers
