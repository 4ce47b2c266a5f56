"""A signing page without a server of the sandbox around it: a platform, and an HTTP client on the page's routes."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from attrs import evolve, frozen

from kfq_async.sandbox.contract_repository import dump_state, state_of
from kfq_async.sandbox.web.signing_page import SigningPage
from pages import ParsedPage
from self_hosted import PERSON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from contract_platform import ContractPlatform
    from kfq_async.sandbox import Contract
    from kfq_async.sandbox.collisions import Collisions
    from kfq_async.sandbox.lifecycle import Change, ContractState

    Client = TestClient[web.Request, web.Application]

CALLBACK = "http://127.0.0.1:8000/signed?row=1"


@frozen
class HttpPage:
    """A response of the signing page.

    Attributes:
        status: HTTP status.
        path: Path and query of the last request.
        headers: Headers.
        html: Body.
        location: Target of a redirect, or ``None``.
    """

    status: int
    path: str
    headers: dict[str, str]
    html: str
    location: str | None

    @property
    def text(self) -> str:
        """Text that the page shows, in one line."""
        return " ".join(part.strip() for part in ParsedPage(self.html).text)

    @property
    def hidden(self) -> dict[str, str]:
        """Hidden fields of the form."""
        fields = ParsedPage(self.html).fields
        return {name: field.get("value") or "" for name, field in fields.items() if field.get("type") == "hidden"}

    @property
    def buttons(self) -> list[str | None]:
        """Values of the buttons."""
        return ParsedPage(self.html).buttons

    @property
    def other_language(self) -> str:
        """URL of the page in the other language."""
        (found,) = re.findall('<a href="([^"]+)" hreflang=', self.html)
        return unescape(found)

    @property
    def frames(self) -> list[tuple[float, ...]]:
        """Left, top, width and height of each frame of a mark."""
        number = r'"(-?[\d.]+)"'
        found = re.findall(f"<rect x={number} y={number} width={number} height={number}", self.html)
        return [tuple(map(float, each)) for each in found]

    @property
    def pictures(self) -> list[str]:
        """URLs of the pictures."""
        return [unescape(each) for each in re.findall('<img src="([^"]+)"', self.html)]


class SigningClient:
    """Opens and posts pages.

    Attributes:
        platform: The platform.
        http: HTTP client.
    """

    def __init__(self, platform: ContractPlatform, http: Client) -> None:
        self.platform = platform
        self.http = http

    def link(self, operation: str, **fields: Any) -> str:
        """Return the link that ``contract/pageUrl`` or ``contract/taskUrl`` returns."""
        result = self.platform.ask(f"/contract/{operation}", **fields).result
        assert isinstance(result, dict)
        return str(result["pageUrl"])

    def short_link(self, contract_id: str, contact: str = PERSON, **fields: Any) -> str:
        """Return the path of a short link, without login unless changed."""
        asked = {"contractId": contract_id, "contact": contact, "noLogin": "true"} | fields
        url = urlsplit(self.link("pageUrl", **asked))
        return f"{url.path}?{url.query}"

    def task_link(self, contract_id: str, task_id: str | None = None, callback: str | None = CALLBACK) -> str:
        """Return the path to which the start page leads from the link of a task, by default the first open one."""
        task_id = task_id or self.platform.tasks(contract_id)[1][0]["taskId"]
        url = self.link("taskUrl", contractId=contract_id, taskId=task_id, callbackPage=callback)
        return f"/sandbox/sign/login?{urlsplit(url).fragment.partition('?')[2]}"

    async def get(self, path: str) -> HttpPage:
        """Open a page, and follow its redirects."""
        async with self.http.get(path) as response:
            return HttpPage(
                response.status, str(response.url.relative()), dict(response.headers), await response.text(), None
            )

    async def post(self, path: str, fields: dict[str, str]) -> HttpPage:
        """Post a form; a redirect is not followed."""
        async with self.http.post(path, data=fields, allow_redirects=False) as response:
            return HttpPage(
                response.status, path, dict(response.headers), await response.text(), response.headers.get("Location")
            )

    async def open(self, contract_id: str, contact: str = PERSON, **fields: Any) -> HttpPage:
        """Open the page of a contact by a link without login."""
        return await self.get(self.short_link(contract_id, contact, **fields))

    async def open_task(
        self, contract_id: str, task_id: str | None = None, callback: str | None = CALLBACK
    ) -> HttpPage:
        """Open the page of a task by its link, and continue without login."""
        login = await self.get(self.task_link(contract_id, task_id, callback))
        continued = await self.post("/sandbox/sign/login", login.hidden)
        assert continued.location is not None
        return await self.get(continued.location)

    async def press(self, page: HttpPage, action: str = "complete", /, **fields: str) -> HttpPage:
        """Press a button of a page whose form is filled in with these fields."""
        kept = dict(parse_qsl(urlsplit(page.path).query)) | page.hidden
        return await self.post("/sandbox/sign", {**kept, "action": action, "agree": "1", **fields})

    def contract(self, contract_id: str) -> Contract:
        """Return a contract."""
        (contract,) = self.platform.store.contracts.all("contract_id = ?", contract_id)
        return contract

    def apply(self, contract_id: str, transition: Callable[[ContractState], Change]) -> None:
        """Apply a transition, as another page would."""
        self.platform.repository.apply(self.contract(contract_id), transition)

    def change(self, contract_id: str, change: Callable[[ContractState], ContractState]) -> None:
        """Change the state of a contract behind the platform's back."""
        before = self.contract(contract_id)
        state = change(state_of(before))
        after = evolve(before, status=state.status, state=dump_state(state))
        assert self.platform.store.contracts.compare_and_swap(before, after)


@asynccontextmanager
async def serve_signing_page(
    platform: ContractPlatform, collisions: Collisions | None = None
) -> AsyncIterator[SigningClient]:
    """Serve the signing page of a platform."""
    page = SigningPage(
        platform.store,
        platform.repository,
        platform.contract_files,
        platform.stamper,
        lambda: platform.now_ms / 1000,
        collisions=collisions,
    )
    app = web.Application()
    app.add_routes(page.routes())
    async with TestClient(TestServer(app)) as http:
        yield SigningClient(platform, http)


def changed_query(path: str, **changes: str) -> str:
    """Return a path with other values in its query."""
    url = urlsplit(path)
    fields = dict(parse_qsl(url.query, keep_blank_values=True)) | changes
    return f"{url.path}?{'&'.join(f'{name}={value}' for name, value in fields.items())}"
