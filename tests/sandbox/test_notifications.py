"""Notifications over HTTP: what a receiver gets, how often, and what goes wrong on demand."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from yarl import URL

from kfq_async import AsyncSession, CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.protocol.signing import CanonicalRsa2Signer, string_to_sign, verify
from kfq_async.sandbox import Fault, Notification, Sandbox
from kfq_async.sandbox.notifications import DeliveryPolicy, DeliveryResult, corrupted, sign_notification
from kfq_async.sandbox.store import process_key, public_text
from servers import ScriptedServer, Seen, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from servers import Script


OK = answer(b"success")


async def accept(_number: int, _seen: Seen) -> bytes:
    """Acknowledge everything."""
    return OK


def refuse_first(count: int, refusal: bytes | None = answer(b"not now", 503)) -> Script:
    """Refuse so many notifications, and acknowledge the rest."""

    async def script(number: int, _: Seen) -> bytes | None:
        return refusal if number < count else OK

    return script


@asynccontextmanager
async def receiving(script: Script = accept, **settings: Any) -> AsyncIterator[tuple[Sandbox, ScriptedServer]]:
    """Run a receiver and a sandbox that repeats at once."""
    async with ScriptedServer(script) as receiver, Sandbox(**{"retry_after": (0.01, 0.01), **settings}) as sandbox:
        yield sandbox, receiver


async def order(sandbox: Sandbox, url: str | None) -> str:
    """Make an order that is to be notified there, and return its number."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        request = CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(company_name="甲"), auth_callback_url=url)
        return (await session.auth.corp_ident_link(request)).order_no


def genuine(seen: Seen, sandbox: Sandbox) -> bool:
    """Verify a notification as its receiver would."""
    headers = seen.headers
    path = seen.target.partition("?")[0]
    message = string_to_sign(
        sandbox.app_id, seen.body, nonce=headers["nonce"], timestamp=headers["timestamp"], uri=path
    )
    return headers["appId"] == sandbox.app_id and verify(message.encode(), headers["sign"], sandbox.public_key)


def status(seen: Seen) -> int:
    """Return the status that a notification tells."""
    return int(orjson.loads(seen.body)["orderStatus"])


@pytest.mark.parametrize(("action", "told"), [("complete", 1), ("review", 2), ("abandon", 3), ("expire", 4)])
async def test_each_change_is_notified(action: str, told: int) -> None:
    """Completing, review, abandoning and expiry are each told by one signed POST of JSON to the very URL."""
    async with receiving() as (sandbox, receiver):
        number = await order(sandbox, f"{receiver.origin}/hooks/a%20b?x=1")
        getattr(sandbox, action)(number)
        (note,) = await sandbox.settled()
        (seen,) = receiver.seen
    assert (seen.method, seen.target) == ("POST", "/hooks/a%20b?x=1")
    assert seen.headers["Content-Type"] == "application/json"
    assert genuine(seen, sandbox)
    assert abs(int(seen.headers["timestamp"]) - time.time() * 1000) < 60_000
    assert (orjson.loads(seen.body)["orderNo"], status(seen)) == (number, told)
    assert (note.order_no, note.order_status, note.acknowledged, note.due_at) == (number, told, True, None)
    (attempt,) = note.attempts
    assert (attempt.http_status, attempt.answer, attempt.error, attempt.fault) == (200, "success", None, "")
    assert attempt.nonce == seen.headers["nonce"]


@pytest.mark.parametrize("url", [None, ""])
async def test_without_a_url_nothing_is_sent(url: str | None) -> None:
    """An order without ``authCallbackUrl`` changes in silence."""
    async with receiving() as (sandbox, _):
        sandbox.complete(await order(sandbox, url))
        assert await sandbox.settled() == ()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://your-domain.com/api/corp/auth/callback", "your-domain.com is not this machine"),
        ("not a url", "not an http or https URL"),
    ],
)
async def test_a_url_that_is_not_called(url: str, said: str) -> None:
    """A URL that is no URL, or that leads to another machine, is not called, and the record says why, once."""
    async with receiving() as (sandbox, _):
        sandbox.complete(await order(sandbox, url))
        (note,) = await sandbox.settled()
    assert [attempt.http_status for attempt in note.attempts] == [None]
    assert note.attempts[0].error is not None
    assert note.attempts[0].error.startswith(said)
    assert not note.acknowledged


