"""Access control: the sandbox answers under this machine's names, and not to the pages of other sites.

A page that a developer visits could otherwise have a name of its own resolve to this machine (DNS rebinding), or send
requests from the browser (cross-site request forgery): to create orders, to read them, to have notifications sent to
other local services, and to use up faults that were set for a test.

Another port of this machine is another site. The exceptions are the operator page and the signing page, which a
service links to, and the start page, which the link of a signing task opens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from kfq_async.models.hosts import is_loopback
from kfq_async.sandbox.addresses import host_of
from kfq_async.sandbox.identity import PAGES
from kfq_async.sandbox.links import SHORT_LINK, SIGNING_PAGE
from kfq_async.sandbox.web.frame import headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["AccessPolicy"]

_LINKED = frozenset({"/", SHORT_LINK, SIGNING_PAGE, f"{SIGNING_PAGE}/login"})
"""Paths that links of a service open, besides the pages of orders."""
_ORIGIN = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_OPTION = "如需以其他名称访问沙箱，请在 allowed_hosts 中列出其主机名（命令行：kfq sandbox --allowed-host）"


class AccessPolicy:
    """Refuses requests that a page of another site may have sent.

    ``allowed_hosts`` are the hosts under which the sandbox can be reached besides the loopback ones, in lower case.
    """

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self._allowed_hosts = allowed_hosts

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Respond with HTTP 403 and the reason in place of the handler; the outermost middleware."""
        reason = self.refusal(request)
        if reason is None:
            return await handler(request)
        return web.Response(text=f"沙箱拒绝了该请求：{reason}。\n", status=403, headers=headers())

    def refusal(self, request: web.BaseRequest) -> str | None:
        """Return the reason for refusing a request, or ``None``."""
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not self._is_own_host(hosts[0]):
            return f"Host 不是本机的回环地址或 localhost 名称。{_OPTION}"
        # The target of a request may be a complete URL, whose host then takes precedence over the header.
        if not self._is_own_host(request.host):
            return f"请求目标中的主机不是本机的回环地址或 localhost 名称。{_OPTION}"
        origins = request.headers.getall("Origin", [])
        if not all(self._is_own_origin(origin, hosts[0]) for origin in origins):
            return f"它来自其他站点的页面（Origin）。{_OPTION}"
        sites = request.headers.getall("Sec-Fetch-Site", [])
        if not {"same-origin", "none"}.issuperset(sites) and not _is_followed_link(request):
            return "它来自其他站点的页面（Sec-Fetch-Site）。请在浏览器地址栏中直接打开该地址"
        if origins or sites or _is_linked_page(request):
            return None
        # Browsers leave out both headers for some requests to a host that is neither loopback nor https.
        if not all(self._is_own_origin(url, hosts[0]) for url in request.headers.getall("Referer", [])):
            return f"它来自其他站点的页面（Referer）。{_OPTION}"
        return None

    def _is_own_host(self, authority: str) -> bool:
        host = host_of(authority)  # browsers treat a name with a final dot as another site
        return (is_loopback(host) and not host.endswith(".")) or host in self._allowed_hosts

    def _is_own_origin(self, url: str, authority: str) -> bool:
        """Return whether an origin, or the URL of a page, is that of the sandbox under the name in ``Host``.

        A proxy may have replaced ``Host``, so that an allowed host is accepted here as well.
        """
        origin = _ORIGIN.match(url)
        return origin is not None and (
            origin[1].lower() == authority.lower() or host_of(origin[1]) in self._allowed_hosts
        )


def _is_linked_page(request: web.BaseRequest) -> bool:
    """Return whether a request shows a page that a service links to.

    It changes nothing, and the URL of a page about an order or a contract contains a secret.
    """
    return request.method == "GET" and (request.path.startswith(PAGES) or request.path in _LINKED)


def _is_followed_link(request: web.BaseRequest) -> bool:
    """Return whether a link or a redirect of another site leads a browser's window to a page that services link to."""
    navigation = (request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest"))
    return _is_linked_page(request) and navigation == ("navigate", "document")
