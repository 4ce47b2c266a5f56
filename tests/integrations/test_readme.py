"""The guide to FastAPI and Sanic: its applications receive a notification."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

import kfq_async as kfq
from guide_code import blocks, guide
from senders import make_body
from web_servers import exchange, sanic_name, sanic_serving, uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = guide("integrations")
FASTAPI, SANIC, HANDLER = blocks(GUIDE, "python")[:3]
URLS = kfq.CallbackUrls([bytes(32)], page="http://127.0.0.1/corp/done", notify="http://127.0.0.1/hooks/kfq")
BODY = make_body()


class DurableQueue:
    """The reader's queue, which records what it is given."""

    def __init__(self) -> None:
        self.items: list[tuple[object, ...]] = []

    async def put(self, *item: object) -> None:
        """Record an item."""
        self.items.append(item)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that the code takes for granted; the filters that it adds to loggers are removed afterwards."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", "T")
    loggers = [logging.getLogger(name) for name in ("uvicorn.access", "sanic.access", "sanic.error", "sanic.root")]
    before = [list(logger.filters) for logger in loggers]
    names: dict[str, Any] = {"kfq": kfq, "queue": DurableQueue(), "your_own_or_none": None}
    exec(HANDLER, names)
    names["receiver"] = kfq.NotificationReceiver(names["handler"], urls=URLS)
    yield names
    for logger, filters in zip(loggers, before, strict=True):
        logger.filters[:] = filters


def notify(origin: str) -> tuple[int, bytes]:
    """Post a notification to the URL that a request is bound to."""
    url = URLS.bind(kfq.CorpIdentLinkRequest(client_request_id="row-1")).auth_callback_url
    assert url is not None
    path = url.removeprefix("http://127.0.0.1")
    return exchange(origin, f"POST {path} HTTP/1.1\r\nContent-Length: {len(BODY)}", BODY)


def test_fastapi(names: dict[str, Any]) -> None:
    """The application acknowledges a notification that the queue has stored."""
    exec(FASTAPI, names)
    with uvicorn_serving(names["app"]) as origin:
        assert notify(origin) == (200, b"success")
    [(_, client_request_id, status)] = names["queue"].items
    assert (client_request_id, status) == ("row-1", kfq.IdentityStatus.IDENTIFIED)


def test_sanic(names: dict[str, Any]) -> None:
    """The application acknowledges a notification that the queue has stored."""
    assert 'Sanic("service")' in SANIC
    exec(SANIC.replace('"service"', f'"{sanic_name()}", configure_logging=False'), names)
    with sanic_serving(names["app"]) as origin:
        assert notify(origin) == (200, b"success")
    [(_, client_request_id, status)] = names["queue"].items
    assert (client_request_id, status) == ("row-1", kfq.IdentityStatus.IDENTIFIED)
