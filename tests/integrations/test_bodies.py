"""Bodies of notifications in every form, on every server, over raw connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson
import pytest

import kfq_async as kfq
from integrations.conftest import serving
from integrations.service import BOUND_PATH, SIGNED_PATH, Service, bound_path
from senders import make_body
from web_servers import RawConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integrations.conftest import RunningService

BODY = make_body()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"


def chunks(body: bytes, size: int = 50) -> list[bytes]:
    """Return a body in chunked encoding, one item per chunk, with the last chunk in an item of its own."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]


def wait_for_event(service: Service, event: str) -> None:
    """Wait for an event for at most 20 seconds."""
    for _ in range(400):
        if event in service.events:
            return
        time.sleep(0.05)
    raise AssertionError(service.events)


@pytest.fixture
def connection(running: RunningService) -> Iterator[RawConnection]:
    """Connection to the service on each server."""
    with RawConnection(running.origin) as connection:
        yield connection


def test_acknowledgement(running: RunningService, connection: RawConnection) -> None:
    """An acknowledgement is exactly status 200 and ``success``, and the connection serves further requests."""
    for number in range(3):
        connection.post(bound_path(f"row-{number}"), LENGTH, body=BODY)
        response = connection.response()
        assert (response.status, response.body) == (200, b"success")
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Connection"] in {None, "keep-alive"}
    assert running.service.events == [f"row-{number}:ORDER-1:1" for number in range(3)]


def test_chunked_body(running: RunningService, connection: RawConnection) -> None:
    """A chunked body is handled, also if its end arrives later than its last byte."""
    *parts, end = chunks(BODY)
    connection.post(BOUND_PATH, CHUNKED, body=b"".join(parts))
    time.sleep(0.05)
    connection.send(end)
    assert connection.response().body == b"success"
    connection.post(BOUND_PATH, CHUNKED, body=b"".join([*parts, end]))
    assert connection.response().body == b"success"
    assert running.service.events == ["row-1:ORDER-1:1"]


def test_dribbled_body(running: RunningService, connection: RawConnection) -> None:
    """A body that arrives in pieces is handled as a whole."""
    connection.post(BOUND_PATH, LENGTH)
    for start in range(0, len(BODY), 100):
        time.sleep(0.01)
        connection.send(BODY[start : start + 100])
    assert connection.response().body == b"success"
    assert running.service.events == ["row-1:ORDER-1:1"]


@pytest.mark.parametrize("body", ["", "Content-Length: 0", CHUNKED])
def test_empty_body(running: RunningService, connection: RawConnection, body: str) -> None:
    """An empty body is rejected as malformed, and the connection serves further requests."""
    connection.post(BOUND_PATH, *filter(None, [body]), body=b"0\r\n\r\n" if body == CHUNKED else b"")
    response = connection.response()
    assert (response.status, orjson.loads(response.body)["message"]) == (400, "body_malformed")
    connection.post(BOUND_PATH, LENGTH, body=BODY)
    assert connection.response().status == 200
    assert running.service.events == ["body_malformed", "row-1:ORDER-1:1"]


def test_pipelined_requests(running: RunningService, connection: RawConnection) -> None:
    """Requests sent at once on one connection are answered in order, each with its own body."""
    for number in range(4):
        encoded = number % 2 == 1
        body = make_body(orderNo=f"ORDER-{number}")
        connection.post(
            BOUND_PATH,
            CHUNKED if encoded else f"Content-Length: {len(body)}",
            body=b"".join(chunks(body)) if encoded else body,
        )
    assert [connection.response().body for _ in range(4)] == [b"success"] * 4
    assert running.service.events == [f"row-1:ORDER-{number}:1" for number in range(4)]


@pytest.mark.parametrize("framing", [f"Content-Length: {2 * len(BODY)}", CHUNKED])
def test_sender_hangs_up(running: RunningService, framing: str) -> None:
    """A body whose sender hangs up is reported and not handled, even if what has arrived is a whole notification."""
    with RawConnection(running.origin) as connection:
        connection.post(BOUND_PATH, framing, body=chunks(BODY, len(BODY))[0] if framing == CHUNKED else BODY)
        time.sleep(0.1)
    wait_for_event(running.service, "body_incomplete")
    assert running.service.events == ["body_incomplete"]


def test_sender_hangs_up_before_the_reply(running: RunningService) -> None:
    """A sender that hangs up after the body does not interrupt the handler; the next delivery is acknowledged."""
    body = make_body(orderNo="SLOW")
    with RawConnection(running.origin) as connection:
        connection.post(BOUND_PATH, f"Content-Length: {len(body)}", body=body)
        time.sleep(0.1)
    wait_for_event(running.service, "row-1:SLOW:1")
    with RawConnection(running.origin) as connection:
        connection.post(BOUND_PATH, f"Content-Length: {len(body)}", body=body)
        assert connection.response().body == b"success"
    assert running.service.events.count("row-1:SLOW:1") == 1


@pytest.mark.parametrize("framing", ["Content-Length: 60000", CHUNKED])
@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        (BOUND_PATH[:-1], 401, "unknown_path"),
        ("/hooks/a%20b", 401, "unknown_path"),
        (SIGNED_PATH, 400, "header_missing"),
    ],
)
def test_endless_body_of_a_stranger(running: RunningService, framing: str, path: str, status: int, reason: str) -> None:
    """A request that path or headers give away is rejected before its body, and its connection is closed."""
    with RawConnection(running.origin) as connection:
        connection.post(path, framing)
        response = connection.response()
        assert (response.status, orjson.loads(response.body)["message"]) == (status, reason)
        assert response.headers["Connection"] == "close"
        assert connection.is_closed()
    assert running.service.events == [reason]


@pytest.mark.parametrize("framing", ["Content-Length: 10000", CHUNKED])
def test_endless_body(server: str, framing: str) -> None:
    """A body that never ends is given up after ``body_timeout``, and the connection is closed."""
    service = Service(body_timeout=0.3)
    with serving(server, service, lambda: kfq.AsyncSession("T")) as origin, RawConnection(origin) as connection:
        connection.post(BOUND_PATH, framing, body=b"2000\r\n" if framing == CHUNKED else b"")
        response = connection.drip()
        assert (response.status, orjson.loads(response.body)["message"]) == (503, "body_timeout")
        assert response.headers["Connection"] == "close"
        assert connection.is_closed()
    assert service.events == ["body_timeout"]


def test_malformed_chunks(server: str, running: RunningService, connection: RawConnection) -> None:
    """Malformed chunks are answered 400, reported and not handled, and end the connection.

    aiohttp answers those that arrive with the head by itself.
    """
    connection.post(BOUND_PATH, CHUNKED, body=b"5\r\n[1,2]\r\nzz\r\n\r\n")
    assert connection.response().status == 400
    assert connection.is_closed()
    reported = [] if server == "aiohttp" else ["body_incomplete"]
    for event in reported:
        wait_for_event(running.service, event)
    assert running.service.events == reported
