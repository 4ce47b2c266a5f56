"""Receivers of callbacks, and settings for their delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfq_async.sandbox.callback_client import DeliveryPolicy
from servers import ReceivedRequest, http_response

if TYPE_CHECKING:
    from servers import Script

OK = http_response(b"success")


async def acknowledge(_number: int, _seen: ReceivedRequest) -> bytes:
    """Acknowledge every callback."""
    return OK


def fail_first(count: int, failure: bytes | None = http_response(b"not now", 503)) -> Script:
    """Return a script that fails so many callbacks, and acknowledges the rest."""

    async def script(number: int, _: ReceivedRequest) -> bytes | None:
        return failure if number < count else OK

    return script


def policy(**changes: Any) -> DeliveryPolicy:
    """Return a valid policy but for the ``changes``."""
    defaults: dict[str, Any] = {"app_id": "A", "retry_after": (0.5,), "timeout": 5.0, "hosts": frozenset()}
    return DeliveryPolicy(**{**defaults, **changes})
