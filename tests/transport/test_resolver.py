"""Names below ``localhost`` are connected to this machine."""

from __future__ import annotations

import socket

import pytest

from calls import REQUEST, TOKEN, respond
from kfq_async import AsyncSession
from kfq_async.transport.resolver import LocalhostResolver
from servers import ScriptedServer, success


async def test_every_name_is_127_0_0_1() -> None:
    """The resolver asks nobody."""
    resolver = LocalhostResolver()
    (address,) = await resolver.resolve("kfq.localhost", 8899, socket.AF_INET6)
    assert (address["host"], address["port"], address["family"]) == ("127.0.0.1", 8899, socket.AF_INET)
    await resolver.close()


@pytest.mark.parametrize("host", ["kfq.localhost", "KFQ.LocalHost", "kfq.localhost."])
async def test_names_below_localhost(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """A session connects to 127.0.0.1 without a name lookup, and past the proxy of the environment."""

    def look_up(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    async with ScriptedServer(respond(success())) as server:
        base_url = server.base_url.replace("127.0.0.1", host)
        async with AsyncSession(TOKEN, base_url=base_url, trust_env=True) as session:
            await session.auth.corp_ident_link(REQUEST)
        assert server.requests[0].headers["Host"].startswith("kfq.localhost:")
