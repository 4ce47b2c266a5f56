"""Loopback hosts."""

from __future__ import annotations

import pytest

from kfq_async.models.hosts import is_below_localhost, is_loopback


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "app.localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_hosts(host: str) -> None:
    """Names of this machine and every loopback address count."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "notlocalhost"]
)
def test_other_hosts(host: str) -> None:
    """Private addresses, names that merely contain ``localhost``, and an empty host do not."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "below"),
    [
        *(("app.localhost", True), ("A.b.LocalHost", True), ("app.localhost.", True)),
        *(("localhost", False), ("localhost.example.com", False), ("notlocalhost", False), ("127.0.0.1", False)),
    ],
)
def test_names_below_localhost(host: str, *, below: bool) -> None:
    """Names below ``localhost`` are this machine in any case, with or without a dot at the end."""
    assert is_below_localhost(host) is below
