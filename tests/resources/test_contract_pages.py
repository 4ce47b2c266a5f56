"""Links to the pages of contracts: how `session.contracts` asks for them, and the ends that it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import parse_qsl, urlsplit

import pytest

from calls import TOKEN, open_session, respond
from kfq_async.models.zones import CHINA
from kfq_async.protocol.requests import API_PATH
from kfq_async.resources import contracts
from servers import ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async import AsyncSession, PageLink
    from kfq_async.resources.contracts import Contracts

LATER = datetime.now(UTC) + timedelta(hours=2)
PAGES: list[tuple[Callable[[Contracts], Awaitable[PageLink]], str, dict[str, str]]] = [
    (
        lambda contracts: contracts.task_url("C-1", "task-1"),
        "/contract/taskUrl",
        {"contractId": "C-1", "taskId": "task-1"},
    ),
    (
        lambda contracts: contracts.task_url(
            "C-1", "task-1", callback_page="https://your-domain.example/back?a=1&b=二"
        ),
        "/contract/taskUrl",
        {"contractId": "C-1", "taskId": "task-1", "callbackPage": "https://your-domain.example/back?a=1&b=二"},
    ),
    (
        lambda contracts: contracts.page_url("C-1", "13900139000"),
        "/contract/pageUrl",
        {"contractId": "C-1", "contact": "13900139000", "noLogin": "false"},
    ),
    (
        lambda contracts: contracts.page_url(
            "C-1", "a+b@example.com", task_id="task-1", party_name="王五", no_login=True, expires_at=LATER
        ),
        "/contract/pageUrl",
        {
            "contractId": "C-1",
            "contact": "a+b@example.com",
            "taskId": "task-1",
            "partyName": "王五",
            "noLogin": "true",
            "pageUrlExpireTime": f"{LATER.astimezone(CHINA):%Y-%m-%d %H:%M:%S}",
        },
    ),
]


@pytest.mark.parametrize(("call", "path", "fields"), PAGES)
async def test_pages(call: Callable[[Contracts], Awaitable[PageLink]], path: str, fields: dict[str, str]) -> None:
    """A page's link is asked for with a query, retried, and masked."""
    url = "https://sign.example/#/sign?mobile=13900139000&code=ab12CD34"
    responses = respond(None, success({"pageUrl": url, "qrCode": "x"}))
    async with ScriptedServer(responses) as server, open_session(server) as session:
        link = await call(session.contracts)
        *_, seen = server.requests
    assert (link.page_url, link.extra) == (url, {"qrCode": "x"})
    assert repr(link) == "PageLink(page_url='***', extra=<qrCode>)"
    assert repr(link.page_url) == "'***'"
    assert (seen.method, urlsplit(seen.target).path) == ("GET", f"/resrun-paas{API_PATH}{path}")
    query = dict(parse_qsl(urlsplit(seen.target).query, strict_parsing=True))
    assert (query.pop("appAuthToken"), len(query.pop("uniqueCode"))) == (TOKEN, 32)
    assert query == fields


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"expires_at": LATER}, ValueError, "expires_at needs no_login=True"),
        ({"no_login": True, "expires_at": LATER.replace(tzinfo=None)}, ValueError, "expires_at must have a time zone"),
        ({"no_login": True, "expires_at": LATER - timedelta(hours=3)}, ValueError, "expires_at must be in the future"),
        ({"no_login": True, "expires_at": datetime.min.replace(tzinfo=UTC)}, ValueError, "must be in the future"),
        ({"no_login": True, "expires_at": "2999-01-01 00:00:00"}, TypeError, "expires_at must be a datetime, not str"),
        ({"no_login": 1}, TypeError, "no_login must be a bool, not int"),
        ({"party_name": 5}, TypeError, "party_name must be a str, not int"),
    ],
)
async def test_invalid_links(options: dict[str, Any], error: type[Exception], text: str, session: AsyncSession) -> None:
    """An end that the platform would take as expired, or ignore, is refused, and so are wrong types."""
    with pytest.raises(error, match=text):
        await session.contracts.page_url("C-1", "13900139000", **options)


async def test_end_within_this_second(monkeypatch: pytest.MonkeyPatch, session: AsyncSession) -> None:
    """An end is sent in whole seconds, so one that lies in the current second is not in the future."""
    now = datetime(2026, 11, 27, 8, 0, 0, 200_000, tzinfo=UTC)
    monkeypatch.setattr(contracts, "datetime", Mock(now=lambda _: now))
    with pytest.raises(ValueError, match="must be in the future by at least 1 second: it is sent in whole seconds"):
        await session.contracts.page_url("C-1", "a", no_login=True, expires_at=now.replace(microsecond=900_000))
