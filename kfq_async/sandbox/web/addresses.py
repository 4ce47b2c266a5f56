"""Where the sandbox may send a browser or a notification, and from where its console may be used. Pure."""

from __future__ import annotations

import re

from yarl import URL

from kfq_async.models.hosts import is_loopback

__all__ = ["host_of", "is_loopback", "policy_sources", "web_address"]

_NAME = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
"""A host that may stand in a header: a name, or an IPv6 address."""


def web_address(text: object) -> URL | None:
    """Return an http or https URL that a browser or a client can be sent to, and ``None`` for anything else."""
    try:
        url = URL(text) if isinstance(text, str) else URL()
    except ValueError:
        return None
    usable = url.scheme in {"http", "https"} and _NAME.fullmatch(url.raw_host or "")
    return url if usable else None


def policy_sources(url: URL) -> str:
    """Return what a Content-Security-Policy calls the origins to which a form may lead by way of this URL.

    Chromium holds every redirect after a form against them, those of the page that was meant included. So all of
    this machine is allowed if the URL is on it, as a front end often has another port than its back end.
    """
    host = url.raw_host or ""
    if ":" in host:
        return f"{url.scheme}:"  # the policy has no name for an IPv6 address
    return f"{url.origin()} http://localhost:* http://127.0.0.1:*" if is_loopback(host) else str(url.origin())


def host_of(authority: str) -> str:
    """Return the host of a ``Host`` header, or nothing if it is none."""
    url = web_address(f"http://{authority}")
    return (url.raw_host or "") if url else ""
