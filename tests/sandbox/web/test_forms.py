"""Forms over HTTP: what is read of them, and what is not taken for one."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from kfq_async.sandbox.web.forms import LARGEST_FORM, read_form

FORM = "application/x-www-form-urlencoded"


async def read(body: bytes, kind: str = FORM) -> dict[str, str] | int:
    """Post a body and return what was read of it, or the status."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(await read_form(request)))

    app = web.Application(client_max_size=100 * LARGEST_FORM)
    app.router.add_post("/", handler)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as http,
        http.post(server.make_url("/"), data=io.BytesIO(body), headers={"Content-Type": kind}) as response,
    ):
        if response.status != 200:
            return response.status
        fields: dict[str, str] = orjson.loads(await response.read())
        return fields


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&b=%E7%94%B2+%2B&c=", {"a": "1", "b": "甲 +", "c": ""}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=%ff%ed%a0%80", {"a": "\ufffd" * 4}),
        (b"&&=&a", {"": "", "a": ""}),
    ],
)
async def test_read(body: bytes, fields: dict[str, str]) -> None:
    """Fields come in UTF-8; empty ones are kept, the last of several counts, and what is no text is replaced."""
    assert await read(body) == fields


@pytest.mark.parametrize("body", [b"a=\xff", b"&".join(b"%d=1" % number for number in range(200))])
async def test_no_form_of_ours(body: bytes) -> None:
    """A body that is not UTF-8, or has far more fields than any page here, holds nothing."""
    assert await read(body) == {}


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/json"])
async def test_other_kinds(kind: str) -> None:
    """Another content type is no form."""
    assert await read(b"a=1", kind) == {}


async def test_too_large() -> None:
    """A form beyond 1 MiB is refused before it is read whole, though calls of the interface may be larger."""
    assert await asyncio.wait_for(read(b"a=" + b"x" * (2 * LARGEST_FORM)), 20) == 413
    assert await read(b"a=" + b"x" * 1000) == {"a": "x" * 1000}
