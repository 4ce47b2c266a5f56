"""Reading of posted forms."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from kfq_async.sandbox.web.forms import MAX_FORM, read_form

FORM = "application/x-www-form-urlencoded"


async def post(body: bytes, content_type: str = FORM) -> dict[str, str] | int:
    """Post a body; return the fields that were read, or the HTTP status of an error."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(await read_form(request)))

    app = web.Application(client_max_size=100 * MAX_FORM)
    app.router.add_post("/", handler)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as http,
        http.post(server.make_url("/"), data=io.BytesIO(body), headers={"Content-Type": content_type}) as response,
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
    """Fields are decoded from UTF-8; empty ones are kept, the last of several wins, invalid bytes are replaced."""
    assert await post(body) == fields


@pytest.mark.parametrize("body", [b"a=\xff", b"&".join(b"%d=1" % number for number in range(200))])
async def test_invalid_bodies(body: bytes) -> None:
    """A body that is not UTF-8, or has far more fields than any page, yields no fields."""
    assert await post(body) == {}


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/plain", "application/json"])
async def test_other_content_types(content_type: str) -> None:
    """A body of another content type yields no fields."""
    assert await post(b"a=1", content_type) == {}


async def test_large_form() -> None:
    """A form beyond 1 MiB is refused before it is read completely, although API requests may be larger."""
    assert await asyncio.wait_for(post(b"a=" + b"x" * (2 * MAX_FORM)), 20) == 413
    assert await post(b"a=" + b"x" * 1000) == {"a": "x" * 1000}
