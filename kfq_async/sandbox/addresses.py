"""URLs and hosts that come from outside: callback addresses and ``Host`` headers. Pure."""

from __future__ import annotations

import re

from yarl import URL

__all__ = ["host_of", "web_address"]

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
"""A host that is safe in a header: a name, or an IPv6 address."""


def web_address(text: object) -> URL | None:
    """Return an http or https URL to which a browser or a client can be sent, or ``None`` for anything else."""
    try:
        url = URL(text) if isinstance(text, str) else URL()
    except ValueError:
        return None
    usable = url.scheme in {"http", "https"} and _HOST.fullmatch(url.raw_host or "")
    return url if usable else None


def host_of(authority: str) -> str:
    """Return the host of a ``Host`` header, or an empty text if the header is malformed."""
    url = web_address(f"http://{authority}")
    return (url.raw_host or "") if url else ""
