"""GET requests that are diagnosed: through the transport of a session, without its credentials and retries."""

from __future__ import annotations

import math
import time
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import TYPE_CHECKING

from attrs import field, frozen
from multidict import CIMultiDict
from yarl import URL

from kfq_async._version import __version__
from kfq_async.config import Timeouts
from kfq_async.errors import KfqError
from kfq_async.models.fields import repr_masked
from kfq_async.protocol.requests import HttpRequest
from kfq_async.transport.attempt import Attempt
from kfq_async.transport.client import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async.protocol.responses import HttpResponse
    from kfq_async.transport.proxy import Proxy

__all__ = ["Network", "Probe"]


@frozen(kw_only=True)
class Network:
    """How the probes reach the network.

    Attributes:
        ssl: TLS context.
        timeouts: Limits of each probe; each is a single attempt.
        proxy: URL of a proxy; ``None``: that of the environment, if ``trust_env``.
        trust_env: Whether a proxy of the environment is used.
    """

    ssl: SSLContext
    timeouts: Timeouts
    proxy: str | None = field(repr=repr_masked)
    trust_env: bool


class Probe:
    """Sends GET requests to one origin."""

    def __init__(self, client: Client, timeouts: Timeouts) -> None:
        self._client = client
        self._timeouts = timeouts

    @classmethod
    @asynccontextmanager
    async def open(cls, url: URL, network: Network, proxy: Proxy | None) -> AsyncIterator[Probe]:
        """Yield a probe of the origin of a URL."""
        client = Client(
            concurrency=1,
            connector=None,
            host=url.host or "",
            proxy=proxy,
            ssl=network.ssl,
            rate_limit=None,
            lane=None,
            platform=str(url.origin()),
            clock=time.time,
            headers={"Host": url.host_port_subcomponent or "", "User-Agent": f"kfq-async/{__version__}"},
        )
        try:
            yield cls(client, network.timeouts)
        finally:
            await client.aclose()

    async def get(self, url: URL) -> HttpResponse | KfqError:
        """Return the response, whatever its status, or the error of the transport."""
        attempt = Attempt(self._timeouts, total_at=math.inf)
        request = HttpRequest(url, CIMultiDict(), None)
        return await self._client.send_once(self._client.open(), "GET", request, attempt, self._timeouts)
