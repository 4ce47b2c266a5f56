"""The compared clients: each requests the same link from the same server, as an experienced developer writes it."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import orjson
from multidict import CIMultiDict, istr
from yarl import URL

import kfq_async as kfq

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TOKEN = "PV9LQWZA"  # noqa: S105  # the sample of the platform's documentation
PATH = "/kaifangqian/openAPI/V2/auth/corp/ident/link"
SUCCESS = 10000


@dataclass(frozen=True)
class Target:
    """Address of the server and settings of a client."""

    base_url: str
    limit: int
    """Connections, and the concurrency of a session."""
    ca_file: str | None = None
    """File of the authority that signed the server's certificate; ``None`` without TLS."""

    @property
    def ca(self) -> ssl.SSLContext | None:
        """TLS context that trusts that authority alone."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None


@dataclass(frozen=True)
class Link:
    """Result of the clients written by hand."""

    order_no: str
    auth_url: str


class Refused(Exception):
    """The platform refused the request."""


RequestLink = Callable[[], Awaitable[object]]
Drive = Callable[[int, int], Awaitable[None]]
"""Requests so many links, so many at a time."""
Contestant = Callable[[Target], AbstractAsyncContextManager[Drive]]


def driven(request_link: RequestLink) -> Drive:
    """Return a function that keeps so many calls in flight; all at once is one ``gather`` over the calls."""

    async def drive(links: int, concurrency: int) -> None:
        if concurrency >= links:
            await asyncio.gather(*(request_link() for _ in range(links)))
            return
        left = iter(range(links))

        async def worker() -> None:
            for _ in left:
                await request_link()

        await asyncio.gather(*(worker() for _ in range(concurrency)))

    return drive


def request_fields() -> dict[str, Any]:
    """Return the body of the request that the guide to single operations shows."""
    return {
        "accountName": "13800138000",
        "corpIdentInfo": {"companyName": "某某科技有限公司", "creditCode": "91110000MA01234567"},
        "callbackPage": "https://your-domain.com/corp/callback",
        "clientRequestId": str(uuid4()),
    }


def request_headers() -> dict[str, str]:
    """Return fresh headers as the platform requires them."""
    return {
        "appAuthToken": TOKEN,
        "nonce": str(uuid4()),
        "timestamp": str(int(time.time() * 1000)),
        "sign": "",
        "uniqueCode": str(uuid4()),
    }


def link_of(response: Any) -> Link:
    """Return the link, or raise if the platform refused."""
    if response["code"] != SUCCESS:
        raise Refused(response["message"])
    return Link(response["result"]["orderNo"], response["result"]["authUrl"])


def _by_hand(target: Target) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=target.limit, ssl=target.ca or True)
    return aiohttp.ClientSession(connector=connector)


@asynccontextmanager
async def by_hand_json(target: Target) -> AsyncIterator[Drive]:
    """By hand: aiohttp and the standard `json`, as in aiohttp's documentation."""
    url = target.base_url + PATH
    async with _by_hand(target) as http:

        async def request_link() -> Link:
            async with http.post(url, json=request_fields(), headers=request_headers()) as response:
                response.raise_for_status()
                return link_of(await response.json())

        yield driven(request_link)


@asynccontextmanager
async def by_hand_orjson(target: Target) -> AsyncIterator[Drive]:
    """By hand: aiohttp and orjson."""
    url = target.base_url + PATH
    async with _by_hand(target) as http:

        async def request_link() -> Link:
            headers = request_headers() | {"Content-Type": "application/json"}
            async with http.post(url, data=orjson.dumps(request_fields()), headers=headers) as response:
                response.raise_for_status()
                return link_of(orjson.loads(await response.read()))

        yield driven(request_link)


