"""How states are called on the pages."""

from __future__ import annotations

from kfq_async.sandbox.orders import EXPIRED, IDENTIFIED, IN_PROGRESS, WITHDRAWN

__all__ = ["STATUS_WORDS", "status_pill"]

STATUS_WORDS = {None: "待认证", IDENTIFIED: "已认证", IN_PROGRESS: "认证中", WITHDRAWN: "已撤销", EXPIRED: "已失效"}
_LOOKS = {IDENTIFIED: "good", IN_PROGRESS: "busy", WITHDRAWN: "bad", EXPIRED: "bad"}


def status_pill(status: int | None) -> str:
    """Return a small label for an order's status."""
    return f'<span class="pill {_LOOKS.get(status or 0, "plain")}">{STATUS_WORDS[status]}</span>'
