"""Forward proxies, and TLS with a private certificate authority."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Self

import pytest
import trustme

from kfq_async import AsyncSession, CertificateError, CorpIdentLinkRequest, Phase
from servers import ReceivedRequest, ScriptedServer, success


class ForwardProxy:
    """Forward proxy that opens CONNECT tunnels and forwards their bytes unread."""

    def __init__(self) -> None:
        self.tunnels: list[str] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """URL of the proxy."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            await asyncio.gather(_forward(reader, inner_writer), _forward(inner_reader, writer))
        finally:
            writer.close()
            inner_writer.close()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Return the TLS context of a server of this name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of a client that trusts this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


async def succeed(_number: int, _seen: ReceivedRequest) -> bytes:
    """Return a successful response."""
    return success()


async def test_tls_through_a_tunnel_trusts_the_given_authority(authority: trustme.CA) -> None:
    """A proxy opens one tunnel for all calls, and TLS inside it is verified against the given authority."""
    async with (
        ForwardProxy() as proxy,
        ScriptedServer(succeed, ssl=server_context(authority, "127.0.0.1")) as server,
        AsyncSession("T", base_url=server.base_url, proxy=proxy.url, ssl=client_context(authority)) as session,
    ):
        for _ in range(3):
            await session.auth.corp_ident_link(CorpIdentLinkRequest())
        assert proxy.tunnels == [server.origin.removeprefix("https://")]
        assert [seen.method for seen in server.requests] == ["POST"] * 3
        assert "Proxy-Authorization" not in server.requests[0].headers


@pytest.mark.parametrize("tunnelled", [True, False])
async def test_a_certificate_for_another_host_is_refused(authority: trustme.CA, *, tunnelled: bool) -> None:
    """A certificate of another host raises `CertificateError`, is not retried, and no request was sent."""
    async with (
        ForwardProxy() as proxy,
        ScriptedServer(succeed, ssl=server_context(authority, "elsewhere.example")) as server,
        AsyncSession(
            "T", base_url=server.base_url, proxy=proxy.url if tunnelled else None, ssl=client_context(authority)
        ) as session,
    ):
        with pytest.raises(CertificateError, match=r"TLS handshake with 127\.0\.0\.1:\d+ failed") as caught:
            await session.auth.corp_ident_link(CorpIdentLinkRequest())
        assert server.requests == []
    assert (caught.value.attempts, caught.value.phase) == (1, Phase.NOT_SENT)


async def test_an_unknown_authority_is_refused_by_default(authority: trustme.CA) -> None:
    """Without ``ssl`` the system's authorities apply, which do not include a private one."""
    async with (
        ScriptedServer(succeed, ssl=server_context(authority, "127.0.0.1")) as server,
        AsyncSession("T", base_url=server.base_url) as session,
    ):
        with pytest.raises(CertificateError, match=r"127\.0\.0\.1 .*certificate verify failed|unable to get"):
            await session.auth.corp_ident_link(CorpIdentLinkRequest())
        assert server.requests == []