@asynccontextmanager
async def by_hand_tuned(target: Target) -> AsyncIterator[Drive]:
    """By hand: aiohttp and orjson with static headers once, ``istr``, cheap ids and no ``async with``."""
    url = URL(target.base_url + PATH)
    token, nonce, timestamp, sign, code = map(istr, request_headers())
    async with _by_hand(target) as http:
        http.headers.update({"Content-Type": "application/json", "Accept": "application/json"})

        async def request_link() -> Link:
            fields = request_fields_cheaply()
            headers = CIMultiDict(
                {
                    token: TOKEN,
                    nonce: os.urandom(16).hex(),
                    timestamp: str(int(time.time() * 1000)),
                    sign: "",
                    code: os.urandom(16).hex(),
                }
            )
            response = await http.post(url, data=orjson.dumps(fields), headers=headers)
            try:
                body = await response.read()
            except BaseException:
                response.close()
                raise
            return link_of(orjson.loads(body))

        yield driven(request_link)


def request_fields_cheaply() -> dict[str, Any]:
    """Return the same body with a cheaper id."""
    return {
        "accountName": "13800138000",
        "corpIdentInfo": {"companyName": "某某科技有限公司", "creditCode": "91110000MA01234567"},
        "callbackPage": "https://your-domain.com/corp/callback",
        "clientRequestId": os.urandom(16).hex(),
    }


@asynccontextmanager
async def sdk(target: Target, *, signed: bool = False) -> AsyncIterator[Drive]:
    """This package with its default settings, building and validating the request object each time."""
    signer = kfq.Rsa2Signer(private_key()) if signed else None
    async with kfq.AsyncSession(
        TOKEN, base_url=target.base_url, concurrency=target.limit, ssl=target.ca, signer=signer
    ) as session:

        async def request_link() -> kfq.CorpIdentLink:
            return await session.auth.corp_ident_link(
                kfq.CorpIdentLinkRequest(
                    account_name="13800138000",
                    corp_ident_info=kfq.CorpIdentInfo(
                        company_name="某某科技有限公司", credit_code="91110000MA01234567"
                    ),
                    callback_page="https://your-domain.com/corp/callback",
                )
            )

        yield driven(request_link)


def private_key() -> RSAPrivateKey:
    """Return a new RSA-2048 key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key  # noqa: PLC0415  # optional

    return generate_private_key(public_exponent=65537, key_size=2048)


@asynccontextmanager
async def httpx_client(target: Target) -> AsyncIterator[Drive]:
    """By hand: httpx."""
    import httpx  # noqa: PLC0415  # its import time must not count for the others

    url = target.base_url + PATH
    limits = httpx.Limits(max_connections=target.limit, max_keepalive_connections=target.limit)
    async with httpx.AsyncClient(limits=limits, timeout=30, verify=target.ca or True, trust_env=False) as http:

        async def request_link() -> Link:
            response = await http.post(url, json=request_fields(), headers=request_headers())
            response.raise_for_status()
            return link_of(response.json())

        yield driven(request_link)


@asynccontextmanager
async def requests_threads(target: Target) -> AsyncIterator[Drive]:
    """By hand: requests, with one thread and one session per call in flight."""
    import requests  # noqa: PLC0415  # its import time must not count for the others

    url = target.base_url + PATH
    sessions = [requests.Session() for _ in range(target.limit)]
    for session in sessions:
        session.verify = target.ca_file or True
        session.trust_env = False

    def work(session: requests.Session, left: Iterator[int], lock: threading.Lock) -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            response = session.post(url, json=request_fields(), headers=request_headers(), timeout=30)
            response.raise_for_status()
            link_of(response.json())

    async def drive(links: int, concurrency: int) -> None:
        left, lock = iter(range(links)), threading.Lock()
        threads = [threading.Thread(target=work, args=(session, left, lock)) for session in sessions[:concurrency]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    yield drive
    for session in sessions:
        session.close()


CONTESTANTS: dict[str, Contestant] = {
    "by hand, json": by_hand_json,
    "by hand, orjson": by_hand_orjson,
    "by hand, orjson, tuned": by_hand_tuned,
    "kfq_async": sdk,
    "kfq_async, signed": partial(sdk, signed=True),
    "httpx": httpx_client,
    "requests in threads": requests_threads,
}