async def test_repeated_until_acknowledged() -> None:
    """What is not acknowledged comes again, the same body with a fresh nonce and signature, until it is."""
    async with receiving(refuse_first(2)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
    assert [attempt.http_status for attempt in note.attempts] == [503, 503, 200]
    assert [attempt.answer for attempt in note.attempts] == ["not now", "not now", "success"]
    assert note.acknowledged
    assert len({seen.body for seen in receiver.seen}) == 1
    assert len({seen.headers["nonce"] for seen in receiver.seen}) == 3
    assert all(genuine(seen, sandbox) for seen in receiver.seen)


async def test_given_up() -> None:
    """After the last of the schedule nothing more is sent, and the record says that nobody acknowledged."""
    async with receiving(refuse_first(99)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
        assert len(receiver.seen) == 3
    assert (note.acknowledged, note.due_at, note.step) == (False, None, 3)


async def test_no_schedule() -> None:
    """Without a schedule there is one attempt."""
    async with receiving(refuse_first(99), retry_after=()) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await sandbox.settled()
        assert len(receiver.seen) == 1


async def test_the_schedule_is_kept() -> None:
    """Each wait is at least as long as the schedule says, and the record tells what comes next."""
    async with receiving(refuse_first(2), retry_after=(0.1, 0.2)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
    first, second, third = (attempt.at for attempt in note.attempts)
    assert second - first >= 0.1
    assert third - second >= 0.2


@pytest.mark.parametrize(
    ("refusal", "http_status", "said"),
    [
        (answer(b"success", 302, Location="/elsewhere"), 302, None),
        (answer(b"success", 500), 500, None),
        (answer(b" success"), 200, None),
        (answer(b"s" * 100_000), 200, None),
        (answer(b"\xff\xfe"), 200, None),
        (None, None, "ServerDisconnectedError: "),
        (b"nonsense\r\n\r\n", None, "ClientResponseError: "),
        (b"HTTP/1.1 200 X\r\nContent-Length: 20\r\nConnection: close\r\n\r\nsuccess", 200, "ClientPayloadError: "),
    ],
)
async def test_what_does_not_acknowledge(refusal: bytes | None, http_status: int | None, said: str | None) -> None:
    """A redirect is not followed, and whatever is not the bare word with HTTP 200 leads to another attempt."""
    async with receiving(refuse_first(1, refusal)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
        assert len(receiver.seen) == 2
    first, second = note.attempts
    assert (first.http_status, first.acknowledged, second.acknowledged) == (http_status, False, True)
    assert len(first.answer) <= 200
    assert (first.error or "").startswith(said or "")
    assert (first.error is None) == (said is None)


async def test_nobody_listens() -> None:
    """A receiver that is down is recorded as such and called again."""
    async with receiving() as (sandbox, receiver):
        receiver.vanish()
        sandbox.complete(await order(sandbox, "http://127.0.0.1:1/hook"))
        (note,) = await sandbox.settled()
    assert len(note.attempts) == 3
    assert {(attempt.error or "").partition(":")[0] for attempt in note.attempts} == {"ClientConnectorError"}


async def test_a_slow_receiver() -> None:
    """A receiver that does not answer in time is recorded as such and called again, however it dawdles."""

    async def dawdle(number: int, _: Seen) -> bytes | tuple[bytes, ...]:
        if number == 0:
            await asyncio.sleep(30)
        return OK if number == 2 else tuple(OK[index : index + 1] for index in range(len(OK)))

    async with receiving(dawdle, callback_timeout=0.2) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
    assert [attempt.error for attempt in note.attempts] == ["no whole answer within 0.2 s"] * 2 + [None]
    assert note.acknowledged


async def test_no_cookies_are_kept() -> None:
    """A cookie that the receiver sets does not come back to it."""
    async with receiving(refuse_first(1, answer(b"no", Set_Cookie="a=b"))) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await sandbox.settled()
        assert [seen.headers.get("Cookie") for seen in receiver.seen] == [None, None]


async def test_duplicate() -> None:
    """`callback-duplicate` sends the same bytes twice, nonce and signature included."""
    async with receiving(faults=[Fault("callback-duplicate", times=1)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
    first, second = receiver.seen
    assert first == second
    assert genuine(first, sandbox)
    assert [attempt.fault for attempt in note.attempts] == ["callback-duplicate"] * 2


async def test_duplicate_later() -> None:
    """`callback-duplicate:SECONDS` lets the second come so much later."""
    async with receiving(faults=[Fault("callback-duplicate", seconds=0.2)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
    assert note.attempts[1].at - note.attempts[0].at >= 0.15


async def test_delay() -> None:
    """`callback-delay` sends what was signed SECONDS ago."""
    async with receiving(faults=[Fault("callback-delay", seconds=0.3)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await sandbox.settled()
    (seen,) = receiver.seen
    assert genuine(seen, sandbox)
    assert time.time() * 1000 - int(seen.headers["timestamp"]) >= 250


async def test_reorder() -> None:
    """`callback-reorder` lets the next notification overtake this one."""
    async with receiving(faults=[Fault("callback-reorder", seconds=30, times=1)]) as (sandbox, receiver):
        number = await order(sandbox, receiver.origin)
        sandbox.review(number)
        await asyncio.sleep(0.05)
        sandbox.complete(number)
        notes = await sandbox.settled()
    assert [status(seen) for seen in receiver.seen] == [1, 2]
    assert all(genuine(seen, sandbox) for seen in receiver.seen)
    assert [note.acknowledged for note in notes] == [True, True]


async def test_reorder_without_a_next_one() -> None:
    """`callback-reorder` sends after SECONDS if no other notification comes, its own duplicate being none."""
    async with receiving(faults=[Fault("callback-reorder", seconds=0.2, times=1)]) as (sandbox, receiver):
        begun = time.monotonic()
        sandbox.complete(await order(sandbox, receiver.origin))
        sandbox.resend(sandbox.notifications[0].notification_id)
        await sandbox.settled()
        assert time.monotonic() - begun >= 0.2
        assert len(receiver.seen) == 2


async def test_corrupt() -> None:
    """`callback-corrupt` says another status under the old signature, and the genuine one follows in any case."""
    async with receiving(faults=[Fault("callback-corrupt", times=1)]) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
    forged, real = receiver.seen
    assert (status(forged), genuine(forged, sandbox)) == (3, False)
    assert (status(real), genuine(real, sandbox)) == (1, True)
    assert [(attempt.fault, attempt.acknowledged) for attempt in note.attempts] == [
        ("callback-corrupt", True),
        ("", True),
    ]


async def test_a_corrupted_one_does_not_count() -> None:
    """A receiver that took nothing but a corrupted notification has not acknowledged it."""
    async with receiving(faults=[Fault("callback-corrupt")], retry_after=()) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
        assert not note.acknowledged


async def test_faults_of_calls_and_of_callbacks_are_apart() -> None:
    """A fault for notifications spares the calls, and one for calls spares the notifications."""
    faults = [Fault("callback-corrupt", times=1), Fault("delay", seconds=0.2, times=1)]
    async with receiving(faults=faults) as (sandbox, receiver):
        begun = time.monotonic()
        number = await order(sandbox, receiver.origin)
        assert time.monotonic() - begun >= 0.19
        sandbox.complete(number)
        await sandbox.settled()
        assert [status(seen) for seen in receiver.seen] == [3, 1]


@pytest.mark.parametrize(
    "kind", [None, "callback-duplicate", "callback-corrupt", "callback-delay:0", "callback-reorder:0"]
)
async def test_resend(kind: str | None) -> None:
    """Any notification can be sent once more, well or badly, though it was acknowledged long ago."""
    async with receiving() as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        (note,) = await sandbox.settled()
        sandbox.resend(note.notification_id, Fault.parse(kind) if kind else None)
        (note,) = await sandbox.settled()
    assert len(receiver.seen) == (3 if kind == "callback-duplicate" else 2)
    assert len(note.attempts) == len(receiver.seen)


async def test_resend_where_nothing_is_sent() -> None:
    """What leads to another machine is not sent on demand either."""
    async with receiving() as (sandbox, _):
        sandbox.complete(await order(sandbox, "https://your-domain.com/"))
        (note,) = await sandbox.settled()
        sandbox.resend(note.notification_id, Fault("callback-corrupt"))
        (note,) = await sandbox.settled()
    assert [attempt.fault for attempt in note.attempts] == ["", "callback-corrupt"]


async def test_acknowledged_on_demand() -> None:
    """A notification that waits for its next attempt is done at once when it is acknowledged on demand."""
    async with receiving(refuse_first(1), retry_after=(3600,)) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await receiver.saw(1)
        while not sandbox.notifications[0].attempts:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.005)
        sandbox.resend(sandbox.notifications[0].notification_id)
        async with asyncio.timeout(20):
            (note,) = await sandbox.settled()
        assert len(receiver.seen) == 2
    assert note.acknowledged


async def test_acknowledged_on_demand_meanwhile() -> None:
    """What is acknowledged on demand while it is under way on schedule is not sent again."""
    going = asyncio.Event()

    async def script(number: int, _: Seen) -> bytes:
        if number == 0:
            await going.wait()
            return answer(b"too late", 500)
        return OK

    async with receiving(script) as (sandbox, receiver):
        sandbox.complete(await order(sandbox, receiver.origin))
        await receiver.saw(1)
        sandbox.resend(sandbox.notifications[0].notification_id)
        await receiver.saw(2)
        while not sandbox.notifications[0].acknowledged:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.005)
        going.set()
        (note,) = await sandbox.settled()
    assert [attempt.http_status for attempt in note.attempts] == [200, 500]


async def test_nothing_is_sent_after_the_end() -> None:
    """When the sandbox stops, what waits and what is under way ends at once, without a sound."""
    async with receiving(refuse_first(99), retry_after=(0.05,) * 50) as (sandbox, receiver):
        number = await order(sandbox, receiver.origin)
        sandbox.review(number)
        await receiver.saw(2)
        sandbox.complete(number)
        await sandbox.stop()
        seen = len(receiver.seen)
        await asyncio.sleep(0.2)
        assert len(receiver.seen) == seen


async def test_what_comes_too_late(sandbox: Sandbox) -> None:
    """What another thread still wants to send while the sandbox stops is let go without a sound."""
    sender = sandbox._sender
    assert sender is not None
    await sandbox.stop()
    done = sender.resend((), None)
    await asyncio.sleep(0.05)
    assert not done.done()


async def test_the_rest_is_sent_after_a_restart(tmp_path: Path) -> None:
    """With a state file, what was not acknowledged goes on where it was, under the same key; without, it is gone."""
    state = tmp_path / "state.db"
    async with ScriptedServer(refuse_first(1)) as receiver:
        async with Sandbox(state=state, retry_after=(0.2,)) as sandbox:
            key = sandbox.public_key
            sandbox.complete(await order(sandbox, f"{receiver.origin}/hook"))
            await receiver.saw(1)
            while not sandbox.notifications[0].step:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.005)
        async with Sandbox(state=state, retry_after=(0.2,)) as sandbox:
            assert sandbox.public_key == key
            (note,) = await sandbox.settled()
            assert len(receiver.seen) == 2
            assert genuine(receiver.seen[1], sandbox)
    assert note.acknowledged
    assert [attempt.http_status for attempt in note.attempts] == [503, 200]


async def test_many() -> None:
    """Hundreds of notifications at once all arrive, none is timed while it waits for its turn."""

    async def slowly(_number: int, _seen: Seen) -> bytes:
        await asyncio.sleep(0.02)
        return OK

    async with receiving(slowly, callback_timeout=2.0, retry_after=()) as (sandbox, receiver):
        numbers = [await order(sandbox, receiver.origin) for _ in range(5)]
        numbers += await asyncio.gather(*(order(sandbox, receiver.origin) for _ in range(300)))
        for number in numbers:
            sandbox.complete(number)
        notes = await sandbox.settled()
    assert len(receiver.seen) == len(notes) == 305
    assert all(note.acknowledged for note in notes)


async def test_what_is_shown_of_a_notification() -> None:
    """A notification that is printed shows neither URL nor body nor the receiver's words."""
    note = Notification(
        notification_id="N",
        order_no="SBX1",
        order_status=1,
        url="http://h/secret-path",
        body='{"name":"张三"}',
        created_at=0.0,
        due_at=None,
    )
    assert "SBX1" in repr(note)
    assert "secret-path" not in repr(note)
    assert "张三" not in repr(note)


def delivery(**changes: Any) -> DeliveryPolicy:
    """Return good settings but for the changes."""
    known: dict[str, Any] = {"app_id": "A", "retry_after": (0.5,), "timeout": 5.0, "hosts": frozenset()}
    return DeliveryPolicy(**{**known, **changes})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"app_id": ""}, "app_id"),
        ({"app_id": "a\nb"}, "app_id"),
        ({"app_id": "应用"}, "app_id"),
        ({"retry_after": (1.0, -1.0)}, "retry_after"),
        ({"retry_after": (math.nan,)}, "retry_after"),
        ({"retry_after": (math.inf,)}, "retry_after"),
        ({"timeout": 0}, "callback_timeout"),
        ({"timeout": math.nan}, "callback_timeout"),
        ({"timeout": math.inf}, "callback_timeout"),
    ],
)
def test_poor_settings(changes: dict[str, Any], problem: str) -> None:
    """A setting that could not work is refused by its name."""
    with pytest.raises(ValueError, match=problem):
        delivery(**changes)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "http://localhost/", "https://[::1]/a"])
def test_this_machine_is_notified(url: str) -> None:
    """Whatever listens on this machine can be notified."""
    assert delivery().target(url) == URL(url)


@pytest.mark.parametrize("url", ["https://your-domain.com/api/corp/auth/callback", "http://10.0.0.1/", "http://h/"])
def test_another_machine_is_not(url: str) -> None:
    """Another machine, which may be in use, is not told what never happened, unless it was named."""
    host = URL(url).raw_host
    assert (
        delivery().target(url) == f"{host} is not this machine: name it in callback_hosts, if a sandbox may notify it"
    )
    assert delivery(hosts=frozenset({host})).target(url) == URL(url)


@pytest.mark.parametrize("url", ["", "nothing", "ftp://127.0.0.1/", "javascript:alert(1)"])
def test_no_url(url: str) -> None:
    """What is no URL of the web is called so."""
    assert delivery().target(url) == "not an http or https URL"


def test_letter() -> None:
    """A letter carries the four headers, signed over the path as the receiver sees it, without the query."""
    body = '{"orderNo":"SBX1","orderStatus":1,"companyName":"某"}'
    url = URL("http://127.0.0.1:1/hooks/公司?a=1")
    signer = CanonicalRsa2Signer("APP", process_key())
    letter = sign_notification(body, url, "APP", signer, nonce="n", timestamp="1775010802000")
    assert letter.body == body.encode()
    assert {name: letter.headers[name] for name in ("appId", "nonce", "timestamp")} == {
        "appId": "APP",
        "nonce": "n",
        "timestamp": "1775010802000",
    }
    path = "/hooks/%E5%85%AC%E5%8F%B8"
    message = string_to_sign("APP", letter.body, nonce="n", timestamp="1775010802000", uri=path)
    assert verify(message.encode(), letter.headers["sign"], public_text(process_key()))


@pytest.mark.parametrize(("status", "other"), [(1, 3), (2, 1), (3, 1), (4, 1)])
def test_corrupted(status: int, other: int) -> None:
    """A corrupted letter says another status under the old signature."""
    signer = CanonicalRsa2Signer("APP", process_key())
    letter = sign_notification(f'{{"orderStatus":{status}}}', URL("http://h/"), "APP", signer, nonce="n", timestamp="1")
    assert orjson.loads(corrupted(letter).body) == {"orderStatus": other}
    assert corrupted(letter).headers == letter.headers


@pytest.mark.parametrize(
    ("outcome", "acknowledged"),
    [
        (DeliveryResult(200, b"success"), True),
        (DeliveryResult(201, b"success"), False),
        (DeliveryResult(200, b"success\n"), False),
        (DeliveryResult(200, b'"success"'), False),
        (DeliveryResult(200, b"SUCCESS"), False),
        (DeliveryResult(200, b""), False),
        (DeliveryResult(200, b"success", "broken off"), False),
        (DeliveryResult(), False),
    ],
)
def test_acknowledged(outcome: DeliveryResult, acknowledged: bool) -> None:  # noqa: FBT001
    """HTTP 200 with the bare body ``success`` acknowledges, and nothing else."""
    assert outcome.acknowledged is acknowledged
