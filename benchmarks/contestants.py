"""What is compared: ways to get the same link from the same server, each as a good developer would write it."""

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
    """Where the server is, and what a client needs to reach it."""

    base_url: str
    limit: int
    """Connections, and slots of a session."""
    ca_file: str | None = None
    """The authority that signed the server's certificate, for TLS."""

    @property
    def ca(self) -> ssl.SSLContext | None:
        """What trusts that authority and nobody else."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None


@dataclass(frozen=True)
class Link:
    """What comes back, for those who write by hand."""

    order_no: str
    auth_url: str


class Refused(Exception):
    """The platform said no."""


Ask = Callable[[], Awaitable[object]]
Drive = Callable[[int, int], Awaitable[None]]
"""Gets so many links, so many at a time."""
Contestant = Callable[[Target], AbstractAsyncContextManager[Drive]]


def driven(ask: Ask) -> Drive:
    """Keep so many calls under way until all are done; all at once is one ``gather`` over the calls."""

    async def drive(links: int, in_flight: int) -> None:
        if in_flight >= links:
            await asyncio.gather(*(ask() for _ in range(links)))
            return
        left = iter(range(links))

        async def worker() -> None:
            for _ in left:
                await ask()

        await asyncio.gather(*(worker() for _ in range(in_flight)))

    return drive


def request_fields() -> dict[str, Any]:
    """Return the README's request as a developer would write it into the body."""
    return {
        "accountName": "13800138000",
        "corpIdentInfo": {"companyName": "某某科技有限公司", "creditCode": "91110000MA01234567"},
        "callbackPage": "https://your-domain.com/corp/callback",
        "clientRequestId": str(uuid4()),
    }


def request_headers() -> dict[str, str]:
    """Return the headers that the platform asks for, made for each request."""
    return {
        "appAuthToken": TOKEN,
        "nonce": str(uuid4()),
        "timestamp": str(int(time.time() * 1000)),
        "sign": "",
        "uniqueCode": str(uuid4()),
    }


def link_of(answer: Any) -> Link:
    """Return the link, or raise if the platform refused."""
    if answer["code"] != SUCCESS:
        raise Refused(answer["message"])
    return Link(answer["result"]["orderNo"], answer["result"]["authUrl"])


def _by_hand(target: Target) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=target.limit, ssl=target.ca or True)
    return aiohttp.ClientSession(connector=connector)


@asynccontextmanager
async def by_hand_json(target: Target) -> AsyncIterator[Drive]:
    """The standard `json` over aiohttp, as its documentation shows it."""
    url = target.base_url + PATH
    async with _by_hand(target) as http:

        async def ask() -> Link:
            async with http.post(url, json=request_fields(), headers=request_headers()) as response:
                response.raise_for_status()
                return link_of(await response.json())

        yield driven(ask)


@asynccontextmanager
async def by_hand_orjson(target: Target) -> AsyncIterator[Drive]:
    """The same with orjson both ways."""
    url = target.base_url + PATH
    async with _by_hand(target) as http:

        async def ask() -> Link:
            headers = request_headers() | {"Content-Type": "application/json"}
            async with http.post(url, data=orjson.dumps(request_fields()), headers=headers) as response:
                response.raise_for_status()
                return link_of(orjson.loads(await response.read()))

        yield driven(ask)


@asynccontextmanager
async def by_hand_tuned(target: Target) -> AsyncIterator[Drive]:
    """orjson, and what else is known to help: static headers once, ``istr``, cheap ids, no ``async with``."""
    url = URL(target.base_url + PATH)
    token, nonce, timestamp, sign, code = map(istr, request_headers())
    async with _by_hand(target) as http:
        http.headers.update({"Content-Type": "application/json", "Accept": "application/json"})

        async def ask() -> Link:
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

        yield driven(ask)


def request_fields_cheaply() -> dict[str, Any]:
    """Return the same fields with an id that costs less."""
    return {
        "accountName": "13800138000",
        "corpIdentInfo": {"companyName": "某某科技有限公司", "creditCode": "91110000MA01234567"},
        "callbackPage": "https://your-domain.com/corp/callback",
        "clientRequestId": os.urandom(16).hex(),
    }


@asynccontextmanager
async def sdk(target: Target, *, signed: bool = False) -> AsyncIterator[Drive]:
    """This package with its default settings, the request object made and checked each time."""
    signer = kfq.Rsa2Signer(private_key()) if signed else None
    async with kfq.AsyncSession(
        TOKEN, base_url=target.base_url, concurrency=target.limit, ssl=target.ca, signer=signer
    ) as session:

        async def ask() -> kfq.CorpIdentLink:
            return await session.auth.corp_ident_link(
                kfq.CorpIdentLinkRequest(
                    account_name="13800138000",
                    corp_ident_info=kfq.CorpIdentInfo(
                        company_name="某某科技有限公司", credit_code="91110000MA01234567"
                    ),
                    callback_page="https://your-domain.com/corp/callback",
                )
            )

        yield driven(ask)


def private_key() -> RSAPrivateKey:
    """Make a key of the usual size."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key  # noqa: PLC0415  # not for all

    return generate_private_key(public_exponent=65537, key_size=2048)


@asynccontextmanager
async def httpx_client(target: Target) -> AsyncIterator[Drive]:
    """The same by hand over httpx."""
    import httpx  # noqa: PLC0415  # its import is no part of the others

    url = target.base_url + PATH
    limits = httpx.Limits(max_connections=target.limit, max_keepalive_connections=target.limit)
    async with httpx.AsyncClient(limits=limits, timeout=30, verify=target.ca or True, trust_env=False) as http:

        async def ask() -> Link:
            response = await http.post(url, json=request_fields(), headers=request_headers())
            response.raise_for_status()
            return link_of(response.json())

        yield driven(ask)


@asynccontextmanager
async def requests_threads(target: Target) -> AsyncIterator[Drive]:
    """The same over requests, with a thread and a session of its own for each call under way."""
    import requests  # noqa: PLC0415  # its import is no part of the others

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

    async def drive(links: int, in_flight: int) -> None:
        left, lock = iter(range(links)), threading.Lock()
        threads = [threading.Thread(target=work, args=(session, left, lock)) for session in sessions[:in_flight]]
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
