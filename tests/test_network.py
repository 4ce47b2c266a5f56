"""Through a forward proxy, to a platform whose certificate comes from a private authority."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Self

import pytest
import trustme

from kfq_async import AsyncSession, CertificateError, CorpIdentLinkRequest, Phase
from servers import ScriptedServer, Seen, success


class ForwardProxy:
    """A forward proxy that opens tunnels with CONNECT, and knows nothing of what passes through."""

    def __init__(self) -> None:
        self.tunnels: list[str] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What a session takes as ``proxy``."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        method, target, _ = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode().split(" ")
        assert method == "CONNECT"
        self.tunnels.append(target)
        host, port = target.rsplit(":", 1)
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            writer.close()
            inner_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


def serving(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """What a server of that name presents."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What a client needs that trusts the private authority, and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


async def succeed(_number: int, _seen: Seen) -> bytes:
    """Answer a success."""
    return success()


async def test_through_a_tunnel_to_a_private_authority(authority: trustme.CA) -> None:
    """A proxy opens one tunnel for all calls, and TLS inside it is checked against the given authority."""
    async with (
        ForwardProxy() as proxy,
        ScriptedServer(succeed, ssl=serving(authority, "127.0.0.1")) as server,
        AsyncSession("T", base_url=server.base_url, proxy=proxy.url, ssl=trusting(authority)) as session,
    ):
        for _ in range(3):
            await session.auth.corp_ident_link(CorpIdentLinkRequest())
        assert proxy.tunnels == [server.origin.removeprefix("https://")]
        assert [seen.method for seen in server.seen] == ["POST"] * 3
        assert "Proxy-Authorization" not in server.seen[0].headers


@pytest.mark.parametrize("tunnelled", [True, False])
async def test_a_certificate_for_another_name(authority: trustme.CA, *, tunnelled: bool) -> None:
    """A certificate that is not the host's names the host, is not repeated, and nothing was sent."""
    async with (
        ForwardProxy() as proxy,
        ScriptedServer(succeed, ssl=serving(authority, "elsewhere.example")) as server,
        AsyncSession(
            "T", base_url=server.base_url, proxy=proxy.url if tunnelled else None, ssl=trusting(authority)
        ) as session,
    ):
        with pytest.raises(CertificateError, match=r"TLS handshake with 127\.0\.0\.1:\d+ failed") as caught:
            await session.auth.corp_ident_link(CorpIdentLinkRequest())
        assert server.seen == []
    assert (caught.value.attempts, caught.value.phase) == (1, Phase.NOT_SENT)


async def test_an_unknown_authority_is_refused_by_default(authority: trustme.CA) -> None:
    """Without ``ssl`` the system's authorities decide, and a private one is not among them."""
    async with (
        ScriptedServer(succeed, ssl=serving(authority, "127.0.0.1")) as server,
        AsyncSession("T", base_url=server.base_url) as session,
    ):
        with pytest.raises(CertificateError, match=r"127\.0\.0\.1 .*certificate verify failed|unable to get"):
            await session.auth.corp_ident_link(CorpIdentLinkRequest())
        assert server.seen == []
