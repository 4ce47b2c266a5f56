"""The HTTP proxy of a session: the argument ``proxy``, or that of the environment."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes
from urllib.request import getproxies, proxy_bypass

from aiohttp import hdrs
from attrs import field, frozen
from yarl import URL

from kfq_async.models.fields import repr_masked
from kfq_async.models.hosts import is_below_localhost
from kfq_async.models.masking import MaskedStr, mask_text
from kfq_async.models.urls import parse_http_url

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Proxy", "find_proxy"]

EXAMPLE = "http://host:3128 (special characters of a password percent-encoded)"


@frozen(kw_only=True)
class Proxy:
    """HTTP proxy.

    Attributes:
        url: URL without credentials, since aiohttp's connections show it in their ``repr`` and in warnings.
        tunnel: Whether the proxy opens a tunnel to the platform (``CONNECT``, for https), or forwards each request.
        authorization: Value of ``Proxy-Authorization``; ``None`` without credentials.
    """

    url: URL
    tunnel: bool
    authorization: str | None = field(repr=repr_masked)

    @property
    def connect_headers(self) -> Mapping[str, str]:
        """Headers for the proxy alone, which the platform must not receive."""
        return {hdrs.PROXY_AUTHORIZATION: self.authorization} if self.authorization and self.tunnel else {}

    @property
    def request_headers(self) -> Mapping[str, str]:
        """Headers of every request: a proxy that forwards it removes them."""
        return {hdrs.PROXY_AUTHORIZATION: self.authorization} if self.authorization and not self.tunnel else {}


def find_proxy(base_url: str, *, proxy: str | None, trust_env: bool) -> Proxy | None:
    """Return the proxy for a platform: the argument, else that of the environment if trusted, else none.

    Raises `TypeError` or `ValueError`, naming the argument or the variable.
    """
    target = URL(base_url)
    if proxy is not None:
        return _parse_proxy("proxy", proxy, target)
    return _find_in_environment(target) if trust_env else None


def _find_in_environment(target: URL) -> Proxy | None:
    """Return the proxy of the environment, or of the operating system, as `urllib.request` finds it.

    ``all_proxy`` is the default for both schemes, as in curl. Names below ``localhost`` never leave this machine.
    """
    host = target.host or ""
    if is_below_localhost(host) or proxy_bypass(host) or proxy_bypass(f"{target.host_subcomponent}:{target.port}"):
        return None
    for scheme in (target.scheme, "all"):
        value = mask_text(getproxies().get(scheme))
        if value:
            return _parse_proxy(f"{scheme}_proxy of the environment", value, target)
    return None


def _parse_proxy(name: str, value: object, target: URL) -> Proxy:
    if isinstance(value, str) and value.lower().startswith("socks"):
        raise ValueError(
            f"{name} must not be a SOCKS proxy, which aiohttp does not support: "
            "pass connector=aiohttp_socks.ProxyConnector.from_url(...) instead"
        )
    url = parse_http_url(name, value, example=EXAMPLE, find_problem=_find_problem)
    user, password = (unquote_to_bytes(part or "") for part in (url.raw_user, url.raw_password))
    authorization = None
    if user or password:
        authorization = MaskedStr(f"Basic {b64encode(user + b':' + password).decode()}")
    return Proxy(url=url.with_user(None), tunnel=target.scheme == "https", authorization=authorization)


def _find_problem(url: URL) -> str | None:
    if url.path != "/":
        return "it has a path"
    if ":" in (url.user or ""):
        return "its user name contains a colon, which Basic authentication does not allow"
    return None
