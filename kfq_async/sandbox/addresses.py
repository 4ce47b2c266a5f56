"""URLs and hosts that come from outside: callback addresses, ``Host`` headers, hosts in settings. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["host_names", "host_of", "web_address"]

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
"""A host that is safe in a header: a name, or an IPv6 address."""
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
"""A host with or without a port, as in a ``Host`` header; nothing else that a URL can have before its path."""


def web_address(text: object) -> URL | None:
    """Return an http or https URL to which a browser or a client can be sent, or ``None`` for anything else."""
    try:
        url = URL(text) if isinstance(text, str) else URL()
    except ValueError:
        return None
    usable = url.scheme in {"http", "https"} and _HOST.fullmatch(url.raw_host or "")
    return url if usable else None


def host_of(authority: str) -> str:
    """Return the host of a ``Host`` header in lower case, or an empty text if the header is malformed."""
    url = web_address(f"http://{authority}") if _AUTHORITY.fullmatch(authority) else None
    return (url.raw_host or "") if url else ""


def host_names(hosts: Iterable[str], argument: str) -> frozenset[str]:
    """Return hosts in lower case.

    Raises `TypeError` for a single str, and `ValueError` for anything but a name or an address; both name the argument.
    """
    if isinstance(hosts, str):
        raise TypeError(f"{argument} must be a list of hosts, not one str: write [host]")
    names = set()
    for host in hosts:
        name = host_of(f"[{host}]" if ":" in host else host)
        if not name:
            raise ValueError(f"{argument} must hold host names or addresses, without scheme and port, not {host!r}")
        names.add(name)
    return frozenset(names)
