"""Forward proxies, and TLS with a private certificate authority."""

from __future__ import annotations

import pytest
import trustme

from kfq_async import AsyncSession, CertificateError, CorpIdentLinkRequest, Phase
from proxies import ForwardProxy, client_context, server_context
from servers import ReceivedRequest, ScriptedServer, success


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


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
            await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
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
            await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
        assert server.requests == []
    assert (caught.value.attempts, caught.value.phase) == (1, Phase.NOT_SENT)


async def test_an_unknown_authority_is_refused_by_default(authority: trustme.CA) -> None:
    """Without ``ssl`` the system's authorities apply, which do not include a private one."""
    async with (
        ScriptedServer(succeed, ssl=server_context(authority, "127.0.0.1")) as server,
        AsyncSession("T", base_url=server.base_url) as session,
    ):
        with pytest.raises(CertificateError, match=r"127\.0\.0\.1 .*certificate verify failed|unable to get"):
            await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
        assert server.requests == []
