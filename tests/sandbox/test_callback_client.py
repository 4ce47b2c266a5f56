"""Targets of callbacks, requests to them, and which responses acknowledge."""

from __future__ import annotations

import math
import socket
from typing import Any
from unittest.mock import patch

import pytest
from yarl import URL

from kfq_async.sandbox import Sandbox
from kfq_async.sandbox.callback_client import DeliveryResult, LoopbackResolver
from receivers import policy


@pytest.mark.parametrize(
    ("host", "addresses"),
    [("localhost", ["127.0.0.1", "::1"]), ("a.localhost", ["127.0.0.1"]), ("kfq.test", ["192.0.2.1"])],
)
async def test_resolver(host: str, addresses: list[str]) -> None:
    """The names of this machine are its loopback addresses; the system's resolver looks up the others."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
    with patch("socket.getaddrinfo", return_value=found):
        results = await LoopbackResolver().resolve(host, 80)
    assert [(result["host"], result["port"]) for result in results] == [(address, 80) for address in addresses]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"app_id": ""}, "app_id"),
        ({"app_id": "a\nb"}, "app_id"),
        ({"app_id": "应用"}, "app_id"),
        ({"retry_after": (1.0, -1.0)}, "retry_after"),
        ({"retry_after": (math.nan,)}, "retry_after"),
        ({"retry_after": (math.inf,)}, "retry_after"),
        ({"timeout": 0}, "callback_timeout"),
        ({"timeout": math.nan}, "callback_timeout"),
        ({"timeout": math.inf}, "callback_timeout"),
    ],
)
def test_invalid_policy(changes: dict[str, Any], problem: str) -> None:
    """An invalid setting is a ValueError that names its argument."""
    with pytest.raises(ValueError, match=problem):
        policy(**changes)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "http://localhost/", "https://[::1]/a"])
def test_target_on_this_machine(url: str) -> None:
    """Every URL on this machine may be notified."""
    assert policy().target(url) == URL(url)


@pytest.mark.parametrize("url", ["https://your-domain.com/api/corp/auth/callback", "http://10.0.0.1/", "http://h/"])
def test_target_on_another_machine(url: str) -> None:
    """A URL on another machine may be notified only if callback_hosts names its host."""
    host = URL(url).raw_host
    assert policy().target(url) == f"{host} is not this machine: add it to callback_hosts if the sandbox may notify it"
    assert policy(hosts=frozenset({host})).target(url) == URL(url)


@pytest.mark.parametrize("url", ["", "nothing", "ftp://127.0.0.1/", "javascript:alert(1)"])
def test_invalid_target(url: str) -> None:
    """Anything but an http or https URL is rejected."""
    assert policy().target(url) == "not an http or https URL"


@pytest.mark.parametrize(
    ("result", "acknowledged"),
    [
        (DeliveryResult(200, b"success"), True),
        (DeliveryResult(404, b"success"), True),
        (DeliveryResult(500, b"success"), True),
        (DeliveryResult(200, b"\r\nsuc\ncess\r\n"), True),
        (DeliveryResult(200, b"SUCCESS"), True),
        *((DeliveryResult(status, b"success"), False) for status in (201, 202, 204, 301, 400, 401, 403, 502, 503)),
        (DeliveryResult(200, b" success"), False),
        (DeliveryResult(200, b"success "), False),
        (DeliveryResult(200, b'"success"'), False),
        (DeliveryResult(200, b"\xef\xbb\xbfsuccess"), False),
        (DeliveryResult(200, b"successful"), False),
        (DeliveryResult(200, b""), False),
        (DeliveryResult(404, b"not found"), False),
        (DeliveryResult(200, b"success", "connection lost"), False),
        (DeliveryResult(), False),
    ],
)
def test_acknowledged(result: DeliveryResult, acknowledged: bool) -> None:  # noqa: FBT001
    """``success`` acknowledges in any case and without line breaks, with three statuses and no other."""
    assert result.acknowledged is acknowledged


def test_target_that_is_captured() -> None:
    """A notification that is captured may have any host, and must have a URL."""
    capturing = policy(capture=print)
    assert capturing.target("https://your-domain.com/n") == URL("https://your-domain.com/n")
    assert capturing.target("your-domain.com/n") == "not an http or https URL"


def test_invalid_capture() -> None:
    """Anything but a function is a TypeError that names the argument."""
    captured: Any = []
    with pytest.raises(TypeError, match=r"^capture must be a function of a CapturedNotification, or None, not list$"):
        Sandbox(capture=captured)
