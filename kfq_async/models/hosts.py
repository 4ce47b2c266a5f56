"""Classification of hosts in URLs."""

from __future__ import annotations

import ipaddress

__all__ = ["is_below_localhost", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Return whether a host leads to this machine: ``localhost``, a name below it, or a loopback address."""
    if host.lower() == "localhost" or is_below_localhost(host):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_below_localhost(host: str) -> bool:
    """Return whether a host is a name below ``localhost``, which is this machine (RFC 6761)."""
    return host.lower().removesuffix(".").endswith(".localhost")
