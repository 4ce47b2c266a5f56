"""Name resolution that never leaves this machine."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["LocalhostResolver"]


class LocalhostResolver(AbstractResolver):
    """Resolves every name to 127.0.0.1, for a connector that is used for names below ``localhost`` only.

    They belong to this machine (RFC 6761), but a name server may give them another address.
    """

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:  # noqa: ARG002  # aiohttp's signature
        """Return 127.0.0.1, the only address, whatever ``family`` is."""
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Do nothing."""
